"""`python -m tests.upgrades make FILE`: fills the empty database of DATABASE_URL and writes it down.
`python -m tests.upgrades load FILE`: brings such a file into an empty database, at the migrations of its time."""

import os
import sys
from pathlib import Path


def main(deed: str, path: Path) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")
    import django

    django.setup()
    from django.core.management import call_command

    from tests.upgrades import filling, records

    if deed == "load":
        records.load(path)
        return
    call_command("migrate", verbosity=0)
    filling.fill()
    records.dump(path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
