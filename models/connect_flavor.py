"""MLflow's Spark flavour over Spark Connect: the same files, saved and loaded without the JVM that ``mlflow.spark`` asks for.

Models are in the layout of ``mlflow.spark``, so either side loads what the other logged. ``staging`` is a folder that both
the server and this process see: the server writes a pipeline there and reads it from there.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.models import Model, ModelSignature
    from pyspark.ml import PipelineModel

FLAVOR = "spark"
DATA = "sparkml"


def needs_this_flavor() -> bool:
    """Whether Spark is somewhere else, and MLflow doesn't know its way there as it does on Databricks."""
    from mlflow.utils.databricks_utils import is_in_databricks_runtime
    from pyspark.sql.utils import is_remote

    return bool(is_remote()) and not is_in_databricks_runtime()


def save_model(
    spark_model: PipelineModel,
    path: str,
    mlflow_model: Model,
    signature: ModelSignature,
    pip_requirements: list[str],
    staging: str,
) -> None:
    """Writes the model's folder; called by ``mlflow.models.Model.log``, which names the parameters."""
    import pyspark
    from mlflow import pyfunc

    spark_model.save(staging)
    folder = Path(path)
    shutil.copytree(staging, folder / DATA)
    (folder / "requirements.txt").write_text("\n".join(pip_requirements) + "\n")
    mlflow_model.signature = signature
    kind = f"{type(spark_model).__module__}.{type(spark_model).__qualname__}"
    mlflow_model.add_flavor(FLAVOR, pyspark_version=pyspark.__version__, model_data=DATA, code=None, model_class=kind)
    pyfunc.add_to_model(mlflow_model, loader_module="mlflow.spark", data=DATA)
    mlflow_model.save(str(folder / "MLmodel"))


def load_model(model_uri: str, staging: str) -> PipelineModel:
    """The pipeline behind an MLflow URI."""
    import mlflow
    from mlflow.models import Model
    from pyspark.ml import PipelineModel, Transformer
    from pyspark.ml.pipeline import PipelineSharedReadWrite
    from pyspark.ml.util import DefaultParamsReader
    from pyspark.sql import SparkSession

    spark = SparkSession.getActiveSession()
    assert spark is not None
    local = Path(mlflow.artifacts.download_artifacts(model_uri))
    data = Model.load(str(local)).flavors[FLAVOR]["model_data"]
    shutil.copytree(local / data, staging)
    # Stage by stage: over Connect, Spark 4.0 does not load as a whole what classic Spark has written.
    _, stages = PipelineSharedReadWrite.load(DefaultParamsReader.loadMetadata(staging, spark), spark, staging)
    return PipelineModel([stage for stage in stages if isinstance(stage, Transformer)])
