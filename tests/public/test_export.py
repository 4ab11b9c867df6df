"""The static export: complete, in an order that never breaks a link, and safe to interrupt."""

import http.client
import io
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from bs4 import BeautifulSoup
from django.core.management import CommandError, call_command
from django.urls import get_resolver, resolve
from PIL import Image

from components.models import Component, Group
from components.status import Status
from core.pictures import write_png
from incidents.models import Incident, Post
from pages.models import Page
from public.serving import export
from public.serving.document_list import list_all
from public.serving.export import export_page
from public.serving.export_targets import MANIFEST, ExportError, Folder, open_target
from tests.processes import ROOT, Process, free_port, wait_until
from tests.public.conftest import ACME


def run(*args: str) -> str:
    output = io.StringIO()
    call_command("export", *args, stdout=output)
    return output.getvalue()


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def hidden(acme: Page, chat: Component) -> Component:
    return Component.objects.create(page=acme, name="Unannounced product", hidden=True)


def test_an_export_holds_every_address_and_nothing_hidden(outage: Incident, hidden: Component, tmp_path: Path) -> None:
    assert f"{ACME}: " in run(str(tmp_path))
    found = files(tmp_path)
    assert {
        "index.html",
        "history.html",
        "404.html",
        f"incidents/{outage.code}.html",
        f"incidents/{outage.code}.json",
        "api/v2/summary.json",
        "history.rss",
        "history.atom",
        "maintenance.ics",
        "badge.svg",
        "api/banner.json",
        "embed/frame.html",
        "fragments/summary.html",
        MANIFEST,
    } <= found
    for name in found:
        assert b"Unannounced" not in (tmp_path / name).read_bytes(), name
    assert json.loads((tmp_path / "api/v2/summary.json").read_text())["incidents"][0]["id"] == outage.code


def test_documents_that_pack_lie_packed_beside(outage: Incident, tmp_path: Path) -> None:
    import gzip

    import brotli

    run(str(tmp_path))
    whole = (tmp_path / "index.html").read_bytes()
    assert gzip.decompress((tmp_path / "index.html.gz").read_bytes()) == whole
    assert brotli.decompress((tmp_path / "index.html.br").read_bytes()) == whole


def test_a_second_export_writes_only_what_changed_and_removes_what_is_gone(
    outage: Incident, acme: Page, tmp_path: Path
) -> None:
    foreign = tmp_path / "robots-of-another.txt"
    foreign.write_text("not ours")
    first = export_page(acme, Folder(tmp_path))
    again = export_page(acme, Folder(tmp_path))
    assert again.written < first.written / 2  # feeds and the like say when they were made
    code = outage.code
    outage.delete()
    acme.raise_generation()
    report = export_page(acme, Folder(tmp_path))
    assert report.removed >= 3
    assert not [name for name in files(tmp_path) if code in name]
    assert foreign.read_text() == "not ours"


class Recording(Folder):
    """Notes what is done, fails at a given step, and calls `before_step` with the site as it is then."""

    def __init__(
        self, root: Path, fail_at: int = -1, before_step: Callable[[Path], object] = lambda root: None
    ) -> None:
        super().__init__(root)
        self.steps: list[str] = []
        self.tried = 0
        self.fail_at = fail_at
        self.before_step = before_step

    def write(self, name: str, bodies: dict[str, bytes], headers: dict[str, str]) -> None:
        self._step(f"write {name}")
        super().write(name, bodies, headers)

    def write_manifest(self, manifest: dict[str, str]) -> None:
        self._step("manifest")
        super().write_manifest(manifest)

    def remove(self, name: str) -> None:
        self._step(f"remove {name}")
        super().remove(name)

    def _step(self, what: str) -> None:
        self.before_step(self.root)
        self.tried += 1
        if len(self.steps) == self.fail_at:
            raise ExportError("the disk is full")
        self.steps.append(what)


def test_the_front_page_is_written_last_and_old_files_go_after_it(outage: Incident, acme: Page, tmp_path: Path) -> None:
    export_page(acme, Folder(tmp_path))
    (tmp_path / MANIFEST).write_text(json.dumps({"old.html": "x"}))
    (tmp_path / "old.html").write_text("x")
    site = Recording(tmp_path)
    export_page(acme, site)
    assert site.steps[-3:] == ["write index.html", "manifest", "remove old.html"]
    first_document = next(index for index, step in enumerate(site.steps) if step == "write history.html")
    assert any(step.startswith("write static/") for step in site.steps[:first_document])


def broken_links(root: Path) -> list[str]:
    """Links of the front page, and of what it links to, that lead to no file."""
    site, broken = Folder(root), []
    for name in ("index.html", "history.html"):
        soup = BeautifulSoup((root / name).read_text(), "html.parser")
        for tag, attribute in (("a", "href"), ("link", "href"), ("script", "src"), ("img", "src")):
            for found in soup.find_all(tag, {attribute: re.compile(r"^/(?!subscribe)")}):
                path = str(found[attribute]).partition("#")[0].partition("?")[0]
                if not (root / (path.lstrip("/") if path.startswith("/static/") else site.name_for(path))).exists():
                    broken.append(path)
    return broken


