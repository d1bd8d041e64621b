"""The command line `rever-returns`."""

from deployments.cli.app import main

__all__ = ["main"]
