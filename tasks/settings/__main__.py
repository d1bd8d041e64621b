"""`python -m tasks.settings`: the page `docs/settings.md`, on stdout."""

import sys

from tasks.settings.load import settings_table

if __name__ == "__main__":
    sys.stdout.write(settings_table())
