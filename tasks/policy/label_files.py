"""Which labels' files are to be fetched, and when one that did not come is asked for again. Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import SecretStr

from rever_api.models import ProcessStatus, ReturnProcess, ShippingStatus
from tasks.policy.clocks import ahead
from tasks.policy.record import ParcelChange, Record
from tasks.policy.replaced import superseded
from tasks.policy.tracking import parcel_numbers, view_of

MOST_TRIES = 10
"""So often runs ask for one file; after that only a person does (`rever-returns labels get`)."""

_SECOND_WAIT, _LONGEST_WAIT = timedelta(minutes=30), timedelta(days=1)
_GOING_ON = frozenset({ProcessStatus.RUNNING, ProcessStatus.ON_HOLD})


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the ledger knows of the file of one parcel's label.

    `digest` is the SHA-256 of its content, empty as long as none came and once it was forgotten; `kind` pdf, png or
    jpg; `size` in bytes. `tries` counts how often it was asked for in vain, the last time at `tried_at`, and `why` says
    what came of that. `removed_at` is when the file was deleted, for its age or by an erasure request.
    """

    process_id: str
    parcel: int
    store: str
    order_name: str = ""
    digest: str = ""
    kind: str = ""
    size: int = 0
    kept_at: datetime | None = None
    tries: int = 0
    tried_at: datetime | None = None
    why: str = ""
    removed_at: datetime | None = None

    @property
    def kept(self) -> bool:
        """Whether the file is there."""
        return bool(self.digest) and self.removed_at is None


@dataclass(frozen=True, slots=True)
class WantedFile:
    """The label's file of one parcel, which may be asked for. `url` is the address that the return shows for it, if it
    shows one: a secret. `youngest`: REVER gives an address of it when it is asked about the return.
    """

    process_id: str
    store: str
    order_name: str
    parcel: int
    url: SecretStr = field(default=SecretStr(""), repr=False)
    youngest: bool = True
    email: str = field(default="", repr=False)


def files_of(
    process: ReturnProcess, store: str, known: Sequence[ParcelChange], record: Record | None = None
) -> list[WantedFile]:
    """The labels of a return that are ready and not used yet, the youngest first.

    Of a parcel that the carrier has, nobody needs the label any more; nor of one whose label was replaced, which the
    `record` says where there is any.
    """
    if process.rever_process_status not in _GOING_ON:
        return []
    gone = replaced_numbers(process, known, record)
    numbered = zip(parcel_numbers(known, view_of(process)), process.logistics or (), strict=True)
    ready = [(no, entry) for no, entry in numbered if entry.status == ShippingStatus.CREATED and no not in gone]
    return [
        _wanted(process, store, number, entry.label_url, youngest=place == 0)
        for place, (number, entry) in enumerate(reversed(ready))
        if place == 0 or entry.label_url.get_secret_value()
    ]


def replaced_numbers(process: ReturnProcess, known: Sequence[ParcelChange], record: Record | None) -> frozenset[int]:
    """The numbers of the parcels whose label another one stands for by now."""
    places = superseded(process, record) if record is not None else frozenset[int]()
    numbers = parcel_numbers(known, view_of(process))
    return frozenset(number for place, number in enumerate(numbers, start=1) if place in places)


def file_of_new_label(process: ReturnProcess, store: str, known: Sequence[ParcelChange]) -> WantedFile:
    """The file of a label that was made after this read: the parcel after all that it shows."""
    numbers = (*parcel_numbers(known, view_of(process)), *(change.parcel for change in known))
    return _wanted(process, store, max((0, *numbers)) + 1, SecretStr(""), youngest=True)


def _wanted(process: ReturnProcess, store: str, number: int, url: SecretStr, *, youngest: bool) -> WantedFile:
    email = process.shopper.email if process.shopper else ""
    return WantedFile(process.rever_process_id, store, process.order_name, number, url, youngest, email)


def due(wanted: Sequence[WantedFile], known: Collection[KnownFile], now: datetime) -> Iterator[WantedFile]:
    """Those of these files that are not kept, were not removed, and may be asked for now."""
    rows = {(it.process_id, it.parcel): it for it in known}
    return (it for it in wanted if _is_due(rows.get((it.process_id, it.parcel)), now))


def _is_due(row: KnownFile | None, now: datetime) -> bool:
    if row is None:
        return True
    if row.digest or row.removed_at is not None:
        return False
    return row.tries < MOST_TRIES and (asks_again_at(row, now) or now) <= now


def asks_again_at(row: KnownFile, now: datetime) -> datetime | None:
    """When a run asks again for a file that did not come; None where none does.

    The next run does, then one after half an hour, and each time after twice as long, at most a day.
    """
    if row.kept or row.removed_at is not None or row.tries >= MOST_TRIES:
        return None
    if row.tried_at is None or row.tries <= 1 or ahead(row.tried_at, now):
        return now
    doubled: int = 2 ** (row.tries - 2)
    return row.tried_at + min(_SECOND_WAIT * doubled, _LONGEST_WAIT)
