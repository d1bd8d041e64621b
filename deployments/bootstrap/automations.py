"""What the server does on its own: it ends runs whose worker is dead, and sends people notices.

Notices go through one Prefect notification block, made from `REVER_NOTICES_URL`. It must be of a type that comes with
Prefect: the server sends the notices, and it knows no others.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import BlockDocument, StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from pydantic import SecretStr

from deployments.bootstrap.objects import BootstrapError, Change, Outcome, or_none, put
from tasks.in_prefect.events import (
    ALONE,
    EFFECTS_STOPPED,
    HOLD_OPENED,
    HOLDS_OPENED,
    NOTICE,
    RETURNS_STALE,
    STORE_PAUSED,
)
from tasks.in_prefect.quiet import TAG

BLOCK = "rever-notices"
VARIABLE = "REVER_NOTICES_URL"
_KINDS: tuple[type[NotificationBlock], ...] = (SlackWebhook, CustomWebhookNotificationBlock)


@dataclass(frozen=True, slots=True)
class Notices:
    """The block that sends notices: its id (None where it is not made yet), and whether notices are wanted at all."""

    changes: tuple[Change, ...]
    wanted: bool
    block_id: UUID | None = None


async def notices(client: PrefectClient, url: SecretStr, *, check: bool) -> Notices:
    """The block for the address in the environment; without an address the one that a person made, or none."""
    if not url.get_secret_value():
        found = [document for kind in _KINDS if (document := await _read(client, kind))]
        return Notices((), wanted=bool(found), block_id=found[0].id if found else None)
    block = notices_block(url)
    document = await _read(client, type(block))

    async def save() -> None:
        await block.asave(BLOCK, overwrite=True, client=client)

    changed = await put(
        f"block {type(block).get_block_type_slug()}/{BLOCK}",
        check=check,
        there=document is not None,
        differs=["the address"] if document and _secrets(document.data) != _secrets(_revealed(block)) else [],
        make=save,
        mend=save,
    )
    made = document if check or document else await _read(client, type(block))
    return Notices((changed,), wanted=True, block_id=made.id if made else None)


def notices_block(url: SecretStr) -> NotificationBlock:
    """The block for an address: Apprise's if Apprise knows it, else one that posts JSON to an http(s) address.

    Prefect has no block for Apprise as such: its Slack block passes everything on to it. Raises `BootstrapError`.
    """
    address = url.get_secret_value().strip()
    if _apprise_knows(address):
        return SlackWebhook(url=SecretStr(address))
    if not _is_http(address):
        raise BootstrapError(
            f"{VARIABLE} is not an address that notices can be sent to: give an http(s) address that takes JSON, "
            "or one of Apprise's, like mailto://user:password@example.com or slack://..."
        )
    return CustomWebhookNotificationBlock.model_validate(
        {
            "name": "rever-returns",
            "url": "{{url}}",  # the address is a secret: whoever knows it may post there
            "secrets": {"url": address},
            "json_data": {"text": "{{subject}}\n{{body}}", "subject": "{{subject}}", "body": "{{body}}"},
        }
    )


def _apprise_knows(address: str) -> bool:
    from apprise import Apprise

    log = logging.getLogger("apprise")
    log.disabled, before = True, log.disabled  # it would log parts of an address that it does not know
    try:
        return Apprise.instantiate(address, suppress_exceptions=True) is not None
    finally:
        log.disabled = before


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


async def _read(client: PrefectClient, kind: type[NotificationBlock]) -> BlockDocument | None:
    slug = kind.get_block_type_slug()
    return await or_none(client.read_block_document_by_name(BLOCK, slug, include_secrets=True))


def _revealed(block: NotificationBlock) -> dict[str, object]:
    return block.model_dump(mode="json", context={"include_secrets": True})


def _secrets(data: dict[str, object]) -> tuple[object, object]:
    """The part of a block's content that is ours; the rest (a template, a time-out) is a person's once it is made."""
    return data.get("url"), data.get("secrets")


# The text of every notice, as Jinja for the server. The subject says what it is about; the sentence stands once, in the
# body: an event of the desk has its own, a run's is its state.
SUBJECT = (
    "rever-returns: {% if event.payload.subject %}{{ event.payload.subject }}"
    "{% elif event.payload.sentence %}{{ event.event }}"
    "{% else %}a run is {{ event.resource['prefect.state-name'] }}{% endif %}"
)
BODY = """\
{% if event.payload.sentence %}{{ event.payload.sentence }}\
{% else %}{{ event.resource['prefect.resource.name'] }} is {{ event.resource['prefect.state-name'] }}: \
{{ event.resource['prefect.state-message'] | truncate(400) }}{% endif %}

