"""A label made outside of REVER: one createReverseDelivery, which registers it there with its file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from rever_api.models import Carrier, ReturnProcess
from tasks.policy.case import Case
from tasks.policy.decision import AskedEffect, Decision, Hold
from tasks.policy.kinds.asked import AskedKind
from tasks.policy.kinds.kind import Held, Seen, UnitKey
from tasks.policy.kinds.label import LABEL, parcels_read
from tasks.policy.label_case import label_number
from tasks.policy.record import Intent, IntentKind, Parcel
from tasks.policy.rules.label import MADE_BY_HAND, not_to_be_made

MADE_LABEL = "made_label"
"""The name under which an intent's details have the label."""


@dataclass(frozen=True, slots=True)
class MadeLabel:
    """A label that was made by hand: the first of the return, or the `generation`-th after others came to nothing.

    `parcels` are all parcels of the return as it was registered, empty where that is one; `parcel` is which of them it
    is for, from 1, and 0 where an older ledger does not tell.

    `file` is where its file lies on this desk's machine (`pdf`, `png` or `jpg`; empty for none), `digest` its SHA-256
    in hex: a label names the shopper, so the ledger does not hold it. `forgotten`: an erasure request has taken file
    and tracking number away, so that it cannot be sent any more.
    """

    generation: int
    provider: str
    carrier: str
    return_method: str
    tracking_id: str = ""
    tracking_url: str = ""
    file: str = ""
    digest: str = ""
    forgotten: bool = False
    parcel: int = 0
    parcels: tuple[Parcel, ...] = ()


def unknown_carrier(name: str, carriers: Sequence[Carrier]) -> str:
    """Say that the store's settings know no such carrier, and which they know; empty where they know it, or tell none.

    The carrier of a label made by hand may be that of any provider.
    """
    known = dict.fromkeys(carrier.carrier for carrier in carriers if carrier.carrier)
    if not known or name in known:
        return ""
    return f"the store's settings at REVER know no carrier {name!r}; they know {', '.join(known)}"


class RegisterLabelKind(AskedKind[MadeLabel]):
    """A parcel's way back, as a label of REVER's is: the two share their numbers, so that a return has one of them."""

    name = IntentKind.REGISTER_LABEL
    noun = "registered label"
    beside = frozenset({IntentKind.REFUND, IntentKind.EXCHANGE, IntentKind.REVIEW})

    def key(self, intent: Intent) -> list[UnitKey]:
        """The label's number."""
        return LABEL.key(intent)

    def generation(self, wanted: MadeLabel) -> int:
        """The label's number."""
        return wanted.generation

    def intent(self, due: AskedEffect) -> Intent:
        """Return the intent of a label that was made by hand, with the parcels of the return."""
        made: MadeLabel = due.wanted
        return replace(super().intent(due), parcel=made.parcel, parcels=made.parcels)

    def stored(self, content: MadeLabel) -> dict[str, Any]:
        """Return it without its file."""
        parcels = [[list(item) for item in each.items] for each in content.parcels]
        return {MADE_LABEL: asdict(content) | {"parcels": parcels}}

    def restored(self, intent: Intent, details: Mapping[str, Any], rule: str, why: str) -> MadeLabel:
        """Return the label of `stored`."""
        told = dict(details[MADE_LABEL])
        return MadeLabel(**told | {"parcels": parcels_read(told.get("parcels", ()))})

    def held(self, case: Case, wanted: MadeLabel) -> Decision | None:
        """An unanswered hold of the label holds it, but for one that waits for just such a label."""
        held = [hold for hold in case.record.holds if hold.label and hold.rule not in MADE_BY_HAND]
        first = min(held, key=lambda hold: (hold.since, hold.id), default=None)
        return None if first is None else Hold(first.rule, first.why, first.kind, {"hold": first.id}, label=True)

    def not_due(self, case: Case, wanted: MadeLabel) -> str:
        """The return must wait for a label by the rules, and have no parcel but those that came to nothing."""
        if why := not_to_be_made(case.process, case.rules, case.record, case.now):
            return why
        number = label_number(case.process, case.rules, case.record, case.now)
        return (
            "" if wanted.generation == number else f"it would be label {number} of the return, not {wanted.generation}"
        )

    def alike(self, intent: Intent, row: Any) -> bool:
        """Whether it is of this number or a later one."""
        return LABEL.alike(intent, row)

    def snapshot(self, intent: Intent, content: MadeLabel, process: ReturnProcess) -> dict[str, Any]:
        """Count the parcels."""
        return LABEL.snapshot(intent, None, process)

    def look(
        self, intent: Intent, before: Mapping[str, Any], process: ReturnProcess, now: datetime
    ) -> Seen | Held | str:
        """One more parcel than was known."""
        return LABEL.look(intent, before, process, now)


REGISTER_LABEL = RegisterLabelKind()
