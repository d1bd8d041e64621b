"""What happened, as Prefect events that people can hang automations on: holds, guards, the stop switch, the policy.

An event is for people to be told; what counts is the ledger. So nothing fails where an event cannot be sent: it is
said in the log, and the hold stays in the list all the same. Each payload has a `subject`, which says what it is about,
and a `sentence` of one line that says what happened; a notice has each once. Neither has personal data. Events go by
the API, which acknowledges them, so none is lost in the queue of a process that ends.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from uuid import NAMESPACE_URL, uuid5

import httpx
from prefect import get_client
from prefect.events import Event, RelatedResource, Resource
from prefect.exceptions import PrefectException

from tasks.in_prefect.ui_links import NO_LINKS, UiLinks
from tasks.ledger import HoldRow, Pause, StandingParcel, Switch
from tasks.policy.facts import counted
from tasks.policy.money import shown
from tasks.policy.record import HoldKind
from tasks.policy.stale import StaleReturn
from tasks.reporting.holds_page import sums_of
from tasks.reporting.parcels_report import stopped_in_words
from tasks.reporting.printable import message
from tasks.reporting.report import amounts, stores_in_words
from tasks.reporting.stale_report import link_to, stale_in_words, what_comes

HOLD_OPENED = "rever.hold.opened"
HOLDS_OPENED = "rever.holds.opened"
GUARD_TRIPPED = "rever.guard.tripped"
EFFECTS_STOPPED = "rever.effects.stopped"
EFFECTS_STARTED = "rever.effects.started"
STORE_PAUSED = "rever.store.paused"
POLICY_REFUSED = "rever.policy.refused"
PARCEL_STOPPED = "rever.parcel.stopped"
RETURN_STALE = "rever.return.stale"
RETURNS_STALE = "rever.returns.stale"

NOTICE, ALONE, TOGETHER = "rever.notice", "alone", "together"
"""The label of a hold's event, and its values: a notice is sent of this hold, or of several together."""

FEW = 3
"""Holds of one store within `LATELY` of which each is told alone."""

LATELY = timedelta(minutes=15)

MOST_CAUSES = 5
"""Causes that a sentence about several holds names."""

TIMEOUT_S = 5.0
"""Seconds in which the events of one run must be gone; the run's end waits no longer for them."""

AT_ONCE = 100
"""Events in one call. Prefect's server takes them one by one."""

log = logging.getLogger(__name__)


def hold_events(
    holds: Sequence[HoldRow],
    recent: Sequence[HoldRow] = (),
    *,
    flow_run_id: str = "",
    back_office: str = "",
    links: UiLinks = NO_LINKS,
) -> list[Event]:
    """The events of holds that a run opened: one for each, and another where a guard tripped.

    `recent` are all open holds of these stores that were opened within `LATELY`. Up to `FEW` of a store are told alone,
    which their label `NOTICE` says; of more there is one event, `HOLDS_OPENED`, that counts them. An event's id is made
    of the holds', so that what is told twice is one event.
    """
    events = []
    for store in sorted({hold.store for hold in holds}):
        opened = [hold for hold in holds if hold.store == store]
        those = {hold.hold_id: hold for hold in (*recent, *opened) if hold.store == store}
        notice = ALONE if len(those) <= FEW else TOGETHER
        for hold in opened:
            names = [HOLD_OPENED, *([GUARD_TRIPPED] if hold.kind == HoldKind.GUARD else [])]
            events += [_about(name, hold, notice, flow_run_id, back_office, links) for name in names]
        if notice == TOGETHER:
            events.append(_together(store, list(those.values()), flow_run_id, links))
    return events


def _together(store: str, holds: Sequence[HoldRow], flow_run_id: str, links: UiLinks) -> Event:
    sums = amounts(sums_of(holds))
    causes = ", ".join(
        f"{many} by {rule}" for rule, many in Counter(hold.rule for hold in holds).most_common(MOST_CAUSES)
    )
    said = f"{store}: {counted(len(holds), 'hold')} opened lately wait for a person{f', {sums} in all' if sums else ''}"
    marks = " ".join(sorted(f"{hold.hold_id}:{hold.version}" for hold in holds))
    payload = {
        "subject": message(f"{counted(len(holds), 'hold')} at {store}"),
        "sentence": message(f"{said} ({causes})"),
        "store": message(store),
        "process_id": "",
        "holds": len(holds),
        "page": links.page(store),
    }
    return Event(
        id=uuid5(NAMESPACE_URL, f"{HOLDS_OPENED}:{store}:{marks}"),
        event=HOLDS_OPENED,
        occurred=max(hold.since for hold in holds),
        resource=_store(store),
        related=_of_run(flow_run_id),
        payload=payload,
    )


