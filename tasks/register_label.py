"""Register a label that was made by hand: check it against the store and the ledger, then one createReverseDelivery."""

from dataclasses import dataclass

from tasks.desk import Desk, WrongNameError
from tasks.effects.calls import EFFECTS
from tasks.effects.carry_out import AskedReturn, carry_out_asked
from tasks.fetch_returns import PendingReturn
from tasks.files.made_label import LabelFile
from tasks.ledger import load_records, returns_tracked_as
from tasks.lookup import same_tracking
from tasks.policy.kinds import REGISTER_LABEL
from tasks.policy.kinds.register_label import MadeLabel, unknown_carrier
from tasks.policy.label_case import DEAD_PARCEL, label_number, next_parcel
from tasks.policy.record import Parcel
from tasks.policy.rules.label import not_to_be_made
from tasks.steps import step


@dataclass(frozen=True, slots=True)
class LabelByHand:
    """A label as a person states it. An empty `return_method` is that of the return; `file` is None for none."""

    provider: str
    carrier: str
    return_method: str
    tracking_id: str
    tracking_url: str
    file: LabelFile | None = None

    def of(self, pending: PendingReturn, number: int, parcel: int, parcels: tuple[Parcel, ...]) -> MadeLabel:
        """The label as it is registered for this return, as its label of this number, for this one of its parcels."""
        return MadeLabel(
            number,
            self.provider,
            self.carrier,
            self.return_method or str(pending.process.return_method),
            self.tracking_id,
            self.tracking_url,
            str(self.file.path) if self.file else "",
            self.file.digest if self.file else "",
            parcel=parcel,
            parcels=parcels,
        )


@step("register-labels")
async def register_labels(desk: Desk, pending: PendingReturn, made: LabelByHand) -> tuple[MadeLabel, AskedReturn]:
    """Register the next label of one return, once; which it is, and what came of it.

    Raises `WrongNameError` where what was stated cannot be right.
    """
    await _check(desk, pending, made)
    rules, records = await desk.rules(pending.store), await desk.ledger.aread(load_records, [pending.process_id])
    about = pending.process, rules, records[pending.process_id], desk.clock()
    if (own := _own_parcel(pending, made.tracking_id)) and not not_to_be_made(*about):
        number = f"tracking number {made.tracking_id} is that of its parcel {own} already"
        raise WrongNameError(f"nothing was sent: {number}, and the return waits for the label of another")
    label = made.of(pending, label_number(*about), *next_parcel(*about))
    return label, await carry_out_asked(desk, EFFECTS[REGISTER_LABEL.name], pending, label)


async def _check(desk: Desk, pending: PendingReturn, made: LabelByHand) -> None:
    rules = await desk.rules(pending.store)
    if why := unknown_carrier(made.carrier, rules.settings.carriers):
        raise WrongNameError(f"nothing was sent: {why}")
    if not made.tracking_id:
        return
    others = await desk.ledger.aread(returns_tracked_as, made.tracking_id)
    theirs = [f"{process_id} (order {order})" for process_id, order in others if process_id != pending.process_id]
    if theirs:
        whose = f"nothing was sent: tracking number {made.tracking_id} is that of {', '.join(theirs)}"
        raise WrongNameError(f"{whose}; look at the label again")


def _own_parcel(pending: PendingReturn, tracking: str) -> int:
    """The number of the return's own parcel with this tracking number, but for one that came to nothing; else 0."""
    shown = enumerate(pending.process.logistics or (), start=1)
    live = ((number, it.tracking_number) for number, it in shown if it.status not in DEAD_PARCEL)
    return next((number for number, its in live if same_tracking(its, tracking)), 0)


def in_words(label: MadeLabel, file: LabelFile | None) -> str:
    """Exactly what is sent of a label, but for the address, which is the return's own."""
    parts = [
        f"provider {label.provider}",
        f"carrier {label.carrier}",
        f"return method {label.return_method or 'none'}",
        f"tracking number {label.tracking_id or 'none'}",
        f"tracking page {label.tracking_url or 'none'}",
        f"file {file.words if file else 'none'}",
        "from the return's pickup address",
    ]
    return f"label {label.generation} of the return: {', '.join(parts)}"
