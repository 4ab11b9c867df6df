"""The ground every test stands on: a real database, a real Redis, and no way out to the network.

The database is made and the environment set before Django reads its settings; under pytest-xdist one
server serves all workers, and each worker has its own database in it.
"""

import contextlib
import ipaddress
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.test import SimpleTestCase, TransactionTestCase

from tests.canary.imap_server import ImapServer, imap_server
from tests.emptying import Emptying
from tests.processes import PostgresServer, RedisServer
from tests.render_cache import start_empty

READING = re.compile(r'\benv\.\w+\(\s*"([A-Z][A-Z0-9_]+)"')
# No example fails for being slow: that measures the machine.
hypothesis.settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-machine")
# For a night: --hypothesis-profile=long
hypothesis.settings.register_profile(
    "long", hypothesis.settings.get_profile("any-machine"), max_examples=2_000, stateful_step_count=80
)
LONG_FILES = ("test_ledger_machine.py", "test_up.py")
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup"}
_server: PostgresServer | None = None
_data: Path | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=("postgres", "sqlite"), default="postgres", help="what the tests run on")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and not config.option.help:
        _prepare_environment(config)
    os.environ["DJANGO_SETTINGS_MODULE"] = "statuspage.settings"
    from django.conf import settings

    # Hashing passwords slowly on purpose is what Django's own tests leave out too.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Else each test client reads every static file there is, at its first request.
    settings.WHITENOISE_AUTOREFRESH = True


def settings_from_outside() -> set[str]:
    """The name of every setting that the product reads from the environment, as its source says."""
    sources = (Path(__file__).parents[1] / "statuspage").rglob("*.py")
    return {name for source in sources for name in READING.findall(source.read_text())}


def _prepare_environment(config: pytest.Config) -> None:
    """Workers of pytest-xdist inherit it."""
    global _server, _data
    for name in settings_from_outside():
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    _data = Path(tempfile.mkdtemp(prefix="sp-data-"))
    os.environ |= {"DATA_DIR": str(_data), "SECRET_KEY": "tests " * 12, "LOG_LEVEL": "WARNING"}
    if config.option.database == "sqlite":
        os.environ["DATABASE_URL"] = f"sqlite:///{_data}/statuspage.sqlite3"
        return
    _server = PostgresServer()
    os.environ["DATABASE_URL"] = _server.url


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if _server:
        _server.close()
    if _data:
        shutil.rmtree(_data, ignore_errors=True)


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {config.option.database}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each worker of pytest-xdist takes a whole group at a time: a file, or a folder whose tests share what is slow to
    start. Those that take long come first, so that no worker is left alone with them at the end. A test that must not
    reach the database is for one run only."""
    for item in items:
        if not may_reach_the_database(item):
            item.add_marker(pytest.mark.once)
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(item.config.rootpath))))
    items.sort(key=lambda item: not is_long(item))


def may_reach_the_database(item: pytest.Item) -> bool:
    """pytest-django refuses every query of a test that has not asked for the database, by a mark or by a fixture.
    Processes that such a test starts have databases of their own, the same in both runs."""
    fixtures = set(getattr(item, "fixturenames", ()))
    is_test_case = issubclass(getattr(item, "cls", None) or object, SimpleTestCase)
    return is_test_case or bool(item.get_closest_marker("django_db") or fixtures & DATABASE_FIXTURES)


def is_long(item: pytest.Item) -> bool:
    marks = ("faults", "browser", "clients")
    return any(map(item.get_closest_marker, marks)) or item.path.name in LONG_FILES


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """SQLite on disk, one file per xdist worker: other processes and threads open it too."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    if "sqlite" in database["ENGINE"]:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        database["TEST"]["NAME"] = f"{database['NAME']}.{worker}"
    else:
        from pytest_django.fixtures import _set_suffix_to_test_databases

        if worker := os.environ.get("PYTEST_XDIST_WORKER"):
            _set_suffix_to_test_databases(suffix=worker)


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    """PostgreSQL is thrown away with all that is in it: nothing has to be dropped first, which would ask that the
    sessions of every killed process have ended. SQLite's file is deleted."""
    return bool(request.config.option.database == "postgres")


@pytest.fixture(autouse=True, scope="session")
def _only_filled_tables_are_emptied() -> Iterator[None]:
    """After a test that has committed."""
    emptying = Emptying(TransactionTestCase._fixture_teardown)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: emptying.after(case))
        yield


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A real Redis for the session. Who breaks it repairs it: see the `redis` fixture."""
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[RedisServer]:
    """The session's Redis, running and empty at the start of each test, whatever the last one did to it."""
    redis_server.thaw()
    redis_server.start()
    redis_server.flush()
    yield redis_server
    redis_server.thaw()
    redis_server.start()


@pytest.fixture(scope="session")
def imap() -> Iterator[ImapServer]:
    """A real IMAP server for the session."""
    with imap_server() as server:
        yield server


@pytest.fixture
def mailbox(imap: ImapServer) -> ImapServer:
    """The session's IMAP server, empty at the start of each test."""
    imap.empty()
    return imap


class NetworkRefusedError(RuntimeError):
    """A test tried to leave this machine."""


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Only this machine's loopback may be connected to, and names are not looked up outside."""
    real_connect, real_connect_ex, real_lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        refuse_outside(self, address)
        real_connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        refuse_outside(self, address)
        return real_connect_ex(self, address)

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host and not is_local(host.decode() if isinstance(host, bytes) else host) and not is_numeric(host):
            raise socket.gaierror(socket.EAI_NONAME, f"the tests look up no names: {host}")
        return real_lookup(host, *args, **kwargs)

    def is_numeric(host: Any) -> bool:
        try:
            return bool(real_lookup(host, None, flags=socket.AI_NUMERICHOST))
        except socket.gaierror:
            return False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(socket.socket, "connect_ex", connect_ex)
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


def refuse_outside(connection: socket.socket, address: Any) -> None:
    if connection.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
        raise NetworkRefusedError(f"refused to connect to {address}")


def is_local(host: str) -> bool:
    """Loopback addresses, unspecified ones (to listen on), and names that mean this machine."""
    if host in ("localhost", "", "0.0.0.0", "::", socket.gethostname()) or host.endswith(".localhost"):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.split("%", maxsplit=1)[0]).is_loopback
    return False


@pytest.fixture(autouse=True)
def _fresh_editions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public documents start empty in each test, and see a commit at the next request instead of within 250 ms."""
    from public.serving import host_index, refresher

    monkeypatch.setattr(host_index, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(refresher, "READ_EVERY_SECONDS", 0.02)
    start_empty()
