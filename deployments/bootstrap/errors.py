"""Why a server was not set up."""

from deployments.console.errors import CommandError, UsageError


class BootstrapError(CommandError):
    """The server does not answer, refuses us, or holds something that does not fit. The text says what to do."""


class PrefectFileError(UsageError):
    """The file of the deployments cannot be used; nothing was begun. The text names the file and the entry."""