@pytest.mark.once
def test_interrupted_anywhere_it_leaves_a_complete_site(outage: Incident, acme: Page, tmp_path: Path) -> None:
    complete = tmp_path / "complete"
    export_page(acme, Folder(complete))
    assert broken_links(complete) == []
    Incident.open(
        acme, "Another one", Post("Body", components={acme.components.get(): Status.MAJOR_OUTAGE}, notify=False)
    )

    def check(root: Path) -> None:
        assert broken_links(root) == []
        assert not [name for name in files(root) if Path(name).name.startswith(".") and Path(name).name != MANIFEST]

    whole = Recording(shutil.copytree(complete, tmp_path / "whole"), before_step=check)
    export_page(acme, whole)
    count = len(whole.steps)
    assert count > 20
    for step in (0, count // 2, count - 1):  # a step that fails is the last one that is tried
        site = Recording(shutil.copytree(complete, tmp_path / f"broken{step}"), fail_at=step)
        with pytest.raises(ExportError):
            export_page(acme, site)
        assert site.tried == step + 1
        check(site.root)


def test_every_published_address_is_in_the_list(outage: Incident, acme: Page, chat: Component) -> None:
    Component.objects.create(page=acme, name="Website", group=Group.objects.create(page=acme, name="Web"))
    acme.show_picture("logo", write_png(Image.new("RGB", (40, 20))))
    acme.show_picture("icon", write_png(Image.new("RGB", (8, 8))))
    acme.save()
    found = list(list_all(acme, outage.started_at.date()))
    assert found[-1] == "/"
    assert len(found) == len(set(found))
    snapshot = export.build(acme)
    assert all(export._render(path, snapshot, Folder(Path("/"))) is not None for path in found)
    named = {key for key, view in _named_views(get_resolver().url_patterns) if hasattr(view, "document")}
    assert {resolve(path).url_name for path in found} == named


def _named_views(patterns: list[Any]) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _named_views(pattern.url_patterns)
        else:
            yield pattern.name, pattern.callback


def test_several_pages_are_exported_one_by_one(acme: Page, globex: Page, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--page"):
        run(str(tmp_path))
    run(str(tmp_path), "--page", ACME)
    assert "Acme Status" in (tmp_path / "index.html").read_text()


def test_a_place_that_cannot_be_written_is_said_without_a_traceback(acme: Page, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be written"):
        run(str(tmp_path / "file"))


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="outside"):
        Folder(tmp_path / "site").write("../stolen", {"identity": b""}, {})


def test_watching_exports_again_after_a_change(acme: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from public.management.commands import export as command

    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            Page.objects.update(name="Renamed Status")
            acme.raise_generation()
        if len(pauses) == 3:
            assert "Renamed Status" in (tmp_path / "index.html").read_text()
            monkeypatch.setattr(command, "open_target", lambda target: (_ for _ in ()).throw(ExportError("slow down")))
            acme.raise_generation()
        if len(pauses) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", pause)
    output = io.StringIO()
    call_command("export", str(tmp_path), "--watch", stdout=output, stderr=io.StringIO())
    assert output.getvalue().count("files written") == 2
    assert pauses[-1] == command.RETRY_SECONDS


# Served by real web servers, with the examples that we give


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": ACME} | {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.mark.once
@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_nginx_serves_the_exported_folder(outage: Incident, tmp_path: Path) -> None:
    root = tmp_path / "site"
    run(str(root))
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(0o755)
    port = free_port()
    config = (ROOT / "deploy/nginx-export.conf").read_text()
    config = config.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("/srv/status", str(root))
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
        f"events {{}}\nhttp {{ include /etc/nginx/mime.types; access_log off;\n{config}\n}}\n"
    )
    server = Process(["nginx", "-c", tmp_path / "nginx.conf", "-p", tmp_path])
    try:
        wait_until(lambda: get(port, "/")[0] == 200, what="nginx")
        visited, waiting = (
            set(),
            ["/", "/history.rss", "/api/v2/summary.json", "/api/banner.json", "/embed/frame", "/badge.svg"],
        )
        while waiting:
            path = waiting.pop()
            status, headers, body = get(port, path)
            assert status == 200, path
            visited.add(path)
            if headers["content-type"].startswith("text/html"):
                for link in BeautifulSoup(body, "html.parser").find_all(["a", "link", "script"]):
                    target = urljoin(path, str(link.get("href") or link.get("src") or path)).partition("#")[0]
                    if target.startswith("/") and target not in visited and not target.startswith("/subscribe"):
                        waiting.append(target)
        assert f"/incidents/{outage.code}" in visited
        kinds = {
            "/history.rss": "application/rss+xml",
            "/history.atom": "application/atom+xml",
            "/feed.json": "application/",
            "/maintenance.ics": "text/calendar",
            "/api/v2/summary.json": "application/json",
            "/embed.js": "text/javascript",
            "/favicon.ico": "image/svg+xml",
        }
        for path, kind in kinds.items():
            status, headers, _ = get(port, path)
            assert (path, status, headers["content-type"].startswith(kind)) == (path, 200, True)
        assert get(port, "/api/banner.json")[1]["access-control-allow-origin"] == "*"
        assert get(port, "/embed/frame")[1].get("x-frame-options") is None
        assert get(port, "/")[1]["x-frame-options"] == "DENY"
        assert get(port, "/", Accept_Encoding="gzip")[1]["content-encoding"] == "gzip"
        status, headers, body = get(port, "/nothing-here")
        assert (status, b"<html" in body) == (404, True)
        assert get(port, "/.export.json")[0] == 404
    finally:
        server.stop()
    assert threading.active_count() < 50


def test_a_target_is_a_folder_or_a_bucket(tmp_path: Path) -> None:
    site = open_target(str(tmp_path), "one.example")
    assert isinstance(site, Folder)
    assert site.root == tmp_path / "one.example"
