"""The last rules: nothing is due. Either the return is at its end, or it waits for something that has a name."""

from rever_api.models import ProcessStatus, ReturnStatus, ShippingStatus
from tasks.policy.case import Case
from tasks.policy.claims import taken_by_desk
from tasks.policy.decision import Decision, Nothing
from tasks.policy.inspection import LineInspection
from tasks.policy.label import NEEDS_LABEL
from tasks.policy.paid import all_paid, on_its_way, told_on_its_way
from tasks.policy.reading import counted, goods_sent

_DEAD = {ShippingStatus.CANCELED, ShippingStatus.ERROR}
_PENDING = {ShippingStatus.NO_SHIPPING_STATUS, ""}


WAITS = frozenset({"wait_exchange_inspection", "wait_goods", "wait_inspection", "wait_label", "wait_parcel"})
"""The rules of `waits`: nothing is due, and the return waits for something that has a name."""


def ended(case: Case) -> Decision | None:
    """A cancelled or failed return is never paid."""
    status = case.process.rever_process_status
    if status not in {ProcessStatus.CANCELED, ProcessStatus.FAILED}:
        return None
    outstanding = on_its_way(case)
    if outstanding is not None:
        return outstanding
    units = sum(len(part.units) for part in case.free)
    why = f"the return is {status} at REVER, so nothing is paid"
    why += f"; {counted(units, 'approved unit')} left without compensation" if units else ""
    return Nothing("not_running", why, final=not units and same_at_rever(case))


def completed(case: Case) -> Decision | None:
    """A completed return with nothing left to pay."""
    if case.process.rever_process_status != ProcessStatus.COMPLETED:
        return None
    open_units = sum(_without_outcome(line) for line in case.inspection.lines)
    why = f"the return is COMPLETED at REVER{_declined_since(case)}"
    why += f"; {counted(open_units)} never inspected" if open_units else "; every unit has its outcome"
    return Nothing("completed", why, final=not open_units and same_at_rever(case))


def all_settled(case: Case) -> Decision | None:
    """Every unit is compensated, declined or missing."""
    if case.free or not all(line.reviewed for line in case.inspection.lines):
        return None
    lines = case.inspection.lines
    nothing = sum(line.declined + line.missing for line in lines)
    why = f"every unit has its outcome: {sum(line.counted for line in lines)} approved and compensated, "
    why += f"{nothing} declined or missing{_declined_since(case)}"
    return Nothing("all_settled", why, final=same_at_rever(case))


def waits(case: Case) -> Decision:
    """Wait, with the precise reason."""
    uninspected = case.inspection.uninspected
    told = f"{counted(uninspected)} not inspected yet"
    since = _declined_since(case) + told_on_its_way(case)
    if case.due.exchange_waits:
        waiting = counted(case.due.exchange_waits, "approved unit")
        why = f"{waiting} to be exchanged once the whole exchange is inspected; {told}"
        return case.wait("wait_exchange_inspection", why + since)
    if _arrived(case):
        return case.wait("wait_inspection", f"waiting for the inspection: {told}{since}")
    if goods_sent(case.process):
        return case.wait("wait_parcel", f"the goods are on their way to the warehouse; {told}{since}")
    return case.wait(*_before_collection(case, since))


def _before_collection(case: Case, since: str) -> tuple[str, str]:
    """What a return waits for whose goods are still with the shopper."""
    method, entries = case.process.return_method, case.process.logistics or ()
    if method not in NEEDS_LABEL:
        return "wait_goods", f"waiting for the shopper to bring the goods{since}"
    live = [entry for entry in entries if entry.status not in _DEAD]
    if any(entry.status not in _PENDING for entry in live):
        return "wait_goods", f"the label is there; waiting for the carrier to collect the goods{since}"
    if live:
        return "wait_label", f"waiting for the label, which REVER is making{since}"
    return "wait_label", f"waiting for a label ({method}){since}"


def _arrived(case: Case) -> bool:
    """Whether the goods are where they are inspected: some were, or the return or a parcel says so."""
    process = case.process
    inspected = any(line.approved + line.declined + line.missing for line in case.inspection.lines)
    at_warehouse = any(entry.status == ShippingStatus.IN_WAREHOUSE for entry in process.logistics or ())
    here = {ReturnStatus.REVIEW_REQUIRED, ReturnStatus.COMPLETED}
    return inspected or at_warehouse or process.return_status in here


def _without_outcome(line: LineInspection) -> int:
    """Units of a line that are neither approved (or count as such), declined nor missing."""
    return max(0, line.quantity - line.counted - line.declined - line.missing)


def same_at_rever(case: Case) -> bool:
    """Whether no effect is open, all is paid and REVER shows no more than the ledger, but for what a person saw."""
    if any(intent.open for intent in case.record.intents):
        return False
    comparison = case.comparison
    refunds = not (comparison.foreign or comparison.foreign_taken_back) or case.refunds_seen
    exchange = not comparison.exchange_foreign or not case.by_us or case.exchange_seen
    return refunds and exchange and all_paid(case)


def _declined_since(case: Case) -> str:
    """Units paid before their inspection and declined in it: told, never reclaimed."""
    units = 0
    for line_id, numbers in taken_by_desk(case.record).items():
        line = case.inspection.line(line_id)
        units += max(0, len(numbers) - line.counted) if line else 0
    return (
        f"; {counted(units)} paid before the inspection and not approved in it, which is not reclaimed" if units else ""
    )
