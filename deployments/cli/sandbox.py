"""`rever-returns sandbox`: a local REVER until it is stopped."""

from deployments.cli.errors import UsageError


def serve_sandbox(*, port: int, seed: int, returns: int, faults: str, shops: str) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises UsageError where the shops or the faults are not known."""
    from rever_api.sandbox import serve

    names = tuple(name for part in shops.split(",") if (name := part.strip()))
    try:
        serve(port=port, seed=seed, returns=returns, faults=faults, shops=names)
    except ValueError as problem:
        raise UsageError(str(problem)) from None
