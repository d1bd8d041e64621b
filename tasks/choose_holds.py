"""Which holds a person answers: one, a list, or all of one cause. A list that has changed since is refused."""

import hashlib
from collections.abc import Sequence

from tasks.desk import Desk, DeskError, WrongNameError
from tasks.ledger import HoldRow, PastHold, find_hold, open_holds

NAMED = 5
"""How many of the holds that changed an error names."""


def list_mark(holds: Sequence[HoldRow]) -> str:
    """The mark of a list of holds, such as `37-1f0c9a2b44`: their number, and a digest of their ids and versions."""
    told = "\n".join(sorted(f"{hold.hold_id}:{hold.version}" for hold in holds))
    return f"{len(holds)}-{hashlib.sha256(told.encode()).hexdigest()[:10]}"


async def hold_by_id(desk: Desk, hold_id: str, version: int | None = None) -> HoldRow:
    """The open hold of this id, in this version where one is given. Raises `DeskError`: no such hold, or outdated."""
    past = await desk.ledger.aread(find_hold, hold_id)
    if past is None or past.hold.store not in desk.stores:
        raise WrongNameError(f"there is no hold {hold_id!r}; `rever-returns holds` lists those that are open")
    changed = _changed(past, version)
    if changed:
        raise DeskError(f"nothing was done: hold {hold_id} {changed}")
    return past.hold


async def holds_by_list(desk: Desk, named: Sequence[str]) -> list[HoldRow]:
    """The open holds of a list of `HOLD:VERSION`. Raises `DeskError`, before anything is done, if one has changed."""
    chosen: dict[str, HoldRow] = {}
    problems: list[str] = []
    for text in named:
        hold_id, _, version = text.partition(":")
        try:
            chosen[hold_id] = await hold_by_id(desk, hold_id, int(version))
        except DeskError as error:
            problems.append(str(error).removeprefix("nothing was done: "))
    if problems:
        more = f", and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise DeskError(f"nothing was done, for the list has changed: {'; '.join(problems[:NAMED])}{more}")
    return list(chosen.values())


async def holds_by_cause(desk: Desk, cause: str, stores: Sequence[str], listed: str) -> list[HoldRow]:
    """All open holds of a rule or kind at these stores. `listed` is the mark that `plan` printed; empty: not asked.

    Raises `DeskError` where there are none, or where they are not the ones that were listed.
    """
    everything = await desk.ledger.aread(open_holds, stores)
    found = [hold for hold in everything if cause in {hold.rule, hold.kind}]
    if not found:
        causes = ", ".join(sorted({hold.rule for hold in everything})) or "none"
        raise WrongNameError(f"nothing is held by {cause!r}; the causes of open holds are: {causes}")
    if listed and listed != list_mark(found):
        raise DeskError(
            f"nothing was done: the holds by {cause!r} have changed since they were listed as {listed}; "
            f"they are {list_mark(found)} now; look at them again with mode=plan"
        )
    return found


def _changed(past: PastHold, version: int | None) -> str:
    """What has become of a hold since it was listed; empty where it is as it was."""
    if past.state == "answered":
        when = f" at {past.answered_at:%F %T} UTC" if past.answered_at else ""
        return f"was answered with {past.answer!r} by {past.answered_by}{when}"
    if past.state != "open":
        return f"has closed itself: {past.closed_why}"
    if version is not None and past.hold.version != version:
        return f"has changed since: its version is {past.hold.version}, not {version}"
    return ""
