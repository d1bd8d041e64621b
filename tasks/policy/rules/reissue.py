"""When a label that is there is replaced by another: it was not used for too long, expired, or somebody lost it. Pure.

Whether the next label may be made, and by which carrier, the rules of labels say, as if the old one were gone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rever_api.models import LogisticsEntry, ReturnProcess, ShippingStatus
from tasks.policy.clocks import clock_time
from tasks.policy.decision import Decision, Hold, MakeLabel, Nothing
from tasks.policy.facts import PARCEL_MOVED, counted, quoted
from tasks.policy.label_case import DEAD_PARCEL
from tasks.policy.record import IntentState, ParcelChange, Record, Replaced
from tasks.policy.replaced import mark_of, number_of, reissues, replaced_parcels
from tasks.policy.rules.label import LABEL_THERE, decide_label
from tasks.policy.store import StoreRules

NOT_DUE = "reissue_not_due"
"""The rule by which a label that somebody wants replaced stays as it is."""


def label_or_reissue(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
    """Decide the label alone: the next one that is due, else a new one in the place of one that the policy gives up."""
    decision = decide_label(process, rules, record, now)
    if decision.rule != LABEL_THERE:
        return decision
    reissue = _by_policy(process, rules, record, now)
    return reissue if isinstance(reissue, MakeLabel | Hold) else decision


def decide_reissue(
    process: ReturnProcess, rules: StoreRules, record: Record, now: datetime, asked: Replaced
) -> Decision:
    """Decide whether this parcel's label is replaced now: it must be there, not replaced yet and not used."""
    why = not_to_be_replaced(process, record, asked)
    if why:
        return Nothing(NOT_DUE, why)
    decision = decide_label(process, rules, record, now, replacing=asked)
    if isinstance(decision, MakeLabel):
        who = f"{asked.by} asks for it" if asked.by else "by the store's policy"
        why = f"the label of parcel {asked.parcel} is replaced, {who}: {asked.why}; {decision.why}"
        return replace(decision, rule="label_reissue", why=why, replaces=asked)
    if decision.rule == LABEL_THERE:
        return Nothing(NOT_DUE, "the return has another label that was not replaced, and the shopper can use it")
    return decision


def not_to_be_replaced(process: ReturnProcess, record: Record, asked: Replaced) -> str:
    """Why this parcel's label cannot be replaced, by the ledger and by where the parcel is; empty where it can."""
    if process.logistics is None:
        return ""  # the rules of labels say what is missing
    number = number_of(asked, process)
    if not number:
        return f"REVER does not show parcel {asked.parcel} any more"
    return _ended(process, record, number) or _not_there(number, process.logistics[number - 1].status)


def _ended(process: ReturnProcess, record: Record, number: int) -> str:
    """Why nothing more is done about this parcel's label, by the ledger."""
    if number in replaced_parcels(process, record):
        how = _how(process, record, number)
        return f"the label of parcel {number} was replaced already{how}; its new label is replaced by naming its parcel"
    given_up = (it.replaces for it in record.intents if it.state is IntentState.DROPPED and it.replaces is not None)
    if any(number_of(it, process) == number for it in given_up):
        return f"a person has given up the new label for parcel {number}"
    return ""


def _not_there(number: int, status: str) -> str:
    """Why a parcel of this status has no label that could be replaced."""
    if status in DEAD_PARCEL:
        return f"parcel {number} is {status} at REVER: its next label is made as any other that is due"
    if status in PARCEL_MOVED:
        return f"parcel {number} was scanned: the goods are on their way with its label"
    if status != ShippingStatus.CREATED:
        told = quoted(str(status)) if status else "without a status"
        return f"parcel {number} is {told} at REVER, so its label is not there yet"
    return ""


def _how(process: ReturnProcess, record: Record, number: int) -> str:
    """Who had it replaced, and why, as the end of a sentence."""
    it = next((it for it, _ in reissues(record) if number_of(it, process) == number), None)
    return "" if it is None else f", for {it.by or 'the policy'}: {it.why}"


# Which label somebody means.


class UnclearParcelError(Exception):
    """What was typed names no parcel of the return, or more than one; the sentence says what would."""


