"""The text of `manage.py help`: our own commands first, with a line about each, then those of Django."""

import textwrap

from django.conf import settings
from django.core.management import ManagementUtility, get_commands, load_command_class


class Commands(ManagementUtility):
    def main_help_text(self, commands_only: bool = False) -> str:  # noqa: FBT001, FBT002  # Django's
        if commands_only or self.settings_exception is not None:
            return super().main_help_text(commands_only)
        known = get_commands()
        ours = {name: load_command_class(app, name).help for name, app in known.items() if is_ours(app)}
        width = max(map(len, ours)) + 2
        lines = [f"Type “{self.prog_name} help COMMAND” for one of them.", ""]
        for name in sorted(ours):
            lines += textwrap.wrap(
                " ".join(ours[name].split()),
                110,
                initial_indent=f"  {name:<{width}}",
                subsequent_indent=" " * (width + 2),
            )
        others = ", ".join(sorted(known.keys() - ours.keys()))
        return "\n".join(
            [*lines, "", "Django's:", *textwrap.wrap(others, 110, initial_indent="  ", subsequent_indent="  ")]
        )


def is_ours(app: str) -> bool:
    """Apps of this project stand at its top."""
    return (settings.BASE_DIR / app).is_dir()
