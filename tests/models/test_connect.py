"""Training and serving on a local Spark Connect server, in a process of its own: one process is classic or Connect.

A mixture over quantiles, which asks the most of Connect; the journeys train k-means there. Garbage is collected when asked
only: a model that is found in the middle of a call hangs the client.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

TRAIN_AND_SERVE = """
import gc, sys
from jobs.runtime.java import provide_java
from jobs.runtime.session import collect_leftovers, get_session
provide_java()
spark = get_session()
collections = []
gc.callbacks.append(lambda phase, about: collections.append(phase))
from models.assign import assign_segments
from models.features import segment_features
from models.fit import choose, fit_candidates
from models.registry import load_champion, promote
from models.tracking import Tracking
from models.training_log import log_training
from tests.models.cohorts import AS_OF, cohort_rows, default_config, rfm_frame
from tests.models.trained import segmentation_of, training
quantile = [{"name": name, "transform": "quantile"} for name in ("recency", "frequency", "monetary")]
features = segment_features(rfm_frame(spark, cohort_rows()), AS_OF)
tracking = Tracking(f"sqlite:///{sys.argv[1]}/mlflow.db", "lakehouse-c360", "c360_segments")
scratch = f"{sys.argv[1]}/scratch"
clusters = {"k": [6], "seed": 1, "starts": 1, "finalists": 1, "resamples": 1, "max_iterations": 5}
clusters["methods"] = ["mixture"]
config = default_config(clusters=clusters, feature_sets={"quantile": quantile})
candidates = fit_candidates(features, config)
chosen = choose(candidates)
segmentation = segmentation_of(features, chosen, config)
version = log_training(tracking, training(config), candidates, chosen, segmentation, {}, scratch)
promote(tracking, version)
champion = load_champion(tracking, scratch)
trained = assign_segments(features, chosen.model, segmentation.names).orderBy("profile_id").collect()
served = assign_segments(features, champion.model, champion.names).orderBy("profile_id").collect()
print("mixture", len(served), "same", served == trained)
from models.bg_nbd import BgNbd
from models.gamma_gamma import GammaGamma
from models.next_purchase import NextPurchase, predict_purchases, purchase_summary
model = NextPurchase(BgNbd(0.243, 4.414, 0.793, 2.426), GammaGamma(6.25, 3.74, 15.44))
summary = purchase_summary(rfm_frame(spark, cohort_rows()), AS_OF)
told = predict_purchases(summary, model, "1", AS_OF).join(summary, "profile_id").toArrow().to_pandas()
days = [told[name].to_numpy(float) / per for name, per in (("repeats", 1), ("recency", 7), ("age", 7))]
off = abs(told["expected_purchases_90d"].to_numpy(float) - model.purchases.expected_purchases(90 / 7, *days))
print("predicted", len(told), off.max() < 0.00051)
print("collections by themselves", len(collections))
collect_leftovers()
print("when asked", len(collections))
print("session", type(spark).__module__)
"""


@pytest.mark.cluster
def test_serving_gives_the_training_labels_and_the_predictions_of_the_models_on_connect(tmp_path: Path) -> None:
    environment = {**os.environ, "SPARK_REMOTE": "local[2]"}
    environment |= {"PYSPARK_PYTHON": sys.executable, "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    environment["PYTHONPATH"] = str(REPOSITORY)  # for the server's Python workers, which a real server gets the code shipped for
    command = [sys.executable, "-c", TRAIN_AND_SERVE, str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-5:] == [
        "mixture 600 same True",
        "predicted 600 True",
        "collections by themselves 0",
        "when asked 2",
        "session pyspark.sql.connect.session",
    ]
