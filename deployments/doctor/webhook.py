"""Webhooks: the secret, the receiver, and events that wait in the inbox. The inbox is only looked at."""

from datetime import datetime, timedelta

import httpx

from deployments.doctor.examination import (
    Examination,
    Line,
    NotChecked,
    NotUsed,
    attention,
    broken,
    in_thread,
    not_used,
    ok,
)
from deployments.receiver.inbox import InboxState, inbox_state
from tasks.policy.clocks import clock_time

SHORTEST = 16
"""The least length of a secret: a shorter one can be found by trying, from one delivery."""

PATIENCE_S = 5.0
WAITS_TOO_LONG_S = 600
REMEMBERED = timedelta(days=7)
"""How long events that were closed without a run are reported, unless a person drops them."""

_LIST = (
    "rever-returns inbox lists them with the reason, and `inbox drop ID` closes those of a return for good;"
    " rever-returns run reconcile mode=act looks at returns that REVER knows"
)

_START = "rever-returns receiver, or rever-returns up; say where it is with --receiver URL if it is elsewhere"


async def secret(examination: Examination) -> Line:
    """The secret is set, and long enough."""
    secrets = [each.get_secret_value() for each in examination.settings.webhook_secrets]
    if not secrets:
        return not_used("webhook secret", "no REVER_WEBHOOK_SECRETS: returns are found by schedules alone")
    if short := [each for each in secrets if len(each) < SHORTEST]:
        words = f"{len(short)} of {len(secrets)} shorter than {SHORTEST} signs"
        return attention("webhook secret", words, "agree on a long random one with REVER: openssl rand -hex 32")
    rotating = "; two, while the old one is being replaced" if len(secrets) > 1 else ""
    return ok("webhook secret", f"set, {min(map(len, secrets))} signs or more{rotating}")


async def receiver(examination: Examination) -> Line:
    """The receiver responds, stores, and dispatches."""
    _used(examination)
    from deployments.receiver.app import HOST, PORT

    return await receiver_line(f"{examination.receiver_url.rstrip('/') or f'http://{HOST}:{PORT}'}/health")


async def receiver_line(url: str) -> Line:
    """What a receiver says of itself at this address."""
    try:
        async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as http:
            response = await http.get(url)
            found = response.json()
    except (httpx.HTTPError, httpx.InvalidURL) as failed:
        return attention("receiver", f"nothing responds at {url} ({type(failed).__name__})", _START)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "inbox" not in found:
        return broken("receiver", f"what responds at {url} is no receiver", _START)
    words = f"{url}: " + ", ".join(f"{name} {state}" for name, state in found.items())
    if not response.is_success:
        return broken("receiver", words, "see the receiver's log")
    if "hosts" in found:
        return attention("receiver", words, "if webhooks are sent to one of them, name it in REVER_WEBHOOK_HOSTS")
    return ok("receiver", words)


async def inbox(examination: Examination) -> Line:
    """How many events no run has acted on yet."""
    _used(examination)
    url = examination.settings.inbox_url.get_secret_value()
    since = examination.clock() - REMEMBERED
    found = await in_thread(lambda: inbox_state(url, closed_since=since))
    return (
        ok("inbox", "not made yet: the receiver makes it") if found is None else inbox_line(found, examination.clock())
    )


def inbox_line(found: InboxState, now: datetime) -> Line:
    """One line from what the inbox holds. Pure."""
    words = {0: "no event waits", 1: "1 event waits"}.get(found.waiting, f"{found.waiting} events wait")
    words += f", the oldest since {clock_time(found.oldest)}" if found.oldest else ""
    if found.stuck:
        many = "1 return" if found.stuck == 1 else f"{found.stuck} returns"
        words += f"; {many} had {found.tries} or more runs that came to nothing"
    if found.strange:
        words += f"; {found.strange} closed lately: REVER does not know their return, or shows it at another store"
    if found.given_up:
        words += f"; {found.given_up} given up: no run acted on them"
    if found.given_up or found.stuck or found.strange:
        return attention("inbox", words, _LIST)
    if found.oldest and (now - found.oldest).total_seconds() > WAITS_TOO_LONG_S:
        return attention("inbox", words, "see the lines of the receiver, of Prefect and of its workers")
    return ok("inbox", words)


def _used(examination: Examination) -> None:
    if examination.found_settings is None:
        raise NotChecked("the settings are wrong")
    if not examination.settings.webhook_secrets:
        raise NotUsed
