"""Why a server was not set up."""


class BootstrapError(Exception):
    """The server does not answer, refuses us, or holds something that does not fit. The text says what to do."""


class PrefectFileError(Exception):
    """The file of the deployments cannot be used; nothing was begun. The text names the file and the entry."""
