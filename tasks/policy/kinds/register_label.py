"""A label made outside of REVER: one createReverseDelivery, which registers it there with its file."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rever_api.models import ProcessStatus, ReturnProcess
from tasks.policy.case import Case
from tasks.policy.decision import Decision, Hold
from tasks.policy.facts import quoted
from tasks.policy.kinds.asked import AskedKind
from tasks.policy.kinds.kind import Held, Seen, UnitKey
from tasks.policy.kinds.label import LABEL
from tasks.policy.record import Intent, IntentKind
from tasks.policy.rules.label import DEAD_PARCEL, next_generation


@dataclass(frozen=True, slots=True)
class MadeLabel:
    """A label that was made by hand: the first of the return, or the `generation`-th after others came to nothing.

    `file` is where its file lies on this desk's machine (`pdf`, `png` or `jpg`; empty for none), `digest` its SHA-256
    in hex: a label names the shopper, so the ledger does not hold it.
    """

    generation: int
    provider: str
    carrier: str
    return_method: str
    tracking_id: str = ""
    tracking_url: str = ""
    file: str = ""
    digest: str = ""


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

    def stored(self, content: MadeLabel) -> dict[str, Any]:
        """Return it without its file."""
        return {"made_label": asdict(content)}

    def restored(self, intent: Intent, details: Mapping[str, Any], rule: str, why: str) -> MadeLabel:
        """Return the label of `stored`."""
        return MadeLabel(**details["made_label"])

    def held(self, case: Case, wanted: MadeLabel) -> Decision | None:
        """An unanswered hold of the label holds it."""
        held = sorted((hold for hold in case.record.holds if hold.label), key=lambda hold: (hold.since, hold.id))
        return Hold(held[0].rule, held[0].why, held[0].kind, {"hold": held[0].id}, label=True) if held else None

    def not_due(self, case: Case, wanted: MadeLabel) -> str:
        """The return must run, and have no parcel but those that came to nothing."""
        process = case.process
        if process.rever_process_status != ProcessStatus.RUNNING:
            return f"the return is {quoted(str(process.rever_process_status))} at REVER"
        if process.logistics is None and not case.rules.omits_empty_fields:
            return "REVER's answer does not tell the parcels"
        if any(entry.status not in DEAD_PARCEL for entry in process.logistics or ()):
            return "REVER shows a parcel already"
        if wanted.generation != next_generation(process):
            return f"it would be label {next_generation(process)} of the return, not {wanted.generation}"
        return ""

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