{% if event.payload.answers %}{% for answer in event.payload.answers %}{{ answer }}: {{ event.payload.answers[answer] }}
{% if event.payload.forms and event.payload.forms[answer] %}  {{ event.payload.forms[answer] }}
{% endif %}{% endfor %}{% endif %}{% if event.payload.process_id %}Why: rever-returns why {{ event.payload.process_id }}
{% endif %}{% if event.payload.link %}At REVER: {{ event.payload.link }}
{% endif %}{% if flow_run %}The run: {{ flow_run | ui_url }}
{% endif %}All that waits for a person: {{ event.payload.page or "rever-returns holds" }}
{{ event.event }} at {{ event.occurred.strftime('%Y-%m-%d %H:%M') }} UTC
"""


DEAD_AFTER = timedelta(seconds=90)
"""Three missing heartbeats (PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30, which every deployment sets)."""
NOT_BEGUN_AFTER = timedelta(minutes=3)
"""How long a run that was taken may show no sign of life: starting its process takes seconds."""
QUIET = timedelta(minutes=15)
"""The least time between two notices of the same: of one hold, of one store's many holds, of one deployment's runs."""
PAUSE_QUIET = timedelta(hours=1)
"""The least time between two notices of one store's pause, which grows longer while REVER is away."""

_TAKEN = ("Pending", "Submitting", "InfrastructurePending")
"""The names of a run's states between being taken and beginning. Events carry the name of a state, not its type."""
_OURS: dict[str, Any] = {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
_ANY_RUN = {"prefect.resource.id": "prefect.flow-run.*"}
_NOBODY = UUID(int=0)


def dead_runs() -> AutomationCore:
    """Runs whose process is gone become Crashed, so that their slots come back.

    The time counts from the beginning of a run (it may be killed before its first heartbeat) and from each heartbeat;
    any event of the run ends it. Runs that are scheduled, pending or wait for a slot are not concerned.
    """
    return _crashed(
        "runs of dead workers become Crashed",
        f"No heartbeat for {DEAD_AFTER.seconds} s",
        after={"prefect.flow-run.heartbeat", "prefect.flow-run.Running", "prefect.flow-run.Retrying"},
        within=DEAD_AFTER,
    )


def runs_not_begun() -> AutomationCore:
    """Runs that a worker or lane took and never began become Crashed: one killed between the two sent no heartbeat.

    A run that waits for a slot goes back to a scheduled state; that is an event, which ends the time too.
    """
    return _crashed(
        "runs that were taken and never began become Crashed",
        f"Taken, and not begun for {NOT_BEGUN_AFTER.seconds // 60} min",
        after={f"prefect.flow-run.{name}" for name in _TAKEN},
        within=NOT_BEGUN_AFTER,
    )


def _crashed(name: str, why: str, *, after: set[str], within: timedelta) -> AutomationCore:
    return AutomationCore(
        name=f"rever: {name}",
        description=f"{why}. What was under way is settled by the next run.",
        trigger=EventTrigger(
            match=_ANY_RUN,
            match_related=_OURS,
            for_each={"prefect.resource.id"},
            after=after,
            expect={"prefect.flow-run.*"},
            posture=Posture.Proactive,
            threshold=1,
            within=within,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, message=f"{why}: its worker is gone. What it sent is in the ledger."
            )
        ],
    )


