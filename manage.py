#!/usr/bin/env python
import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")
    from django.core.exceptions import ImproperlyConfigured

    try:
        from statuspage.help import Commands

        Commands(sys.argv).execute()
    except ImproperlyConfigured as error:
        sys.exit(f"A setting is wrong (docs/settings.md)\n{error}")
    except Exception as error:
        from statuspage.failures import explain

        if words := explain(error, sys.argv):
            sys.exit(words)
        raise


if __name__ == "__main__":
    main()
