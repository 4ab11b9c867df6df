"""The copy of the edition on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from public.serving.disk import DiskCopy, pack, unpack
from public.serving.document_bytes import Edition, Key, Rendered, finish
from public.serving.host_index import Listing
from public.serving.render_cache import Editions

KEY: Key = (1, "/history.json", ("page", None))
LISTING = Listing({"status.localhost": 1}, {1: 7})


def make(generation: int = 7, body: str = "<p>words</p>" * 50) -> Edition:
    return finish(Rendered(body, headers={"X-Own": "ü"}), (generation, "2026-01-01"))


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[DiskCopy]:
    copy = DiskCopy(tmp_path / "edition")
    assert copy.claim()
    yield copy
    copy.release()


def load(copy: DiskCopy) -> Editions:
    editions = Editions()
    copy.load_into(editions)
    return editions


def test_what_is_stored_comes_back_whole(copy: DiskCopy) -> None:
    edition = make()
    copy.store(KEY, edition)
    copy.store_listing(LISTING)
    editions = load(copy)
    found = editions.cache.get(KEY)
    assert found is not None
    for name in ("version", "status", "headers", "bodies", "tag"):
        assert getattr(found, name) == getattr(edition, name)
    assert (editions.host_index.known(), editions.host_index.age()) == (LISTING, 0)


def test_a_damaged_file_is_as_good_as_absent(copy: DiskCopy) -> None:
    whole = pack(KEY, make())
    for damaged in (
        b"",
        b"\n",
        whole[:-1],
        whole[: len(whole) // 2],
        whole + b"x",
        whole.replace(b"words", b"sword", 1),
    ):
        assert unpack(damaged) is None
    copy.store(KEY, make())
    copy.store((1, "/"), make())
    copy.store_listing(LISTING)
    victim = next(copy.directory.glob("*.document"))
    victim.write_bytes(victim.read_bytes()[:-10])
    assert len(load(copy).cache) == 1
    (copy.directory / "listing.json").write_text('{"hosts": 3}')
    assert copy.load_into(Editions()) == 0


def test_documents_of_an_older_generation_are_neither_kept_nor_read(copy: DiskCopy) -> None:
    copy.store((1, "/gone"), make(generation=6))
    copy.store((2, "/of-a-removed-page"), make())
    copy.store((1, "/"), make())
    copy.store_listing(LISTING)
    assert len(list(copy.directory.glob("*.document"))) == 1
    copy.store((1, "/late"), make(generation=5))
    assert load(copy).cache.names() == [(1, "/")]


def test_newer_documents_count_while_the_listing_is_still_the_old_one(copy: DiskCopy) -> None:
    copy.store_listing(LISTING)
    copy.store((1, "/"), make(generation=8))
    assert load(copy).cache.names() == [(1, "/")]


def test_a_full_disk_leaves_what_was_there(copy: DiskCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    copy.store(KEY, make())
    copy.store_listing(LISTING)

    def refuse(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        copy.store(KEY, make(generation=8, body="new"))
    assert sorted(path.name[0] for path in copy.directory.iterdir() if path.name.startswith(".")) == []
    assert load(copy).cache.get(KEY) is not None


def test_one_process_writes_and_another_takes_over(copy: DiskCopy) -> None:
    other = DiskCopy(copy.directory)
    assert not other.claim()
    copy.release()
    assert other.claim()
    other.release()


def test_what_a_process_has_read_itself_is_not_overwritten(copy: DiskCopy, acme: object) -> None:
    copy.store(KEY, make())
    copy.store_listing(LISTING)
    editions = Editions()
    editions.host_index.read()
    assert copy.load_into(editions) == 0
    assert len(editions.cache) == 0
