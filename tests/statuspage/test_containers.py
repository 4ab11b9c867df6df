"""The container files, as far as they can be checked without an engine: their structure, and what they call."""

import ast
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.queues import all_queues
from tests.processes import ROOT
from tests.statuspage.test_settings import names_documented

pytestmark = pytest.mark.once


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


def test_every_service_is_watched(services: dict[str, Any]) -> None:
    assert {"web", "worker", "beat", "watch", "postgres", "redis"} <= set(services)
    for name, service in services.items():
        check = service["healthcheck"]
        assert check == {"disable": True} if name == "migrate" else check["test"][0] == "CMD", name


def test_services_wait_for_what_they_need(services: dict[str, Any]) -> None:
    for name in ("web", "worker", "beat"):
        conditions = {needed: each["condition"] for needed, each in services[name]["depends_on"].items()}
        assert conditions == {
            "postgres": "service_healthy",
            "redis": "service_healthy",
            "migrate": "service_completed_successfully",
        }


def test_the_workers_serve_every_queue_once(services: dict[str, Any]) -> None:
    served = [each["environment"]["QUEUES"] for each in services.values() if each.get("command") == ["worker"]]
    assert sorted(served) == sorted(all_queues())
    assert ",".join(all_queues()) in (ROOT / "deploy" / "entrypoint").read_text()


def test_only_settings_that_exist_are_set(services: dict[str, Any]) -> None:
    for_entrypoint = {"QUEUES", "CONCURRENCY"}
    set_here = set().union(*(set(services[name]["environment"]) for name in ("web", "worker", "beat", "migrate")))
    assert set_here - for_entrypoint <= names_documented()
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE))
    assert example - {"POSTGRES_PASSWORD"} <= names_documented()
    in_image = set(re.findall(r"\b(PRODUCTION|DATA_DIR|STATIC_ROOT|HOST|PORT)=", (ROOT / "Dockerfile").read_text()))
    assert in_image == {"PRODUCTION", "DATA_DIR", "STATIC_ROOT", "HOST", "PORT"}


def test_every_setting_in_the_env_file_reaches_every_process(services: dict[str, Any]) -> None:
    """A list of names to hand on would forget some, such as METRICS_TOKEN, in silence."""
    ours = {name: service for name, service in services.items() if service.get("build")}
    assert {"migrate", "web", "worker", "worker-email", "worker-social", "worker-webhook", "beat", "watch"} == set(ours)
    # What the image and the ports below count on; all else is .env's.
    fixed = {"HOST", "PORT", "DATA_DIR", "STATIC_ROOT", "DATABASE_URL", "REDIS_URL"}
    needed = {"SECRET_KEY", "PUBLIC_URL", "TRUSTED_PROXY_COUNT"}
    for name, service in ours.items():
        assert service["env_file"] == ".env", name
        assert set(service["environment"]) - {"QUEUES", "CONCURRENCY"} == fixed | needed, name


def test_every_required_value_is_in_the_example() -> None:
    required = set(re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "compose.yaml").read_text()))
    example = set(re.findall(r"^([A-Z_]+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE))
    assert required == {"SECRET_KEY", "PUBLIC_URL", "POSTGRES_PASSWORD"}
    assert required <= example


def test_the_image_has_two_stages_and_its_own_user() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert "USER statuspage" in lines
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    [entry] = [line for line in lines if line.startswith("ENTRYPOINT ")]
    assert os.access(ROOT / ast.literal_eval(entry.removeprefix("ENTRYPOINT "))[0], os.X_OK)
    assert os.access(ROOT / "deploy" / "healthcheck", os.X_OK)


@pytest.mark.parametrize(
    ("role", "command"),
    [
        ("web", "python -m statuspage.web"),
        ("worker", "celery --quiet --app statuspage worker --hostname worker@%h"),
        ("beat", "celery --quiet --app statuspage beat"),
        ("migrate", "python manage.py migrate"),
        ("watch", "python manage.py watch"),
    ],
)
def test_the_entrypoint_starts_each_role(role: str, command: str, tmp_path: Path) -> None:
    """With stand-ins on the path that print what they were asked to do."""
    for program in ("python", "celery"):
        stand_in = tmp_path / program
        stand_in.write_text(f'#!/bin/sh\necho {program} "$@"\n')
        stand_in.chmod(0o755)
    script = (ROOT / "deploy" / "entrypoint").read_text().replace("/tmp/role", shlex.quote(str(tmp_path / "role")))
    done = subprocess.run(["sh", "-c", script, "entrypoint", role], env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.startswith(command)
    assert (tmp_path / "role").read_text().strip() == role


def test_continuous_integration_calls_the_readmes_test_command() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text())
    assert {"run": "make test"} in workflow["jobs"]["test"]["steps"]
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in (ROOT / "README.md").read_text()


def test_what_a_container_writes_is_for_its_user_only(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\numask\n")
    (tmp_path / "python").chmod(0o700)
    script = (ROOT / "deploy" / "entrypoint").read_text().replace("/tmp/role", shlex.quote(str(tmp_path / "role")))
    said = subprocess.run(
        ["sh", "-c", script, "entrypoint", "migrate"], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    assert said.stdout == "0077\n"