def notice_automations(block_id: UUID) -> list[AutomationCore]:
    """One automation for each kind of thing that a person should know. All send the same text.

    A tripped guard has none: it is a hold, of which a notice is sent.
    """
    send = SendNotification(block_document_id=block_id, subject=SUBJECT, body=BODY)
    alone = {"prefect.resource.id": "rever.return.*", NOTICE: ALONE}
    stores, each = {"prefect.resource.id": "rever.store.*"}, {"prefect.resource.id"}
    desk = {"prefect.resource.id": "rever.desk"}
    return [
        _notice("holds", {HOLD_OPENED}, send, match=alone, for_each=each | {"rever.hold"}),
        _notice("many holds", {HOLDS_OPENED}, send, match=stores, for_each=each),
        _notice("the stop switch", {EFFECTS_STOPPED}, send, match=desk, within=timedelta(0)),
        _notice("paused stores", {STORE_PAUSED}, send, match=stores, for_each=each, within=PAUSE_QUIET),
        _notice("stale returns", {RETURNS_STALE}, send, match=stores, for_each=each),
        _notice(
            "failed runs",
            {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            send,
            match=_ANY_RUN,
            match_related=_OURS,
            for_each={"related:deployment:prefect.resource.id"},
        ),
    ]


def _notice(
    what: str, events: set[str], send: ActionTypes, *, within: timedelta = QUIET, **where: Any
) -> AutomationCore:
    quiet = f" At once, then none of the same for {within.seconds // 60} minutes." if within else ""
    return AutomationCore(
        name=f"rever: notices of {what}",
        description=f"Sent through the block rever-notices.{quiet}",
        trigger=EventTrigger(expect=events, posture=Posture.Reactive, threshold=1, within=within, **where),
        actions=[send],
    )


async def automations(client: PrefectClient, notices: Notices, *, check: bool) -> list[Change]:
    """The automations for dead workers, and those for notices where there is an address to send them to."""
    wanted = [dead_runs(), runs_not_begun()]
    notes = notice_automations(notices.block_id or _NOBODY)
    changes = [await _automation(client, each, check=check) for each in (wanted + notes if notices.wanted else wanted)]
    if not notices.wanted:
        names = ", ".join(note.name.removeprefix("rever: notices of ") for note in notes)
        changes.append(
            Change(Outcome.LEFT, "notices", f"none are sent of {names}: set {VARIABLE} and run bootstrap again")
        )
    return changes + [change for name in _FORMER if (change := await _removed(client, name, check=check))]


_FORMER = ("rever: notices of tripped guards",)
"""Automations that an earlier version made: a tripped guard is a hold, and would be reported twice."""


async def _removed(client: PrefectClient, name: str, *, check: bool) -> Change | None:
    found = await client.read_automations_by_name(name)
    if not check:
        for each in found:
            await client.delete_automation(each.id)
    return Change(Outcome.CHANGED, f"automation {name!r}", "no longer made, removed") if found else None


async def _automation(client: PrefectClient, wanted: AutomationCore, *, check: bool) -> Change:
    # Prefect takes a name twice, as when a response was lost and the client repeated its request.
    named = await client.read_automations_by_name(wanted.name)
    found, duplicates = (named[0] if named else None), named[1:]

    async def mend() -> None:
        assert found  # noqa: S101 - only what is there is mended
        await client.update_automation(found.id, wanted.model_copy(update={"enabled": found.enabled}))
        for each in duplicates:
            await client.delete_automation(each.id)

    return await put(
        f"automation {wanted.name!r}",
        check=check,
        there=found is not None,
        differs=[*_differs(found, wanted), *(["it is there twice"] if duplicates else [])] if found else (),
        left="switched off by a person" if found and not found.enabled else "",
        make=partial(client.create_automation, wanted),
        mend=mend,
    )


def _differs(found: Automation, wanted: AutomationCore) -> Sequence[str]:
    names = ("description", "trigger", "actions")
    return [name for name in names if _plain(getattr(found, name)) != _plain(getattr(wanted, name))]


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return value
    shown = value.model_dump(mode="json")
    return {key: sorted(item) if key in {"after", "expect", "for_each"} else item for key, item in shown.items()}
