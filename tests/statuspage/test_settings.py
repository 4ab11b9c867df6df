"""Settings: read from the environment or files, strict about bad values, documented, and safe in production."""

import ast
import os
import re
import runpy
import stat
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from statuspage.checks import check_production
from statuspage.environment import kept_secret
from tests.conftest import settings_from_outside
from tests.processes import ROOT, python

pytestmark = pytest.mark.once
SETTINGS = ROOT / "statuspage" / "settings.py"
LONG_KEY = "k3y-of-m4ny-different-characters-" * 2
SAFE = {"PRODUCTION": "true", "SECRET_KEY": LONG_KEY, "PUBLIC_URL": "https://status.example.com"}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run the settings file in an environment of one's own; its names as a dict."""
    for name in settings_from_outside():
        monkeypatch.delenv(name, raising=False)

    def load(**variables: str) -> dict[str, Any]:
        for name, value in ({"DATA_DIR": str(tmp_path / "data")} | variables).items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(SETTINGS))

    return load


def names_read() -> set[str]:
    """Every variable that product code reads through statuspage.environment."""
    found = set()
    for path in [*ROOT.glob("*/*.py"), *ROOT.glob("*/management/**/*.py")]:
        if "tests" in path.parts or ".venv" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="env")), args=[ast.Constant(value=str(name)), *_]):
                    found.add(name)
    return found


def names_documented() -> set[str]:
    return set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.MULTILINE))


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    assert names_documented() == names_read()


def test_no_product_code_reads_the_environment_another_way() -> None:
    allowed = {"environment.py", "supervisor.py"}  # the reader itself; what children inherit
    for path in ROOT.glob("[a-z]*/*.py"):
        if path.parent.name in ("tests", "bench") or path.name in allowed:
            continue
        text = path.read_text().replace('os.environ.setdefault("DJANGO_SETTINGS_MODULE"', "")
        assert "os.environ" not in text, path
        assert "getenv" not in text, path


