"""`rever-returns sandbox`: a local REVER until it is stopped."""

from deployments.console.errors import UsageError


def serve_sandbox(*, port: int, seed: int, returns: int, faults: str, shops: str, webhook_url: str = "") -> None:
    """Serve until Ctrl-C or SIGTERM. Raises UsageError where the shops or the faults are not known."""
    from deployments.receiver.example import signing_secret
    from rever_api.sandbox import Webhook, serve

    names = tuple(name for part in shops.split(",") if (name := part.strip()))
    webhook = None
    if webhook_url:
        if (secret := signing_secret()) is None:
            raise UsageError("--webhook-url needs the secret to sign with: set REVER_WEBHOOK_SECRETS")
        webhook = Webhook(webhook_url, secret)
    try:
        serve(port=port, seed=seed, returns=returns, faults=faults, shops=names, webhook=webhook)
    except ValueError as problem:
        raise UsageError(str(problem)) from None
