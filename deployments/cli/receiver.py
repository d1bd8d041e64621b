"""`rever-returns receiver`, `webhook send` and `inbox`."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from deployments.console.errors import UsageError
from deployments.console.logs import log_to_stderr
from tasks.database import DatabaseError
from tasks.desk import utc_now
from tasks.policy.facts import counted
from tasks.reporting.printable import json_text, printable
from tasks.settings import load_settings

if TYPE_CHECKING:
    from deployments.receiver.inbox import Inbox
    from deployments.receiver.inbox_care import Listed


def run_receiver(port: int, *, debug: bool) -> None:
    """Accept webhooks until SIGINT or SIGTERM."""
    log_to_stderr(debug=debug)
    from deployments.receiver.app import serve_receiver

    serve_receiver(port)


def send_example(event: str, process_id: str, url: str, secret_from: str) -> tuple[str, bool]:
    """Send an example; return the text to print, and whether it was accepted. Raises `UsageError`."""
    from deployments.receiver.delivery import Kind
    from deployments.receiver.example import example_body, send, signing_secret

    if event not in set(Kind):
        raise UsageError(f"--event is one of {', '.join(Kind)}, not {event!r}")
    secret = signing_secret(secret_from)
    if secret is None:
        raise UsageError(f"there is no secret in {secret_from}: set it, or name another variable with --secret-from")
    result = send(url.replace("{event}", event), example_body(Kind(event), process_id), secret)
    taken = result.status in {200, 202}
    meaning = INVENTED if taken and not process_id else result.meaning
    return f"{result.status}: {meaning}", taken


INVENTED = "it is stored; it is about an invented return, and is closed once REVER says so: rever-returns inbox"


def listed_inbox(*, as_json: bool) -> str:
    """What waits in the inbox, and what was closed without a run, as a table or JSON. Writes nothing."""
    from deployments.receiver.inbox_care import listed

    with _opened() as inbox:
        found = inbox.read(partial(listed, now=utc_now())) if inbox else []
    if as_json:
        return json_text([each.as_json() for each in found])
    return (
        "\n".join(map(printable, _lines(found)))
        or "No event waits, and none was closed without a run in the last 30 days."
    )


def dropped(process_id: str, *, by: str, why: str) -> str:
    """Drop the events of a return by a person's say. Raises `UsageError`, `DatabaseError`."""
    from deployments.receiver.inbox_care import drop

    if not by.strip() or not why.strip():
        raise UsageError("say who you are (--by) and why (--why): the list of the inbox keeps both.")
    with _opened() as inbox:
        if inbox is None:
            raise DatabaseError("there is no inbox yet: `rever-returns receiver` makes it")
        many = inbox.write(drop, process_id, by=by.strip(), why=why.strip(), now=utc_now())
    about = f"Dropped: {counted(many, 'event')} about {process_id}"
    return f"{about}. No run is offered for it any more; schedules still look at it."


@contextmanager
def _opened() -> "Iterator[Inbox | None]":
    """The inbox of the settings in force; None where there is none yet."""
    from deployments.receiver.inbox import Inbox

    url = load_settings().inbox_url.get_secret_value()
    if not Inbox.exists(url):
        yield None
        return
    with closing(Inbox.open(url)) as inbox:
        yield inbox


def _lines(found: "Sequence[Listed]") -> "Iterator[str]":
    for each in found:
        state = each.state.replace("_", " ")
        times = (
            f"since {each.first:%Y-%m-%d %H:%MZ}" if each.closed_at is None else f"closed {each.closed_at:%F %H:%MZ}"
        )
        yield f"{each.process_id}  {state}, {counted(each.events, 'event')} ({', '.join(each.kinds)}), {times}"
        if each.tries:
            yield f"    {each.tries} run{'s' if each.tries > 1 else ''} for it came to nothing"
        if each.why:
            yield f"    {each.why}" + (f" (by {each.by})" if each.by else "")
