"""Webhooks: the secret, the receiver, and events that wait in the inbox. The inbox is only looked at."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import exists, func, inspect, or_, select, true

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

SHORTEST = 16
"""The least length of a secret: a shorter one can be found by trying, from one delivery."""

PATIENCE_S = 5.0
WAITS_TOO_LONG_S = 600
TRIES = 3
"""Runs that come to nothing before it is worth a word."""

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
    found = await in_thread(lambda: look(url, since))
    return (
        ok("inbox", "not made yet: the receiver makes it") if found is None else inbox_line(found, examination.clock())
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """How many events wait, since when the oldest, and how many were given up.

    `stuck` returns had several runs that came to nothing; `strange` events were closed because REVER does not know
    their return, or shows it elsewhere.
    """

    waiting: int
    oldest: datetime | None
    given_up: int
    stuck: int = 0
    strange: int = 0


def inbox_line(found: Seen, now: datetime) -> Line:
    """One line from what the inbox holds. Pure."""
    words = {0: "no event waits", 1: "1 event waits"}.get(found.waiting, f"{found.waiting} events wait")
    words += f", the oldest since {found.oldest.astimezone(UTC):%Y-%m-%d %H:%MZ}" if found.oldest else ""
    if found.stuck:
        many = "1 return" if found.stuck == 1 else f"{found.stuck} returns"
        words += f"; {many} had {TRIES} or more runs that came to nothing"
    if found.strange:
        words += f"; {found.strange} closed lately: REVER does not know their return, or shows it at another store"
    if found.given_up:
        words += f"; {found.given_up} given up: no run acted on them"
    if found.given_up or found.stuck or found.strange:
        return attention("inbox", words, _LIST)
    if found.oldest and (now - found.oldest).total_seconds() > WAITS_TOO_LONG_S:
        return attention("inbox", words, "see the lines of the receiver, of Prefect and of its workers")
    return ok("inbox", words)


def look(url: str, since: datetime | None = None) -> Seen | None:
    """Look into an inbox without leaving a trace; None where there is none yet. Raises `LedgerError`.

    What was closed before `since` is left out.
    """
    from deployments.receiver.inbox import ELSEWHERE, GIVEN_UP, UNKNOWN, VARIABLE, WAITING, events, returns
    from tasks.database.address import Where
    from tasks.database.engines import looking_engine
    from tasks.database.failures import told

    where = Where.of(url, what="inbox", variable=VARIABLE)
    if where.path is not None and not where.path.exists():
        return None
    engine = looking_engine(where)
    oldest = func.min(events.c.stored_at, type_=events.c.stored_at.type)
    lately = true() if since is None else or_(events.c.closed_at.is_(None), events.c.closed_at >= since)
    by_state = select(events.c.state, func.count(), oldest).where(lately).group_by(events.c.state)
    waits = exists().where(events.c.process_id == returns.c.process_id, events.c.state == WAITING)
    tried = select(func.count()).select_from(returns).where(returns.c.attempt >= TRIES, waits)
    try:
        with told(where), engine.connect() as conn:
            if not inspect(conn).has_table(events.name):
                return None
            found = {state: (many, first) for state, many, first in conn.execute(by_state)}
            stuck = conn.execute(tried).scalar_one()
    finally:
        engine.dispose()
    many, first = found.get(WAITING, (0, None))
    given_up, *strange = (found.get(state, (0, None))[0] for state in (GIVEN_UP, UNKNOWN, ELSEWHERE))
    return Seen(many, first, given_up, stuck, sum(strange))


def _used(examination: Examination) -> None:
    if examination.found_settings is None:
        raise NotChecked("the settings are wrong")
    if not examination.settings.webhook_secrets:
        raise NotUsed