def _about(name: str, hold: HoldRow, notice: str, flow_run_id: str, back_office: str, links: UiLinks) -> Event:
    resource = {
        "prefect.resource.id": f"rever.return.{hold.process_id}",
        "prefect.resource.name": hold.process_id,
        "rever.store": hold.store,
        "rever.hold": f"{hold.hold_id}:{hold.version}",
        NOTICE: notice,
    }
    payload = {
        "subject": message(f"hold of {_what(hold)} at {hold.store}"),
        "sentence": _sentence(hold),
        "store": message(hold.store),
        "process_id": message(hold.process_id),
        "order": message(hold.order_name),
        "rule": hold.rule,
        "kind": hold.kind,
        "why": message(" ".join(hold.why.split())),
        "amount": "" if hold.amount is None else f"{hold.amount:f}",
        "currency": "" if hold.amount is None else hold.currency,
        "hold_id": hold.hold_id,
        "version": hold.version,
        "answers": dict(hold.answers),
        "forms": links.answers(hold),
        "page": links.page(hold.store),
        "link": link_to(hold.process_id, back_office),
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
    money = "" if hold.amount is None else f" about {shown(hold.amount, hold.currency)}"
    said = f"{hold.store}: {_what(hold)} is held{money} ({hold.rule}): {hold.why}"
    return message(" ".join(said.split()))


def _what(it: HoldRow | StandingParcel | StaleReturn) -> str:
    """The order, as people know it; where REVER names none, the return."""
    return f"order {it.order_name}" if it.order_name.strip() else f"return {it.process_id}"


def _store(store: str) -> Resource:
    name = message(store)
    return Resource({"prefect.resource.id": f"rever.store.{name}", "prefect.resource.name": name, "rever.store": name})


def _of_run(flow_run_id: str) -> list[RelatedResource]:
    if not flow_run_id:
        return []
    run = {"prefect.resource.id": f"prefect.flow-run.{flow_run_id}", "prefect.resource.role": "flow-run"}
    return [RelatedResource(run)]


def switch_event(now: Switch) -> Event:
    """The event of the stop switch that was just thrown."""
    done = "stopped" if now.stopped else "let go again"
    reason = f": {now.why}" if now.why else ""
    payload = {"subject": f"effects {'stopped' if now.stopped else 'started'}"}
    payload |= {"sentence": message(" ".join(f"All effects were {done} by {now.by}{reason}".split()))}
    payload |= {"by": now.by, "why": now.why, "store": "", "process_id": "", "rule": "stop-switch"}
    return Event(
        event=EFFECTS_STOPPED if now.stopped else EFFECTS_STARTED,
        occurred=now.since or datetime.now(UTC),
        resource=Resource({"prefect.resource.id": "rever.desk", "prefect.resource.name": "rever-returns"}),
        payload=payload,
    )


def pause_events(
    pauses: Sequence[Pause], *, zones: Mapping[str, tzinfo] = MappingProxyType({}), flow_run_id: str = ""
) -> list[Event]:
    """The events of stores that are paused. The same pause is one event, whoever tells it; a longer one is another."""
    return [
        Event(
            id=uuid5(NAMESPACE_URL, f"{STORE_PAUSED}:{pause.store}:{pause.until.isoformat()}"),
            event=STORE_PAUSED,
            occurred=pause.since,
            resource=_store(pause.store),
            related=_of_run(flow_run_id),
            payload={
                "subject": message(f"store {pause.store} is paused"),
                "sentence": message(pause.sentence(zones.get(pause.store, UTC))),
                "store": message(pause.store),
                "process_id": "",
                "rule": "pause",
                "until": pause.until.isoformat(timespec="seconds"),
            },
        )
        for pause in pauses
    ]


def parcel_events(
    parcels: Sequence[StandingParcel],
    now: datetime,
    *,
    zones: Mapping[str, tzinfo] = MappingProxyType({}),
    flow_run_id: str = "",
) -> list[Event]:
    """The events of parcels that have stopped, one each. The same stop is one event, whoever tells it."""
    return [
        Event(
            id=uuid5(NAMESPACE_URL, f"{PARCEL_STOPPED}:{it.process_id}:{it.parcel}:{it.n}"),
            event=PARCEL_STOPPED,
            occurred=now,
            resource=Resource(
                {
                    "prefect.resource.id": f"rever.return.{it.process_id}",
                    "prefect.resource.name": it.process_id,
                    "rever.store": it.store,
                }
            ),
            related=_of_run(flow_run_id),
            payload={
                "subject": message(f"a parcel of {_what(it)} has stopped"),
                "sentence": message(f"{it.store}: {_what(it)}: {stopped_in_words(it, now, zones.get(it.store, UTC))}"),
                "store": message(it.store),
                "process_id": message(it.process_id),
                "order": message(it.order_name),
                "carrier": message(it.carrier),
                "status": message(it.status),
                "since": it.since.isoformat(timespec="seconds"),
                "rule": "parcel-stopped",
            },
        )
        for it in parcels
    ]


def stale_events(
    found: Sequence[StaleReturn],
    now: datetime,
    *,
    zones: Mapping[str, tzinfo] = MappingProxyType({}),
    flow_run_id: str = "",
    back_office: str = "",
) -> list[Event]:
    """The events of returns that have stood still for too long: one for each return and stage, and one for each store
    that counts them, of which a notice is sent. The same return at the same stage is one event, whoever tells it.
    """
    events = []
    for it in found:
        what = _what(it)
        said = f"{it.store}: {what}: {it.stage.words} {stale_in_words(it, zones.get(it.store, UTC))}"
        resource = {"prefect.resource.id": f"rever.return.{it.process_id}", "prefect.resource.name": it.process_id}
        payload = {
            "subject": message(f"{what} stands still: {it.stage.words}"),
            "sentence": message(" ".join(said.split())),
            "store": message(it.store),
            "process_id": message(it.process_id),
            "order": message(it.order_name),
            "stage": str(it.stage),
            "since": it.since.isoformat(timespec="seconds"),
            "days_over": it.over,
            "waits_for": str(it.waits_for),
            "comes_next": message(what_comes(it)),
            "rule": f"stale-{it.stage.replace('_', '-')}",
            "link": link_to(it.process_id, back_office),
        }
        events.append(
            Event(
                id=uuid5(NAMESPACE_URL, f"{RETURN_STALE}:{it.process_id}:{it.stage}:{it.about}"),
                event=RETURN_STALE,
                occurred=now,
                resource=Resource(resource | {"rever.store": it.store}),
                related=_of_run(flow_run_id),
                payload=payload,
            )
        )
    for store in sorted({it.store for it in found}):
        mine = [it for it in found if it.store == store]
        stages = ", ".join(f"{many} {words}" for words, many in Counter(it.stage.words for it in mine).most_common())
        oldest = min(mine, key=lambda it: it.since)
        first = _what(oldest)
        marks = " ".join(sorted(f"{it.process_id}:{it.stage}:{it.about}" for it in mine))
        said = f"{store}: {counted(len(mine), 'return')} newly stood still for too long ({stages}); the oldest: {first}"
        events.append(
            Event(
                id=uuid5(NAMESPACE_URL, f"{RETURNS_STALE}:{store}:{marks}"),
                event=RETURNS_STALE,
                occurred=now,
                resource=_store(store),
                related=_of_run(flow_run_id),
                payload={
                    "subject": message(f"{counted(len(mine), 'return')} at {store} stood still for too long"),
                    "sentence": message(said),
                    "store": message(store),
                    "process_id": "",
                    "returns": len(mine),
                    "rule": "stale",
                },
            )
        )
    return events


def policy_event(problems: Sequence[str], now: datetime, *, flow_run_id: str = "", stores: Sequence[str] = ()) -> Event:
    """The event of a run that did not begin, or left these stores out, since the policy file cannot be used.

    `problems` say why, one each.
    """
    where = f" at {stores_in_words(stores)}" if stores else ""
    what = f"Nothing is done{where}" if stores else "A run did not begin"
    said = " ".join(" ".join(problems).split())
    return Event(
        id=uuid5(NAMESPACE_URL, f"{POLICY_REFUSED}:{flow_run_id or now.isoformat()}"),
        event=POLICY_REFUSED,
        occurred=now,
        resource=Resource({"prefect.resource.id": "rever.desk", "prefect.resource.name": "rever-returns"}),
        related=_of_run(flow_run_id),
        payload={
            "subject": f"the policy file cannot be used{where}",
            "sentence": message(f"{what}, and no default rules stand in: {said}"),
            "problems": [message(problem) for problem in problems],
            "store": "",
            "process_id": "",
            "rule": "policy-file",
        },
    )


async def send(events: Sequence[Event], timeout_s: float = TIMEOUT_S) -> bool:
    """Hand events to Prefect's API; returns whether it took them all, and never raises for what it says."""
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
