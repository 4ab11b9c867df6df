"""Logs: JSON is JSON, tracebacks hide values, and chatty clients keep secrets to themselves."""

import json

import pytest

from tests.processes import python, running

pytestmark = pytest.mark.once

SCRIPT = """
import logging, django
django.setup()
logging.getLogger("{logger}").{level}("token {{}}".format("hunter2"))
try:
    password = "hunter3"
    {{}}["missing"]
except KeyError:
    logging.getLogger("delivery").exception("lost")
"""


def logged(logger: str, level: str, log_format: str) -> str:
    env = {"DJANGO_SETTINGS_MODULE": "statuspage.settings", "LOG_FORMAT": log_format, "LOG_LEVEL": "DEBUG"}
    with running(python("-c", SCRIPT.format(logger=logger, level=level)), env=env) as process:
        assert process.wait(60) == 0, process.output
        return process.output


def test_each_line_is_one_json_object() -> None:
    lines = [json.loads(line) for line in logged("delivery", "warning", "json").splitlines()]
    [warning] = [line for line in lines if line["level"] == "warning"]
    assert warning["event"] == "token hunter2"
    assert warning["logger"] == "delivery"
    [error] = [line for line in lines if line["level"] == "error"]
    assert "KeyError" in error["exception"]
    assert "hunter3" not in error["exception"].replace('password = "hunter3"', "")


@pytest.mark.parametrize(
    "logger", ["tweepy.client", "requests_oauthlib.oauth1_auth", "urllib3.connectionpool", "httpx"]
)
def test_clients_of_other_services_say_nothing_below_a_warning(logger: str) -> None:
    assert "hunter2" not in logged(logger, "debug", "console")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_links_of_subscribers_cannot_be_read_out_of_the_log(log_format: str) -> None:
    link = f"/unsubscribe/abcdefghij12.{'0' * 13}.{'f' * 32}"
    script = f"import logging, django; django.setup(); logging.getLogger('django.request').warning('Bad: %s', '{link}')"
    env = {"DJANGO_SETTINGS_MODULE": "statuspage.settings", "LOG_FORMAT": log_format}
    with running(python("-c", script), env=env) as process:
        assert process.wait(60) == 0, process.output
        assert "/unsubscribe/abcdefghij12." in process.output
        assert "f" * 32 not in process.output
