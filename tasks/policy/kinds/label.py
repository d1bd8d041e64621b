"""A label: one createOrderV2, by which a carrier takes the goods from the shopper to the warehouse."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from rever_api.models import ReturnProcess
from tasks.policy.decision import Decision, MakeLabel
from tasks.policy.kinds.kind import FurtherStep, Held, Kind, Seen, count
from tasks.policy.record import Intent, IntentKind, IntentState, Parcel, Record, Replaced
from tasks.policy.rules.reissue import decide_reissue, label_or_reissue
from tasks.policy.store import StoreRules


def parcels_read(stored: Iterable[Iterable[tuple[str, int]]]) -> tuple[Parcel, ...]:
    """The parcels as the details of a label have them: of each its lines with their units."""
    return tuple(Parcel(tuple((line_id, units) for line_id, units in each)) for each in stored)


class LabelKind(Kind[MakeLabel, MakeLabel | None]):
    """A parcel's way back. REVER shows it among the parcels of the return; a cancelled one stays there."""

    name = IntentKind.LABEL
    noun = "label"
    beside = frozenset({IntentKind.REFUND, IntentKind.EXCHANGE, IntentKind.REVIEW})

    def intent(self, due: MakeLabel) -> Intent:
        """Return the intent of a label that is due: the first of the return, or the next after a cancelled one."""
        return Intent(
            id="",
            kind=self.name,
            state=IntentState.INTENDED,
            generation=due.generation,
            carrier=f"{due.provider}/{due.carrier}",
            parcel=due.parcel,
            parcels=due.parcels,
            replaces=due.replaces,
        )

    def content(self, due: MakeLabel) -> MakeLabel:
        """The provider, carrier, return method and warehouse."""
        return due

    def stored(self, content: MakeLabel | None) -> dict[str, Any]:
        """Return what was asked for; empty texts for a label that a person took care of."""
        it = content or MakeLabel("", "", 0, "", "", "")
        wanted: dict[str, Any] = {"provider": it.provider, "carrier": it.carrier, "return_method": it.return_method}
        wanted |= {"warehouse": it.warehouse} if it.warehouse else {}
        wanted |= {"slots": list(it.slots)} if it.slots else {}
        if it.parcels:
            wanted |= {"parcel": it.parcel, "parcels": [[list(item) for item in each.items] for each in it.parcels]}
        return {"label": wanted} | ({"replaces": asdict(it.replaces)} if it.replaces is not None else {})

    def restored(self, intent: Intent, details: Mapping[str, Any], rule: str, why: str) -> MakeLabel:
        """Return the label of `stored`."""
        told = dict(details["label"])
        told["slots"] = tuple(told.get("slots", ()))
        told["parcels"] = parcels_read(told.get("parcels", ()))
        found = details.get("replaces")
        replaces = None if found is None else Replaced(**found)
        return MakeLabel(rule, why, intent.generation, replaces=replaces, **told)

    def decide(
        self, process: ReturnProcess, rules: StoreRules, record: Record, now: datetime, content: MakeLabel | None
    ) -> Decision:
        """Decide by the rules of labels alone; whether one is still to be replaced, where somebody asked for that."""
        asked = content.replaces if content is not None else None
        if asked is not None and asked.by:
            return decide_reissue(process, rules, record, now, asked)
        return label_or_reissue(process, rules, record, now)

    def further_step(self, content: MakeLabel | None) -> FurtherStep | None:
        """The old label is replaced, for whom and why."""
        it = content.replaces if content is not None else None
        return None if it is None else FurtherStep("replaced", it.by, {"parcel": str(it.parcel), "why": it.why})

    def covers(self, decision: Decision, intent: Intent, content: MakeLabel | None) -> bool:
        """Say whether the label due is this one but for the words that explain it."""
        if content is None or not isinstance(decision, MakeLabel):
            return False
        return replace(decision, rule=content.rule, why=content.why) == content and (
            intent.generation == decision.generation
        )

    def alike(self, intent: Intent, row: Any) -> bool:
        """Whether it is of this generation or a later one: an earlier label was cancelled at REVER."""
        later: bool = row.generation >= intent.generation
        return later

    def snapshot(self, intent: Intent, content: MakeLabel | None, process: ReturnProcess) -> dict[str, Any]:
        """Count the parcels."""
        return {"logistics": len(process.logistics or ())}

    def look(
        self, intent: Intent, before: Mapping[str, Any], process: ReturnProcess, now: datetime
    ) -> Seen | Held | str:
        """One more parcel than snapshot and ledger knew. Cancelled ones count on both sides: they were made once."""
        if process.logistics is None:
            return "REVER's answer does not tell the parcels"
        parcels, known = len(process.logistics), max(count(before, "logistics"), count(before, "ledger_knew"))
        evidence = {"parcels": str(parcels), "known before": str(known)}
        if parcels - known > 1:
            return Held(f"REVER shows {parcels - known} more parcels where one label was asked for", evidence)
        return Seen(evidence) if parcels - known == 1 else "REVER does not show the label that was asked for"


LABEL = LabelKind()