def parcel_meant(process: ReturnProcess, record: Record, typed: str) -> int:
    """The number of the parcel that was named, by its number or its tracking number; else of the only label there is.

    Once a label of the return was replaced, the next one must be named: whoever sends the same form again means the
    label that is replaced already. Raises `UnclearParcelError`.
    """
    if process.logistics is None:
        raise UnclearParcelError("REVER's answer does not tell its parcels; ask again later")
    entries = process.logistics
    if typed:
        return _named(entries, typed)
    gone = replaced_parcels(process, record)
    live = [n for n, it in enumerate(entries, start=1) if n not in gone and it.status not in DEAD_PARCEL]
    if (before := _first_reissue(record)) is not None:
        return number_of(before, process) or before.parcel
    if len(live) > 1:
        raise UnclearParcelError(f"the return has {counted(len(live), 'label')}: name the parcel, {_listed(entries)}")
    if not live:
        raise UnclearParcelError(
            "the return has no label that could be replaced; generate-labels makes one that is due"
        )
    return live[0]


def _first_reissue(record: Record) -> Replaced | None:
    """The parcel that was first replaced, or is being replaced."""
    return next((it.replaces for it in record.intents if it.replaces is not None and it.live), None)


def _named(entries: tuple[LogisticsEntry, ...], typed: str) -> int:
    folded = typed.replace(" ", "").casefold()
    found = [n for n, it in enumerate(entries, start=1) if it.tracking_number.replace(" ", "").casefold() == folded]
    if len(found) == 1:
        return found[0]
    if typed.isdecimal() and 1 <= int(typed) <= len(entries):
        return int(typed)
    raise UnclearParcelError(f"the return has no parcel of this number; {_listed(entries)}")


def _listed(entries: tuple[LogisticsEntry, ...]) -> str:
    words = [f"{n} ({it.carrier or 'no carrier'}, {it.status or 'no status'})" for n, it in enumerate(entries, start=1)]
    return f"it has parcels {', '.join(words)}" if words else "it has no parcel"


def wanted_reissue(process: ReturnProcess, parcel: int, *, by: str, why: str) -> Replaced:
    """The parcel of this number as one whose label somebody wants replaced."""
    entries = process.logistics or ()
    tracking = entries[parcel - 1].tracking_number if 1 <= parcel <= len(entries) else ""
    return Replaced(parcel, mark_of(process.rever_process_id, tracking), by, why)


# By the store's policy.


@dataclass(frozen=True, slots=True)
class _Unused:
    """A label that is there and not used: its parcel, and since when it is known to be so."""

    parcel: int
    since: datetime


def _by_policy(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision | None:
    """The new label for one that the policy gives up; None where it gives none up, or as often as it may."""
    policy = rules.policy.labels.reissue
    asked_before = sum(it.replaces is not None and it.state is not IntentState.WITHDRAWN for it in record.intents)
    if asked_before >= policy.at_most:
        return None
    for it in sorted(_unused(process, record), key=lambda it: (it.since, it.parcel)):
        why = _too_old(it, rules, now)
        if why:
            asked = wanted_reissue(process, it.parcel, by="", why=why)
            return decide_reissue(process, rules, record, now, asked)
    return None


def _too_old(it: _Unused, rules: StoreRules, now: datetime) -> str:
    policy, there = rules.policy.labels.reissue, now - it.since
    since = f"it is there since {clock_time(it.since, rules.zone)} and was not used"
    if policy.expire_days is not None and there >= timedelta(days=policy.expire_days):
        return f"{since}; labels expire after {counted(policy.expire_days, 'day')}"
    if policy.unused_days is not None and there >= timedelta(days=policy.unused_days):
        return f"{since} for {counted(there.days, 'day')}"
    return ""


def _unused(process: ReturnProcess, record: Record) -> Iterator[_Unused]:
    """The labels that are there and count; one that no run has seen before is left out."""
    gone = replaced_parcels(process, record)
    for number, entry in enumerate(process.logistics or (), start=1):
        seen = _seen(entry, number, record)
        known = seen is not None and seen.status == entry.status == ShippingStatus.CREATED
        if known and seen is not None and number not in gone:
            yield _Unused(number, seen.at)


def _seen(entry: LogisticsEntry, number: int, record: Record) -> ParcelChange | None:
    """The last change of this parcel that was seen: by its tracking number, or its number where it has none."""
    known = [it for it in record.parcels or () if it.parcel > 0]
    same = [it for it in known if it.tracking and it.tracking == entry.tracking_number]
    same = same or [it for it in known if it.parcel == number and not (it.tracking and entry.tracking_number)]
    return max(same, key=lambda it: it.n, default=None)
