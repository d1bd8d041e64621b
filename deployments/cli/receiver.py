"""`rever-returns receiver` and `webhook send`."""

from deployments.cli.errors import UsageError
from deployments.cli.logs import log_to_stderr


def run_receiver(port: int, *, debug: bool) -> None:
    """Take webhooks in until it is told to end."""
    log_to_stderr(debug=debug)
    from deployments.receiver.running import serve_receiver

    serve_receiver(port)


def send_example(event: str, process_id: str, url: str, secret_from: str) -> tuple[str, bool]:
    """Send an example; answers what to print, and whether it was taken. Raises `UsageError`."""
    from deployments.receiver.example import example_body, send
    from deployments.receiver.kinds import Kind
    from deployments.receiver.secret import signing_secret

    if event not in set(Kind):
        raise UsageError(f"--event is one of {', '.join(Kind)}, not {event!r}")
    secret = signing_secret(secret_from)
    if secret is None:
        raise UsageError(f"there is no secret in {secret_from}: set it, or name another variable with --secret-from")
    answer = send(url.replace("{event}", event), example_body(Kind(event), process_id), secret)
    return f"{answer.status}: {answer.meaning}", answer.status in {200, 202}
