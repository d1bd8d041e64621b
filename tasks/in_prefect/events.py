"""What happened, as Prefect events that people can hang automations on: holds, tripped guards, the stop switch.

An event is for people to be told; what counts is the ledger. So nothing fails where an event cannot be sent: it is
said in the log, and the hold stays in the list all the same. Each payload has a `sentence` of one line, without
personal data. Events go by the API, which acknowledges them, so none is lost in the queue of a process that ends.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import httpx
from prefect import get_client
from prefect.events import Event, RelatedResource, Resource
from prefect.exceptions import PrefectException

from tasks.in_prefect.ui_links import NO_LINKS, UiLinks
from tasks.ledger import HoldRow, Pause, Switch
from tasks.policy.record import HoldKind
from tasks.reporting.printable import message

HOLD_OPENED = "rever.hold.opened"
GUARD_TRIPPED = "rever.guard.tripped"
EFFECTS_STOPPED = "rever.effects.stopped"
EFFECTS_STARTED = "rever.effects.started"
STORE_PAUSED = "rever.store.paused"

TIMEOUT_S = 5.0
"""Seconds in which the events of one run must be gone; the run's end waits no longer for them."""

AT_ONCE = 100
"""Events in one call. Prefect's server takes them one by one."""

log = logging.getLogger(__name__)


def hold_events(
    holds: Sequence[HoldRow], *, flow_run_id: str = "", back_office: str = "", links: UiLinks = NO_LINKS
) -> list[Event]:
    """The events of holds that a run opened: one for each, and another where a guard tripped.

    An event's id is made of the hold's, so that the same hold told twice is one event.
    """
    events = []
    for hold in holds:
        names = [HOLD_OPENED, *([GUARD_TRIPPED] if hold.kind == HoldKind.GUARD else [])]
        events += [_about(name, hold, flow_run_id, back_office, links) for name in names]
    return events


def _about(name: str, hold: HoldRow, flow_run_id: str, back_office: str, links: UiLinks) -> Event:
    resource = {
        "prefect.resource.id": f"rever.return.{hold.process_id}",
        "prefect.resource.name": hold.process_id,
        "rever.store": hold.store,
    }
    payload = {
        "sentence": _sentence(hold),
        "store": message(hold.store),
        "process_id": message(hold.process_id),
        "order": message(hold.order_name),
        "rule": hold.rule,
        "kind": hold.kind,
        "why": message(" ".join(hold.why.split())),
        "amount": hold.amount or "",
        "currency": hold.currency if hold.amount else "",
        "hold_id": hold.hold_id,
        "version": hold.version,
        "answers": dict(hold.answers),
        "forms": links.answers(hold),
        "page": links.page(hold.store),
        "link": back_office.replace("{process_id}", quote(hold.process_id, safe="")),
    }
    return Event(
        id=uuid5(NAMESPACE_URL, f"{name}:{hold.hold_id}:{hold.version}"),
        event=name,
        occurred=hold.since,
        resource=Resource(resource),
        related=_of_run(flow_run_id),
        payload=payload,
    )


def _sentence(hold: HoldRow) -> str:
    money = f" about {Decimal(hold.amount):,} {hold.currency}" if hold.amount else ""
    said = f"{hold.store}: return {hold.process_id} is held{money} ({hold.rule}): {hold.why}"
    return message(" ".join(said.split()))


def _of_run(flow_run_id: str) -> list[RelatedResource]:
    if not flow_run_id:
        return []
    run = {"prefect.resource.id": f"prefect.flow-run.{flow_run_id}", "prefect.resource.role": "flow-run"}
    return [RelatedResource(run)]


def switch_event(now: Switch) -> Event:
    """The event of the stop switch that was just thrown."""
    done = "stopped" if now.stopped else "let go again"
    reason = f": {now.why}" if now.why else ""
    payload = {"sentence": message(" ".join(f"All effects were {done} by {now.by}{reason}".split()))}
    payload |= {"by": now.by, "why": now.why, "store": "", "process_id": "", "rule": "stop-switch"}
    return Event(
        event=EFFECTS_STOPPED if now.stopped else EFFECTS_STARTED,
        occurred=now.since or datetime.now(UTC),
        resource=Resource({"prefect.resource.id": "rever.desk", "prefect.resource.name": "rever-returns"}),
        payload=payload,
    )


def pause_events(pauses: Sequence[Pause], *, flow_run_id: str = "") -> list[Event]:
    """The events of stores that are paused. The same pause is one event, whoever tells it; a longer one is another."""
    return [
        Event(
            id=uuid5(NAMESPACE_URL, f"{STORE_PAUSED}:{pause.store}:{pause.until.isoformat()}"),
            event=STORE_PAUSED,
            occurred=pause.since,
            resource=Resource(
                {
                    "prefect.resource.id": f"rever.store.{message(pause.store)}",
                    "prefect.resource.name": message(pause.store),
                    "rever.store": message(pause.store),
                }
            ),
            related=_of_run(flow_run_id),
            payload={
                "sentence": message(pause.words[0].upper() + pause.words[1:]),
                "store": message(pause.store),
                "process_id": "",
                "rule": "pause",
                "until": pause.until.isoformat(timespec="seconds"),
            },
        )
        for pause in pauses
    ]


async def send(events: Sequence[Event], timeout_s: float = TIMEOUT_S) -> bool:
    """Hand events to Prefect's API; answers whether it took them all, and never raises for what it says."""
    if not events:
        return True
    try:
        async with asyncio.timeout(timeout_s), get_client() as client:
            for start in range(0, len(events), AT_ONCE):
                some = [event.model_dump(mode="json") for event in events[start : start + AT_ONCE]]
                await client.request("POST", "/events", json=some)
    except (httpx.HTTPError, OSError, TimeoutError, PrefectException, RuntimeError) as error:
        log.warning("%d events could not be sent to Prefect (%s)", len(events), type(error).__name__)
        return False
    return True
