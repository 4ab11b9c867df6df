"""`python -m catalogue update` and `python -m catalogue check`."""

import sys

from catalogue.files import find_mistakes, find_stale, update
from catalogue.unmarked import find_unmarked
from catalogue.unmarked_code import find_unmarked_code


def main(arguments: list[str]) -> int:
    if arguments == ["update"]:
        update()
    elif arguments != ["check"]:
        print(__doc__)
        return 2
    problems = [*find_unmarked(), *find_unmarked_code(), *find_stale(), *find_mistakes()]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
