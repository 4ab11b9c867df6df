"""Logs: JSON is JSON, tracebacks hide values, and chatty clients keep secrets to themselves."""

import json

import pytest

from tests.processes import python, running

pytestmark = pytest.mark.once

SCRIPT = """
import logging, django
django.setup()
for name in {loggers}:
    logging.getLogger(name).{level}("token {{}}".format("hunter2"))
try:
    password = "hunter3"
    {{}}["missing"]
except KeyError:
    logging.getLogger("delivery").exception("lost")
"""


def logged(level: str, log_format: str, *loggers: str) -> str:
    """What a process of its own writes when each of these loggers speaks."""
    env = {"DJANGO_SETTINGS_MODULE": "statuspage.settings", "LOG_FORMAT": log_format, "LOG_LEVEL": "DEBUG"}
    with running(python("-c", SCRIPT.format(loggers=loggers, level=level)), env=env) as process:
        assert process.wait(60) == 0, process.output
        return process.output


def test_each_line_is_one_json_object() -> None:
    lines = [json.loads(line) for line in logged("warning", "json", "delivery").splitlines()]
    [warning] = [line for line in lines if line["level"] == "warning"]
    assert warning["event"] == "token hunter2"
    assert warning["logger"] == "delivery"
    [error] = [line for line in lines if line["level"] == "error"]
    assert "KeyError" in error["exception"]
    assert "hunter3" not in error["exception"].replace('password = "hunter3"', "")


def test_clients_of_other_services_say_nothing_below_a_warning() -> None:
    clients = ("tweepy.client", "requests_oauthlib.oauth1_auth", "urllib3.connectionpool", "httpx")
    said = logged("debug", "console", "delivery", *clients)
    assert said.count("hunter2") == 1, "that is our own"


@pytest.mark.parametrize(("level", "is_told"), [("INFO", True), ("WARNING", False)])
def test_a_workers_log_keeps_to_the_level_of_the_settings(level: str, is_told: bool) -> None:
    script = (
        "import logging, django; from statuspage.celery import app; django.setup(); app.log.setup(loglevel='WARNING');"
        "logging.getLogger('delivery.ledger.sender').info('pause over'); logging.getLogger('celery.app.trace').info('a task')"
    )
    env = {"DJANGO_SETTINGS_MODULE": "statuspage.settings", "LOG_LEVEL": level}
    with running(python("-c", script), env=env) as process:
        assert process.wait(60) == 0, process.output
        assert ("pause over" in process.output) is is_told
        assert "a task" not in process.output


def test_the_secret_address_of_the_canarys_mail_cannot_be_read_out_of_the_log() -> None:
    path = "/canary/mail/hunter2/hunter2?a=hunter2"
    script = (
        f"import logging, django; django.setup(); logging.getLogger('django.request').error('Failed: %s', '{path}')"
    )
    with running(python("-c", script), env={"DJANGO_SETTINGS_MODULE": "statuspage.settings"}) as process:
        assert process.wait(60) == 0, process.output
        assert "Failed: /canary/mail/…" in process.output
        assert "hunter2" not in process.output


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_links_of_subscribers_cannot_be_read_out_of_the_log(log_format: str) -> None:
    link = f"/unsubscribe/abcdefghij12.{'0' * 13}.{'f' * 32}"
    script = f"import logging, django; django.setup(); logging.getLogger('django.request').warning('Bad: %s', '{link}')"
    env = {"DJANGO_SETTINGS_MODULE": "statuspage.settings", "LOG_FORMAT": log_format}
    with running(python("-c", script), env=env) as process:
        assert process.wait(60) == 0, process.output
        assert "/unsubscribe/abcdefghij12." in process.output
        assert "f" * 32 not in process.output


CLIENT_FAULTS = """
import logging, django
django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
for path, host in (("/no/such/thing", "localhost"), ("/admin/pages/page/?p=x", "localhost"), ("/", "evil.example")):
    print(client.get(path, headers={"host": host}).status_code)
logging.getLogger("django.request").error("a fault of ours", extra={"status_code": 500})
log = logging.getLogger("axes.handlers.database")
log.info("AXES: Successful login by %s.", "ada")
log.info("AXES: Deleted %d failed login attempts by %s from database.", 0, "ada")
log.warning("AXES: New login failure by %s.", "eve")
"""


def test_what_clients_get_wrong_makes_no_noise_and_a_sign_in_one_line(tmp_path) -> None:
    database = f"sqlite:///{tmp_path}/empty.sqlite3"
    env = {"DJANGO_SETTINGS_MODULE": "statuspage.settings", "LOG_FORMAT": "json", "LOG_LEVEL": "INFO"}
    with running(python("-c", CLIENT_FAULTS), env=env | {"DATABASE_URL": database}) as process:
        assert process.wait(60) == 0, process.output
        lines = [json.loads(line) for line in process.output.splitlines() if line.startswith("{")]
    said = [(line["level"], line["event"]) for line in lines if line["logger"].startswith(("django", "axes"))]
    assert said == [
        ("warning", "Invalid HTTP_HOST header: 'evil.example'. You may need to add 'evil.example' to ALLOWED_HOSTS."),
        ("error", "a fault of ours"),
        ("info", "AXES: Successful login by ada."),
        ("warning", "AXES: New login failure by eve."),
    ]
    assert not any("exception" in line for line in lines)
