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
from collections.abc import Iterator
from importlib import metadata
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

    Returns the files made. The archive of third-party packages takes some 250 MB and a quarter of a minute.
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
    """Pack what a cluster's Python lacks, as it is installed here, into ``target / ENV_NAME``.

    Copied, not installed anew: the cluster gets the versions that were tested together, in a third of the time and
    without the network. Raises SystemExit where this environment lacks one of them.
    """
    archive = target / ENV_NAME
    files = {name: path for package in installed_packages(cluster_requirements()) for name, path in _files_of(package)}
    # Level 1: compiled code hardly gets smaller above it, and the archive is made far more often than kept.
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for name in sorted(files):
            tar.add(files[name], arcname=name)
    return archive


def installed_packages(requirements: list[str]) -> list[metadata.Distribution]:
    """The installed distributions that requirements ask for, directly or through others."""
    from packaging.requirements import Requirement

    def named(texts: list[str], extra: str = "") -> list[tuple[str, str]]:
        """Names with the extras asked for, "" for none, of the requirements that hold here."""
        holding = [need for need in map(Requirement, texts) if not need.marker or need.marker.evaluate({"extra": extra})]
        return [(need.name, asked) for need in holding for asked in ("", *need.extras)]

    found: dict[tuple[str, str], metadata.Distribution] = {}
    wanted = named(requirements)
    while wanted:
        name, extra = wanted.pop()
        if (name, extra) not in found:
            found[name, extra] = _installed(name)
            wanted += named(found[name, extra].requires or [], extra)
    return list(found.values())


def _installed(name: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise SystemExit(f"{name} is not installed here: pip install '.[local]', then build again.") from None


def _files_of(package: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    """Files that are imported, by their path below the search path; scripts lie outside it, with ``..`` in theirs.

    The packages' own tests, a tenth of them, stay out: every executor unpacks the archive.
    """
    left_out = {"..", "tests", "__pycache__"}
    for file in package.files or []:
        path = Path(str(package.locate_file(file)))
        if left_out.isdisjoint(file.parts) and path.is_file():
            yield file.as_posix(), path


def cluster_requirements() -> list[str]:
    """Requirements that a bare Python under Spark lacks: the suite's own, and the tracking client as tested."""
    declared = Distribution()
    declared.parse_config_files([str(ROOT / "pyproject.toml")])
    local = declared.extras_require["local"]
    return [*declared.install_requires, *(needed for needed in local if needed.startswith(TRACKING))]


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
