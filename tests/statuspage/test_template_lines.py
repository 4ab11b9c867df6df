"""Lines of templates stay short enough to read; djade, which formats them, wraps none."""

import re
from pathlib import Path

TEMPLATES = Path(__file__).parents[2] / "templates"
WIDTH = 120
ONE_TAG = re.compile(r"\s*(\{%((?!%\}).)*%\}|\{#.*#\})")  # Django reads no tag over two lines


def test_no_line_is_longer_than_a_screen_is_wide() -> None:
    long = [
        f"{path.relative_to(TEMPLATES)}:{number}"
        for path in sorted(TEMPLATES.rglob("*.html"))
        for number, line in enumerate(path.read_text().split("\n"), start=1)
        if len(line) > WIDTH and not ONE_TAG.fullmatch(line)
    ]
    assert not long, f"break these lines at {WIDTH} characters, where whitespace changes nothing"
