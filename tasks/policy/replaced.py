"""Which parcels of a return have had their label replaced: they never count as the return's label again. Pure.

REVER cannot take a label back, so it goes on showing the parcel, and a shopper may still use it. Of a label and those
that replaced it, one after another, one counts: the one that was used, else the newest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from rever_api.models import ReturnProcess
from tasks.policy.facts import PARCEL_MOVED
from tasks.policy.record import BY_A_PERSON, LABEL_KINDS, Intent, IntentState, ParcelChange, Record, Replaced

REPLACED = frozenset({IntentState.DONE, IntentState.DONE_BY_HAND})
"""States of a reissue in which the old label is replaced."""


def mark_of(process_id: str, tracking: str) -> str:
    """What a parcel is known by without its tracking number, which is erased with the shopper's data.

    Of 32 bits: enough to tell the parcels of a return apart, and too few to lead back to a tracking number.
    """
    return sha256(f"{process_id}/{tracking}".encode()).hexdigest()[:8] if tracking else ""


def reissues(record: Record) -> tuple[tuple[Replaced, Intent], ...]:
    """The parcels of this return whose label was replaced, each with the label in its place, in their order."""
    return tuple((it.replaces, it) for it in record.intents if it.replaces is not None and it.state in REPLACED)


def number_of(asked: Replaced, process: ReturnProcess) -> int:
    """The number at which REVER shows this parcel now, from 1; 0 where it does not show it."""
    entries = process.logistics or ()
    marks = [mark_of(process.rever_process_id, it.tracking_number) for it in entries]
    if asked.mark and asked.mark in marks:
        return marks.index(asked.mark) + 1
    there = 1 <= asked.parcel <= len(entries) and not (asked.mark and marks[asked.parcel - 1])
    return asked.parcel if there else 0


def replaced_parcels(process: ReturnProcess, record: Record) -> frozenset[int]:
    """The numbers, from 1, of the parcels that REVER shows and whose label was replaced."""
    return frozenset(number_of(it, process) for it, _ in reissues(record)) - {0}


def not_shown_by_hand(process: ReturnProcess, record: Record) -> int:
    """How many labels that a person took care of REVER does not show. What it shows beyond ours is taken for them,
    but for what it showed before a person answered, and for a label that one of ours replaced.
    """
    labels = [it for it in record.intents if it.kind in LABEL_KINDS]
    closed = [it for it in labels if it.state in BY_A_PERSON]
    if not closed:
        return 0
    first = min(it.generation for it in closed)
    ours = {it.generation for it in labels if it.state is IntentState.DONE}
    before = first - 1 - sum(it.live and it.generation < first for it in labels)
    theirs = sum(number_of(it, process) not in {*range(first), *ours} for it, _ in reissues(record))
    others = len(process.logistics or ()) - len(ours) - before - theirs
    return max(0, len(closed) - max(0, others))


def place_of(label: Intent, process: ReturnProcess, record: Record) -> int:
    """The place of a label's parcel among those that REVER shows, from 1: numbers of labels that it does not show are
    left out.
    """
    closed = [it for it in record.intents if it.kind in LABEL_KINDS and it.state in BY_A_PERSON]
    before = sum(it.generation < label.generation for it in closed)
    return label.generation - max(0, before - (len(closed) - not_shown_by_hand(process, record)))


def _families(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The parcels of which each took the place of the one before, from pairs of an old and a new one."""
    found: list[list[int]] = []
    for old, new in pairs:
        family = next((each for each in found if old in each), None)
        if family is None:
            found.append(family := [old])
        if new and new not in family:
            family.append(new)
    return found


def _shown_families(process: ReturnProcess, record: Record) -> list[list[int]]:
    """The families of the parcels that REVER shows, by their numbers."""
    many = len(process.logistics or ())
    pairs = []
    for it, label in reissues(record):
        new = place_of(label, process, record) if label.state is IntentState.DONE else 0
        pairs.append((number_of(it, process), new if new <= many else 0))
    return _families((old, new) for old, new in pairs if old)


def superseded(process: ReturnProcess, record: Record, replacing: Replaced | None = None) -> frozenset[int]:
    """The numbers of the parcels that do not count, since another does in their place, or is to: `replacing`'s."""
    moved, gone = _moved(process), {0}
    for family in _shown_families(process, record):
        used = [number for number in family if number in moved]
        gone |= set(family) - {used[0] if used else max(family) if len(family) > 1 else 0}
    return frozenset(gone | ({number_of(replacing, process)} if replacing is not None else set())) - {0}


def both_used(process: ReturnProcess, record: Record) -> tuple[int, int] | None:
    """The numbers of a parcel whose label was replaced and of one in its place, where the carrier has had both."""
    return _both(_shown_families(process, record), _moved(process))


def replaced_in_use(process: ReturnProcess, record: Record) -> bool:
    """Whether the carrier has, or had, a parcel whose label was replaced."""
    return bool(replaced_parcels(process, record) & _moved(process))


def _moved(process: ReturnProcess) -> frozenset[int]:
    return frozenset(n for n, it in enumerate(process.logistics or (), start=1) if it.status in PARCEL_MOVED)


def _both(families: Iterable[list[int]], moved: Iterable[int]) -> tuple[int, int] | None:
    used = ([number for number in family if number in set(moved)] for family in families)
    return next(((family[0], family[1]) for family in used if len(family) > 1), None)


# By the changes of parcels that were seen, where no read tells of them.


@dataclass(frozen=True, slots=True)
class ReplacedAsSeen:
    """Of the parcels as they were seen (`Record.parcels`): those whose label was replaced, and of which of them and of
    one in its place the carrier has had both.
    """

    numbers: frozenset[int] = frozenset()
    both: tuple[int, int] | None = None


def replaced_as_seen(record: Record) -> ReplacedAsSeen:
    """What the changes of parcels that were seen show of labels that were replaced."""
    ones = reissues(record)
    if not ones:
        return ReplacedAsSeen()
    last = {it.parcel: it for it in sorted(record.parcels or (), key=lambda it: it.n) if it.parcel > 0}
    pairs = [(_seen_number(it, last, record.process_id), label.generation) for it, label in ones]
    moved = sorted(number for number, it in last.items() if it.status in PARCEL_MOVED)
    numbers = frozenset(old for old, _ in pairs) & last.keys()
    return ReplacedAsSeen(numbers, _both(_families((old, new) for old, new in pairs if old), moved))


def _seen_number(asked: Replaced, last: Mapping[int, ParcelChange], process_id: str) -> int:
    same = [number for number, it in last.items() if asked.mark and mark_of(process_id, it.tracking) == asked.mark]
    return same[0] if same else asked.parcel
