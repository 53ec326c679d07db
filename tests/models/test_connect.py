"""Training and serving on a local Spark Connect server, in a process of its own: one process is classic or Connect."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

TRAIN_AND_SERVE = """
import sys
from jobs.runtime.java import provide_java
provide_java()
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote("local[2]").getOrCreate()
spark.conf.set("spark.sql.session.timeZone", "UTC")
from models.assign import assign_clusters, assign_segments
from models.features import segment_features
from models.fit import choose, fit_candidates
from models.naming import name_segments
from models.profiles import profile_clusters
from models.registry import load_champion, log_training
from models.tracking import Tracking, Training
from tests.models.cohorts import AS_OF, cohort_rows, default_config, rfm_frame
config = default_config(clusters={"k": [6], "seed": 1, "starts": 1})
features = segment_features(rfm_frame(spark, cohort_rows()), AS_OF)
candidates = fit_candidates(features, config)
model = choose(candidates).model
names = name_segments(profile_clusters(assign_clusters(features, model)), config)
tracking = Tracking(f"sqlite:///{sys.argv[1]}/mlflow.db", "lakehouse-c360", "c360_segments")
training = Training("a-lake", "run-1", AS_OF, {"gold.rfm": 3}, "0.1.0", config)
log_training(tracking, training, candidates, candidates[0], model, names, f"{sys.argv[1]}/scratch")
champion = load_champion(tracking, f"{sys.argv[1]}/scratch")
trained = assign_segments(features, model, names).orderBy("profile_id").collect()
served = assign_segments(features, champion.model, champion.names).orderBy("profile_id").collect()
print("session", type(spark).__module__)
print("rows", len(served))
print("same", served == trained)
"""


@pytest.mark.cluster
def test_serving_gives_the_training_labels_on_connect(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "SPARK_REMOTE"}
    environment |= {"PYSPARK_PYTHON": sys.executable, "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    command = [sys.executable, "-c", TRAIN_AND_SERVE, str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-3:] == ["session pyspark.sql.connect.session", "rows 600", "same True"]
