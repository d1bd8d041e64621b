"""Set a Prefect server up for the desk, again and again: what is there already is left, what differs is put right.

What is made, and what of it a person may change in the UI: docs/deployments.md.
"""

from deployments.bootstrap.command import bootstrap
from deployments.bootstrap.objects import BootstrapError, Change, Outcome, PrefectFileError

__all__ = ["BootstrapError", "Change", "Outcome", "PrefectFileError", "bootstrap"]
