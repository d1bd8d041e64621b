"""The automations: what the server does by itself when runs die, and when a person should know something."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture

from deployments.bootstrap.change import Change, Outcome, put
from deployments.bootstrap.notices import VARIABLE, Notices
from deployments.bootstrap.template import BODY, SUBJECT

TAG = "rever"
DEAD_AFTER = timedelta(seconds=90)
"""Three heartbeats (PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30, set by every deployment) that did not come."""
NOT_BEGUN_AFTER = timedelta(minutes=3)
"""A run that was taken and shows no sign of life for so long: starting its process takes seconds."""
QUIET = timedelta(minutes=15)
"""After a notice, no other of its kind for so long: a storm of holds is one notice, not 500."""

_TAKEN = ("Pending", "Submitting", "InfrastructurePending")
"""What a run is called between being taken and beginning. An event goes by the state's name, not by its type."""
_OURS: dict[str, Any] = {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{TAG}"}
_ANY_RUN = {"prefect.resource.id": "prefect.flow-run.*"}
_NOBODY = UUID(int=0)


def dead_runs() -> AutomationCore:
    """Runs whose process is gone become Crashed, so that their slots come back.

    It begins to count when a run begins (it may be killed before its first heartbeat) and at each heartbeat; one that
    is scheduled, pending or waits for a slot never gets here. Any event of the run stops it.
    """
    return _crashed(
        "runs of dead workers become Crashed",
        f"No heartbeat for {DEAD_AFTER.seconds} s",
        after={"prefect.flow-run.heartbeat", "prefect.flow-run.Running", "prefect.flow-run.Retrying"},
        within=DEAD_AFTER,
    )


def runs_not_begun() -> AutomationCore:
    """Runs that a worker or lane took and never began become Crashed: killed between the two, it sent no heartbeat.

    A run that waits for a slot goes back to a scheduled state, which is an event of its own and stops it.
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


def told(block_id: UUID) -> list[AutomationCore]:
    """One automation for each kind of thing that a person should know, all with the same text around it."""
    send = SendNotification(block_document_id=block_id, subject=SUBJECT, body=BODY)
    returns = {"prefect.resource.id": "rever.return.*"}
    desk = {"prefect.resource.id": "rever.desk"}
    return [
        _told("holds", {"rever.hold.opened"}, send, match=returns),
        _told("tripped guards", {"rever.guard.tripped"}, send, match=returns),
        _told("the stop switch", {"rever.effects.stopped"}, send, match=desk, within=timedelta(0)),
        _told("paused stores", {"rever.store.paused"}, send, match={"prefect.resource.id": "rever.store.*"}),
        _told(
            "failed runs",
            {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            send,
            match=_ANY_RUN,
            match_related=_OURS,
            for_each={"related:deployment:prefect.resource.id"},
        ),
    ]


def _told(what: str, events: set[str], send: ActionTypes, *, within: timedelta = QUIET, **where: Any) -> AutomationCore:
    quiet = f" At once, then none for {within.seconds // 60} minutes." if within else ""
    return AutomationCore(
        name=f"rever: notices of {what}",
        description=f"Sent through the block rever-notices.{quiet}",
        trigger=EventTrigger(expect=events, posture=Posture.Reactive, threshold=1, within=within, **where),
        actions=[send],
    )


async def automations(client: PrefectClient, notices: Notices, *, check: bool) -> list[Change]:
    """The automations for dead workers, and those for notices where there is an address to send them to."""
    wanted = [dead_runs(), runs_not_begun()]
    notes = told(notices.block_id or _NOBODY)
    changes = [await _automation(client, each, check=check) for each in (wanted + notes if notices.wanted else wanted)]
    if not notices.wanted:
        names = ", ".join(note.name.removeprefix("rever: notices of ") for note in notes)
        changes.append(Change(Outcome.LEFT, "notices", f"nobody is told of {names}: set {VARIABLE} and say it again"))
    return changes


async def _automation(client: PrefectClient, wanted: AutomationCore, *, check: bool) -> Change:
    # Prefect takes a name twice, as when an answer was lost and the client asked again.
    named = await client.read_automations_by_name(wanted.name)
    found, again = (named[0] if named else None), named[1:]

    async def mend() -> None:
        assert found  # noqa: S101 - only what is there is mended
        await client.update_automation(found.id, wanted.model_copy(update={"enabled": found.enabled}))
        for each in again:
            await client.delete_automation(each.id)

    return await put(
        f"automation {wanted.name!r}",
        check=check,
        there=found is not None,
        differs=[*_differs(found, wanted), *(["it is there twice"] if again else [])] if found else (),
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
