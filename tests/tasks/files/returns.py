"""Returns and mappings for tests of files."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from rever_api.models import ReturnProcess, Review
from tasks.files.inspections import AnyRow, read_inspections
from tasks.files.mapped_rows import find_header
from tasks.files.mapping import InspectionMapping
from tasks.files.table import Row
from tasks.files.verdicts import NOTHING_KNOWN, FileVerdict, Known, judge
from tasks.policy.kinds.review import KnownReview, Reviews

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
BEGAN = "2026-03-01T10:00:00Z"
HEADER = ("order", "sku", "quantity", "outcome", "unit")
DECLINED = {"status": "DECLINED", "reason": "worn"}
MAPPING = InspectionMapping.model_validate(
    {
        "columns": {name: name for name in HEADER},
        "words": {
            "GOOD": "APPROVED",
            "bad": {"status": "DECLINED", "reason": "worn"},
            "gone": "MISSING",
            "in": "NOT_YET",
        },
    }
)
SEVERAL = MAPPING.model_copy(update={"several_parted_by": "\n"})
"""Several products may stand in one cell, each in a line of its own."""


def line(name: str, sku: str = "", *, quantity: int = 1, total: str = "", ean: str = "") -> dict[str, object]:
    price = total or str(10 * quantity)
    return {
        "id": name,
        "quantity": quantity,
        "product": {"sku": sku or name.upper(), "ean": ean},
        "total_price": price,
        "currency": "EUR",
        "compensation_method": "BANK_TRANSFER",
    }


def process(name: str, lines: Sequence[Mapping[str, object]], **other: object) -> ReturnProcess:
    """A running return of the order `#` and its name in capitals, with nothing inspected yet."""
    values = {
        "rever_process_id": name,
        "rever_process_status": "RUNNING",
        "ecommerce_id": "acme",
        "order_name": f"#{name.upper()}",
        "started_at": BEGAN,
        "return_line_items": lines,
        "reviews": (),
    }
    return ReturnProcess.model_validate(values | other)


def reviewed(it: ReturnProcess, reviews: Reviews | Iterable[tuple[str, str]]) -> ReturnProcess:
    """The return once REVER has taken these reviews."""
    more = tuple(
        Review(line_item_id=each[0], status=each[1])
        if isinstance(each, tuple)
        else Review(line_item_id=each.line_id, status=each.status)
        for each in reviews
    )
    return it.model_copy(update={"reviews": (*(it.reviews or ()), *more)})


def after(processes: Iterable[ReturnProcess], found: FileVerdict) -> list[ReturnProcess]:
    """The returns once all that the file asks for is done."""
    wanted = found.reviews()
    return [reviewed(it, wanted.get(it.rever_process_id, ())) for it in processes]


def rows_of(
    rows: Sequence[Sequence[str]], header: Sequence[str] = HEADER, mapping: InspectionMapping = MAPPING
) -> list[AnyRow]:
    """The rows of a file with this header, the first of them row 2."""
    table = [Row(1, tuple(header)), *(Row(number, tuple(cells)) for number, cells in enumerate(rows, 2))]
    return list(read_inspections(table, find_header(table, mapping.columns.named(), "in.csv"), mapping))


def judged(
    rows: Sequence[Sequence[str]],
    *processes: ReturnProcess,
    now: datetime = NOW,
    before: Known = NOTHING_KNOWN,
    header: Sequence[str] = HEADER,
    mapping: InspectionMapping = MAPPING,
) -> FileVerdict:
    return judge(rows_of(rows, header, mapping), processes, now, before)


def known(*files: FileVerdict, file: str = "", cumulative: bool = False) -> Known:
    """What the ledger knows once the reviews of these files are done; `file` is the digest of the next one."""
    reviews = defaultdict[str, list[KnownReview]](list)
    for found in files:
        for process_id, units in found.reviews().items():
            reviews[process_id] += [KnownReview(unit) for unit in units]
    return Known(reviews, file, cumulative)
