"""Rate and in-flight limits per API key, shared by all calls of a process."""


class Limits:
    """The in-flight places and rate tokens of one API key."""


class AsyncSlot:
    """A place in flight, and the tokens paid for."""