def test_with_nothing_set_the_data_directory_holds_everything(load, tmp_path: Path) -> None:
    loaded = load()
    data = tmp_path / "data"
    assert loaded["DATABASES"]["default"]["NAME"] == str(data / "statuspage.sqlite3")
    assert loaded["DATABASES"]["default"]["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert loaded["MAIL_DIR"] == data / "mail"
    assert loaded["CELERY_BROKER_URL"] == f"redis+socket://{data}/redis.sock"
    assert loaded["SECRET_KEY"] == (data / "secret_key").read_text()
    assert stat.S_IMODE((data / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert load()["SECRET_KEY"] == loaded["SECRET_KEY"]


def test_processes_that_start_together_agree_on_one_secret(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(kept_secret(tmp_path / "secret_key"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_a_secret_comes_from_a_file_without_its_line_end(load, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{LONG_KEY}\n")
    assert load(SECRET_KEY_FILE=str(tmp_path / "key"))["SECRET_KEY"] == LONG_KEY


def test_a_password_may_begin_with_a_dollar_sign(load) -> None:
    assert load(SECRET_KEY="$HOME")["SECRET_KEY"] == "$HOME"


def test_postgresql_uses_a_pool_and_no_persistent_connections(load) -> None:
    database = load(DATABASE_URL="postgresql://u:p%40ss@db.example/name", DATABASE_POOL_SIZE="3")["DATABASES"][
        "default"
    ]
    assert (database["HOST"], database["NAME"], database["PASSWORD"]) == ("db.example", "name", "p@ss")
    assert database["OPTIONS"]["pool"]["max_size"] == 3
    assert database["CONN_MAX_AGE"] == 0


def test_a_database_host_that_vanished_is_noticed_before_a_lease_ends(load) -> None:
    options = load(DATABASE_URL="postgresql://u:p@db.example/name")["DATABASES"]["default"]["OPTIONS"]
    silent = options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"]
    assert silent <= 30
    assert options["tcp_user_timeout"] <= 30_000
    other = load(DATABASE_URL="postgresql://u:p@db.example/name?tcp_user_timeout=5000")["DATABASES"]["default"]
    assert int(other["OPTIONS"]["tcp_user_timeout"]) == 5000


@pytest.mark.parametrize(
    ("url", "port", "tls", "ssl"),
    [
        ("smtp://relay", 25, False, False),
        ("smtp+tls://user:p%40ss@relay", 587, True, False),
        ("smtps://user:p%40ss@relay:2465", 2465, False, True),
    ],
)
def test_mail_goes_to_the_named_server(load, url: str, port: int, *, tls: bool, ssl: bool) -> None:
    loaded = load(EMAIL_URL=url)
    assert (loaded["EMAIL_HOST"], loaded["EMAIL_PORT"]) == ("relay", port)
    assert (loaded["EMAIL_USE_TLS"], loaded["EMAIL_USE_SSL"]) == (tls, ssl)
    assert loaded["EMAIL_HOST_PASSWORD"] == ("p@ss" if "@" in url else "")
    assert loaded["MAIL_DIR"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "maybe"),
        ("PORT", "80a"),
        ("PORT", "70000"),
        ("WEB_PROCESSES", "0"),
        ("TRUSTED_PROXY_COUNT", "-1"),
        ("PUBLIC_URL", "status.example.com"),
        ("CANARY_READ_URLS", "https://user:hidden-word@status.example.com"),
        ("ALARM_SLACK_URL", "https://hidden-word@hooks.example.com/services"),
        ("PUBLIC_URL", "https://example.com/status page"),
        ("PUBLIC_URL", "https://example.com/status?x=1"),
        ("PUBLIC_URL", "https://example.com/a/../b"),
        ("DATABASE_URL", "mysql://host/name"),
        ("DATABASE_URL", "postgresql://u:hidden-word@host:port/name"),
        ("REDIS_URL", "amqp://host"),
        ("EMAIL_URL", "https://host"),
        ("EMAIL_URL", "smtp://u:hidden-word@host:port"),
        ("EMAIL_DOMAIN_RATES", "gmail.com"),
        ("EMAIL_DOMAIN_RATES", "gmail.com=50,=3"),
        ("EMAIL_DOMAIN_RATES", "gmail.com=0"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("SECRET_KEY_FILE", "/no/such/file"),
        ("DATA_DIR", "/proc/nothing"),
    ],
)
def test_a_bad_value_stops_the_start_and_is_named(load, name: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name}: ") as caught:
        load(**{name: value})
    assert "hidden-word" not in str(caught.value)


def test_a_value_and_a_file_together_are_refused(load, tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY: set either"):
        load(SECRET_KEY=LONG_KEY, SECRET_KEY_FILE=str(tmp_path / "key"))


# Production


def apply(settings: Any, loaded: dict[str, Any]) -> None:
    for name in ("PRODUCTION", "DEBUG", "SECRET_KEY", "ALLOWED_HOSTS", "PUBLIC_URL"):
        setattr(settings, name, loaded[name])


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"DEBUG": "on"}, "E001"),
        ({"SECRET_KEY": "short"}, "E002"),
        ({"SECRET_KEY": "a" * 80}, "E002"),
        ({"PUBLIC_URL": "", "ALLOWED_HOSTS": ""}, "E003"),
        ({"ALLOWED_HOSTS": "*"}, "E004"),
        ({"ALLOWED_HOSTS": "status.example.com,*.example.org"}, "E004"),
        ({"PUBLIC_URL": "http://status.example.com"}, "E005"),
    ],
)
def test_production_refuses(load, settings, change: dict[str, str], number: str) -> None:
    apply(settings, load(**(SAFE | change)))
    found = {each.id for each in check_production()}
    assert f"statuspage.{number}" in found
    assert all(each.hint for each in check_production())


def test_safe_production_settings_are_not_refused(load, settings) -> None:
    apply(settings, loaded := load(**SAFE))
    assert check_production() == []
    assert loaded["ALLOWED_HOSTS"] == ["status.example.com"]
    assert loaded["SESSION_COOKIE_SECURE"]
    assert loaded["CSRF_COOKIE_SECURE"]


def run(*args: str, tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in settings_from_outside()}
    env |= {"DATA_DIR": str(tmp_path / "data")} | variables
    return subprocess.run(python(*args), env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_check_deploy_is_clean_in_production(tmp_path: Path) -> None:
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", tmp_path=tmp_path, **SAFE)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout + done.stderr


@pytest.mark.parametrize("command", [["manage.py", "migrate"], ["-c", "import statuspage.asgi"]])
def test_no_process_starts_on_unsafe_production_settings(command: list[str], tmp_path: Path) -> None:
    done = run(*command, tmp_path=tmp_path, **(SAFE | {"DEBUG": "true", "ALLOWED_HOSTS": "*"}))
    assert done.returncode == 1
    assert "statuspage.E001: DEBUG is on in production. Unset DEBUG" in done.stderr
    assert "statuspage.E004" in done.stderr


def test_no_process_starts_in_production_without_a_secret_key(tmp_path: Path) -> None:
    done = run("manage.py", "migrate", tmp_path=tmp_path, **(SAFE | {"SECRET_KEY": ""}))
    assert done.returncode == 1
    assert "SECRET_KEY" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_value_is_told_without_a_traceback(tmp_path: Path) -> None:
    done = run("manage.py", "check", tmp_path=tmp_path, PORT="eighty")
    assert done.returncode == 1
    assert "PORT: “eighty” is not a whole number from 1 to 65535." in done.stderr
    assert "Traceback" not in done.stderr


def test_under_a_sub_path_everything_begins_with_it_and_the_host_is_promised_nothing(load) -> None:
    own = load(**SAFE)
    below = load(**SAFE | {"PUBLIC_URL": "https://example.com/status/"})
    named = (
        "FORCE_SCRIPT_NAME",
        "STATIC_URL",
        "LOGIN_URL",
        "SESSION_COOKIE_PATH",
        "CSRF_COOKIE_PATH",
        "SECURE_HSTS_SECONDS",
    )
    assert [own[name] for name in named] == [None, "/static/", "/admin/login/", "/", "/", 31_536_000]
    assert [below[name] for name in named] == [
        "/status",
        "/status/static/",
        "/status/admin/login/",
        "/status/",
        "/status/",
        0,
    ]
    for loaded, asked in ((own, "livez"), (below, "status/livez")):
        assert re.match(loaded["SECURE_REDIRECT_EXEMPT"][0], asked)
