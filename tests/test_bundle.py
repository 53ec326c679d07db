"""The Databricks bundle against the classes that Databricks publishes for it, and against the command line it calls."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from databricks.bundles.jobs import Job, Task
from setuptools import Distribution

ROOT = Path(__file__).resolve().parents[1]
JOBS = {
    "resources/customer_360_job.yml": "customer_360",
    "resources/customer_360_job_cluster.yml": "customer_360_on_cluster",
}
UPKEEP = {
    "resources/maintenance_job.yml": "maintenance",
    "resources/maintenance_job_cluster.yml": "maintenance_on_cluster",
}

# What Databricks puts in place of a reference when it deploys and runs; another reference has no value here.
SAMPLE_VALUES = {
    "${bundle.target}": "dev",
    "{{job.parameters.as_of}}": "latest_event",
    "{{job.run_id}}": "42",
}
REFERENCE = re.compile(r"\$\{[^}]*\}|\{\{[^}]*\}\}")


@pytest.fixture(scope="module")
def bundle() -> dict[str, Any]:
    return read_yaml("databricks.yml")


@pytest.fixture(params=JOBS)
def job(request: pytest.FixtureRequest) -> Job:
    return load_job(request.param)


@pytest.fixture(params=[*JOBS, *UPKEEP])
def any_job(request: pytest.FixtureRequest) -> Job:
    return load_job(request.param)


def test_every_resource_file_declares_one_known_job() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "resources").glob("*.yml")}
    assert files == {*JOBS, *UPKEEP}


def test_a_task_calls_a_console_script_of_the_distribution(any_job: Job) -> None:
    project = declared_project()
    scripts = {script.split(" = ")[0] for script in project.entry_points["console_scripts"]}
    assert {task.python_wheel_task.entry_point for task in any_job.tasks} <= scripts
    assert {task.python_wheel_task.package_name for task in any_job.tasks} == {project.get_name().replace("-", "_")}


def test_there_is_a_task_for_every_stage_and_each_waits_for_the_one_before(job: Job) -> None:
    stages = list(command_line().STAGES)
    keys = [stage.replace("-", "_") for stage in stages]
    assert [task.task_key for task in job.tasks] == keys
    assert [parameters(task)[0] for task in job.tasks] == stages
    assert [[needed.task_key for needed in task.depends_on] for task in job.tasks] == [
        [],
        *([key] for key in keys[:-1]),
    ]


def test_the_command_line_understands_the_parameters_of_every_task(job: Job) -> None:
    for task in job.tasks:
        arguments = command_line().build_parser().parse_args([with_sample_values(value) for value in parameters(task)])
        assert (arguments.env, arguments.as_of, arguments.run_id) == ("dev", "latest_event", "42"), task.task_key


@pytest.mark.parametrize("path", UPKEEP)
def test_upkeep_is_one_task_once_a_week(path: str) -> None:
    job = load_job(path)
    (task,) = job.tasks
    arguments = command_line().build_parser().parse_args([with_sample_values(value) for value in parameters(task)])
    assert (parameters(task)[0], arguments.env, arguments.run_id) == ("maintain", "dev", "42")
    assert job.schedule.quartz_cron_expression.path == "var.upkeep_schedule"


def test_a_scheduled_run_keeps_the_champion(job: Job) -> None:
    (training,) = (task for task in job.tasks if task.task_key == "train_segments")
    assert "--if-needed" in parameters(training)


def test_a_stage_that_fails_fails_its_task(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    # Databricks calls the entry point's function and looks at what it raises, not at what it returns.
    (script,) = declared_project().entry_points["console_scripts"]
    module, function = script.split(" = ")[1].split(":")
    monkeypatch.setattr("sys.argv", ["c360", *parameters(job.tasks[0])[:1], "--env", "no-such-environment"])
    with pytest.raises(SystemExit) as stopped:
        getattr(importlib.import_module(module), function)()
    assert stopped.value.code == 2


def test_a_parameter_that_a_task_refers_to_is_declared_by_its_job(any_job: Job) -> None:
    declared = {f"{{{{job.parameters.{parameter.name}}}}}" for parameter in any_job.parameters}
    referred = {ref for task in any_job.tasks for ref in REFERENCE.findall(" ".join(parameters(task)))}
    assert {ref for ref in referred if "job.parameters" in ref} == declared


def test_two_runs_never_overlap_and_a_failed_stage_is_tried_again(any_job: Job) -> None:
    assert any_job.max_concurrent_runs == 1
    assert any_job.queue.enabled
    assert all(task.max_retries and task.min_retry_interval_millis and task.timeout_seconds for task in any_job.tasks)


def test_a_failed_run_is_told_to_somebody(any_job: Job) -> None:
    assert str(any_job.email_notifications.on_failure) == "${var.notifications}"


def test_every_task_has_compute_that_its_job_declares(any_job: Job) -> None:
    environments = {environment.environment_key for environment in any_job.environments}
    clusters = {cluster.job_cluster_key for cluster in any_job.job_clusters}
    for task in any_job.tasks:
        assert (task.environment_key in environments) != (task.job_cluster_key in clusters), task.task_key


def test_every_task_runs_the_wheel_that_the_bundle_builds(any_job: Job, bundle: dict[str, Any]) -> None:
    assert "--wheel-dir dist" in bundle["artifacts"]["wheel"]["build"]
    serverless = [needed for environment in any_job.environments for needed in environment.spec.dependencies]
    for task in any_job.tasks:
        assert "../dist/*.whl" in [*serverless, *(library.whl for library in task.libraries)], task.task_key


@pytest.mark.parametrize("paths", [JOBS, UPKEEP], ids=["customer 360", "upkeep"])
def test_both_jobs_run_the_same_commands(paths: dict[str, str]) -> None:
    commands = [[task.python_wheel_task for task in load_job(path).tasks] for path in paths]
    assert commands[0] == commands[1]


@pytest.mark.parametrize("paths", [JOBS, UPKEEP], ids=["customer 360", "upkeep"])
@pytest.mark.parametrize("target", ["dev", "prod"])
def test_at_most_one_of_the_two_jobs_runs_on_a_schedule(bundle: dict[str, Any], target: str, paths: dict[str, str]) -> None:
    variables = values_for(bundle, target)
    statuses = [variables[load_job(path).schedule.pause_status.path.removeprefix("var.")] for path in paths]
    assert statuses == [{"dev": "PAUSED", "prod": "UNPAUSED"}[target], "PAUSED"]


def test_every_variable_is_declared_and_used(bundle: dict[str, Any]) -> None:
    text = "".join((ROOT / path).read_text() for path in (*JOBS, *UPKEEP))
    assert set(re.findall(r"\$\{var\.(\w+)\}", text)) == set(bundle["variables"])


def test_every_target_has_its_settings(bundle: dict[str, Any]) -> None:
    assert [target for target in bundle["targets"] if not (ROOT / "conf" / "env" / f"{target}.yml").is_file()] == []


@pytest.mark.parametrize("target", ["dev", "prod"])
def test_a_scheduled_run_is_judged_at_the_time_that_the_target_s_settings_say(bundle: dict[str, Any], target: str) -> None:
    assert values_for(bundle, target)["as_of"] == read_yaml(f"conf/env/{target}.yml")["as_of"]


def values_for(bundle: dict[str, Any], target: str) -> dict[str, Any]:
    """The bundle's variables as a target has them."""
    defaults = {name: variable.get("default") for name, variable in bundle["variables"].items()}
    return {**defaults, **bundle["targets"][target].get("variables", {})}


def load_job(path: str) -> Job:
    """The one job of a resource file; the published class refuses unknown fields and wrong types."""
    resources = read_yaml(path)["resources"]
    assert list(resources) == ["jobs"]
    name = {**JOBS, **UPKEEP}[path]
    assert list(resources["jobs"]) == [name]
    return Job.from_dict(resources["jobs"][name])


def read_yaml(path: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def parameters(task: Task) -> list[str]:
    """A task's parameters as written; the published class makes objects of the references among them."""
    return [str(value) for value in task.python_wheel_task.parameters]


def with_sample_values(value: str) -> str:
    return REFERENCE.sub(lambda found: SAMPLE_VALUES[found[0]], value)


def declared_project() -> Distribution:
    project = Distribution()
    project.parse_config_files([str(ROOT / "pyproject.toml")])
    return project


def command_line() -> Any:
    return importlib.import_module("jobs.cli")
