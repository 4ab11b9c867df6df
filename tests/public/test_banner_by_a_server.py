"""The example of docs/banner.md for an app's own server, as it stands there."""

import json
import re
from typing import Any

from django.conf import settings

from tests.http_servers import Reply, Sent, listening

DOCS = (settings.BASE_DIR / "docs" / "banner.md").read_text()
NEWS = {"banner": {"title": "A <b> & C", "link": "https://status.example.com/incidents/a"}}


def read_example() -> dict[str, Any]:
    found = re.search(r"```python\n(.*?)```", DOCS, re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)  # our own example
    return names


def test_it_asks_once_escapes_and_keeps_what_was_known_while_nothing_answers() -> None:
    example = read_example()
    bodies = [json.dumps(NEWS).encode(), b"<html>", b'{"banner": null}']

    def answer(sent: Sent) -> Reply:
        return Reply(body=bodies.pop(0))

    with listening(answer) as listener:
        example["STATUS"] = listener.url
        told = '<p class="status"><a href="https://status.example.com/incidents/a">A &lt;b&gt; &amp; C</a></p>'
        assert [example["status_banner"]() for _ in range(3)] == [told] * 3
        assert len(bodies) == 2
        example["kept"]["until"] = 0
        assert example["status_banner"]() == told  # nonsense: what was known
        example["kept"]["until"] = 0
        assert example["status_banner"]() == ""
    example["kept"]["until"] = 0
    assert example["status_banner"]() == ""  # nobody answers
