"""What `make build` makes: the wheel, and the two archives that a plain Spark cluster needs beside it.

Everything about the distribution (name, packages, requirements) is declared in `pyproject.toml`; this file says how it
is put into files:

- ``lakehouse_c360-<version>-py3-none-any.whl`` for `pip install` and for Databricks;
- ``lakehouse_c360.zip`` for ``spark-submit --py-files``: the driver can import a wheel, the workers cannot;
- ``lakehouse_c360_env.tar.gz`` for ``spark-submit --archives``: the third-party packages, because a zip on the path
  cannot carry compiled ones. Spark is not in it. It fits clusters with the builder's Python minor version and platform.

Submit it so (Delta's jars through ``--packages`` as here, or ``--jars``)::

    mkdir -p env && tar -xzf dist/lakehouse_c360_env.tar.gz -C env
    PYTHONPATH=env spark-submit --master spark://HOST:7077 \
        --packages io.delta:delta-spark_4.2_2.13:4.4.0 \
        --py-files dist/lakehouse_c360.zip \
        --archives dist/lakehouse_c360_env.tar.gz#env \
        --conf spark.executorEnv.PYTHONPATH=env \
        jobs/run_pipeline.py --lake /shared/lakehouse --landing /shared/landing

The archive is unpacked twice: Spark unpacks it into each executor's working directory, but a driver in client mode is
an ordinary process that imports before Spark starts. In cluster mode the driver starts beside its own unpacked copy:
leave out the first line, and set ``spark.yarn.appMasterEnv.PYTHONPATH=env`` or your cluster manager's like.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import ClassVar

from setuptools import Command, Distribution, setup

ROOT = Path(__file__).resolve().parent
PACKAGES = ("conf", "jobs", "models", "transforms")
ZIP_NAME = "lakehouse_c360.zip"
ENV_NAME = "lakehouse_c360_env.tar.gz"
TRACKING = "mlflow"


def build_archives(target: Path, with_env: bool = True) -> list[Path]:
    """Build the wheel and the zip, and with ``with_env`` the archive of third-party packages, into ``target``.

    Returns the files made. The archive of third-party packages downloads them (some 200 MB) unless pip has them cached.
    """
    target.mkdir(parents=True, exist_ok=True)
    wheel = build_wheel(target)
    # A wheel is a zip whose root is on the path, its metadata included: the same bytes under the name Spark ships.
    made = [wheel, Path(shutil.copyfile(wheel, target / ZIP_NAME))]
    if with_env:
        made.append(build_environment(target))
    return made


def build_wheel(target: Path) -> Path:
    """Build the wheel into ``target``, from a copy of the sources.

    setuptools builds in ./build and keeps what it finds there: in place, a deleted module would get into the wheel.
    """
    with tempfile.TemporaryDirectory(prefix="c360-wheel-") as scratch:
        sources = Path(scratch, "sources")
        for package in PACKAGES:
            shutil.copytree(ROOT / package, sources / package, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, sources)
        # No isolation: setuptools is here, so that building asks the network for nothing.
        _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", scratch, str(sources))
        (wheel,) = Path(scratch).glob("*.whl")
        return Path(shutil.copy(wheel, target))


def build_environment(target: Path) -> Path:
    """Install what a cluster's Python lacks into a folder and pack it as ``target / ENV_NAME``."""
    archive = target / ENV_NAME
    with tempfile.TemporaryDirectory(prefix="c360-env-") as folder:
        # Conflicts would be with the environment that builds, which the folder has nothing to do with.
        options = ["--prefer-binary", "--no-warn-conflicts", "--no-compile", "--target", folder]
        _pip("install", *options, *cluster_requirements())
        # Level 1: compiled code hardly gets smaller above it, and the archive is made far more often than kept.
        with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
            for path in sorted(Path(folder).iterdir()):
                tar.add(path, arcname=path.name, filter=_without_tests)
    return archive


def cluster_requirements() -> list[str]:
    """Requirements that a bare Python under Spark lacks: the suite's own, and the tracking client as tested."""
    declared = Distribution()
    declared.parse_config_files([str(ROOT / "pyproject.toml")])
    local = declared.extras_require["local"]
    return [*declared.install_requires, *(needed for needed in local if needed.startswith(TRACKING))]


def _without_tests(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out the packages' own tests: a sixth of the archive, which every executor unpacks."""
    return None if "tests" in Path(member.name).parts else member


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, cwd=ROOT, check=True)


class Archives(Command):
    """`python setup.py archives`: the wheel and both archives into `dist/`."""

    description = "build the wheel, the zip for --py-files and the tar.gz for --archives into dist/"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = [("no-env", None, "leave the third-party packages out")]
    boolean_options: ClassVar[list[str]] = ["no-env"]

    def initialize_options(self) -> None:
        """Set the defaults, as setuptools asks of a command."""
        self.no_env = False

    def finalize_options(self) -> None:
        """Nothing depends on other options."""

    def run(self) -> None:
        """Build, and name each file with its size."""
        for path in build_archives(ROOT / "dist", with_env=not self.no_env):
            print(f"{path.relative_to(ROOT)}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    setup(cmdclass={"archives": Archives})
