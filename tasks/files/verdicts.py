"""What becomes of each row of a warehouse's file, by what REVER shows. Pure, and the same for the same.

REVER shows how many units of a line have which review, and not which rows they came from. So units are counted: a row
whose unit REVER shows already is done, whoever did it, and only what is over is new. A file that comes twice, in halves
or grown by some rows does nothing twice. What cannot all be true is left to a person, with both sides.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rever_api.models import ProcessStatus, ReturnLineItem, ReturnProcess
from tasks.files.inspections import AnyRow, InspectedUnit, Inspection
from tasks.files.mapped_rows import Footer, WrongRow
from tasks.files.matching import NoMatchError, ReturnIndex, lines_of
from tasks.files.refused_file import ReturnedRow
from tasks.policy.facts import contradictions, counted
from tasks.policy.kinds.review import UnitReview

ELLIPSIS = "\u2026"
SHORT_NUMBER = 4
"""A number of fewer digits tells nothing of a shopper, and may be the row's own or a quantity."""
MOST_NUMBERS = 10
"""Rows that are named beside a reason."""

_SLACK = timedelta(days=1)
"""By how much clocks and zones may be wrong."""


class Verdict(StrEnum):
    """What becomes of a row."""

    REVIEW = "review"
    ALREADY = "already done"
    REFUSED = "refused"
    CONTRADICTS = "contradicts"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """What becomes of one row, and why. `reviews` are the units to be reviewed, of the return `process_id`.

    `passes`: what keeps it back passes by itself, so that the same row can be sent again as it is.
    """

    number: int
    cells: tuple[str, ...] = field(repr=False)
    verdict: Verdict
    why: str
    process_id: str = ""
    order_name: str = ""
    store: str = ""
    reviews: tuple[UnitReview, ...] = ()
    passes: bool = False

    @property
    def reason(self) -> str:
        """Why, without what stands in the row: for reports, which hold no personal data."""
        why = self.why
        for cell in sorted({each.strip() for each in self.cells}, key=len, reverse=True):
            if len(cell) > 1 and not (cell.isdecimal() and len(cell) < SHORT_NUMBER):
                why = why.replace(repr(cell), ELLIPSIS).replace(cell, ELLIPSIS)
        return why

    @property
    def comes_back(self) -> bool:
        """Whether it goes into the file of the rows that are to be mended."""
        return self.verdict in {Verdict.REFUSED, Verdict.CONTRADICTS, Verdict.HELD}


@dataclass(frozen=True, slots=True)
class Came:
    """What came of the reviews of one return once they were carried out, for all rows that asked for them.

    `passes`: what kept them back passes by itself.
    """

    verdict: Verdict
    why: str
    passes: bool = False


@dataclass(frozen=True, slots=True)
class FileVerdict:
    """What becomes of a whole file. `footers` are rows that the mapping says are no data; they are not read.

    `acted` says that it is what has become of it: its reviews were sent.
    """

    rows: tuple[RowVerdict, ...]
    footers: int = 0
    acted: bool = False

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many rows have which verdict; together they are all rows that were read."""
        found = Counter(row.verdict for row in self.rows)
        return {verdict: found[verdict] for verdict in Verdict}

    def returned(self) -> list[ReturnedRow]:
        """The rows that come back, each with its reason."""
        back = (row for row in self.rows if row.comes_back)
        refused = Verdict.REFUSED
        return [(it.cells, it.why if it.verdict is refused else f"{it.verdict}: {it.why}") for it in back]

    def reviews(self) -> dict[str, tuple[UnitReview, ...]]:
        """Return's id -> the units that are to be reviewed there, in one call."""
        found = defaultdict[str, list[UnitReview]](list)
        for row in self.rows:
            if row.reviews:
                found[row.process_id] += row.reviews
        return {process_id: tuple(units) for process_id, units in found.items()}

    def after(self, came: Mapping[str, Came], *, acted: bool) -> "FileVerdict":
        """The verdicts once the reviews were carried out, or in a plan decided about, by return.

        What the run did not come to is refused.
        """
        ended = Came(Verdict.REFUSED, "the run ended before it", passes=True)
        rows = []
        for row in self.rows:
            if row.verdict is Verdict.REVIEW:
                now = came.get(row.process_id, ended)
                left = replace(row, verdict=now.verdict, why=now.why, reviews=(), passes=now.passes)
                rows.append(row if now.verdict is Verdict.REVIEW else left)
            else:
                rows.append(row)
        return replace(self, rows=tuple(rows), acted=acted)

    @property
    def passing(self) -> int:
        """How many rows are kept back by what passes by itself."""
        return sum(row.passes for row in self.rows)

    def reasons(self) -> list[str]:
        """Why rows come back, each reason once with the numbers of its rows; nothing of what stands in them."""
        rows = defaultdict[str, list[int]](list)
        for row in self.rows:
            if row.comes_back:
                rows[f"{row.verdict}: {row.reason}"].append(row.number)
        return [f"{_numbers(numbers)} {reason}" for reason, numbers in rows.items()]

    @property
    def words(self) -> str:
        """The rows that were read, all accounted for."""
        many = self.counts
        review = "reviewed" if self.acted else "to review"
        parts = [f"{many[Verdict.REVIEW]:,} {review}", f"{many[Verdict.ALREADY]:,} already done"]
        parts += [f"{many[Verdict.REFUSED]:,} refused", f"{many[Verdict.CONTRADICTS]:,} that contradict"]
        parts += [f"{many[Verdict.HELD]:,} held"] if many[Verdict.HELD] else []
        units = sum(len(reviews) for reviews in self.reviews().values())
        reviews = f": {counted(units)} of {counted(len(self.reviews()), 'return')}" if units else ""
        footers = f" ({counted(self.footers, 'footer')} left out)" if self.footers else ""
        return f"{counted(len(self.rows), 'row')} read{footers} = {' + '.join(parts)}{reviews}"


def together(found: Sequence[FileVerdict]) -> FileVerdict:
    """What became of several files, as of one."""
    rows = tuple(row for each in found for row in each.rows)
    return FileVerdict(rows, sum(each.footers for each in found), any(each.acted for each in found))


def _numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:MOST_NUMBERS])) + ("" if len(numbers) <= MOST_NUMBERS else ", ...")
    return f"row {shown}" if len(numbers) == 1 else f"{len(numbers):,} rows ({shown})"


@dataclass(slots=True)
class _Unit:
    """One unit of a row, and what becomes of it."""

    row: Inspection
    unit: InspectedUnit
    process: ReturnProcess
    lines: tuple[ReturnLineItem, ...]
    done: str = ""
    review: UnitReview | None = None


@dataclass(slots=True)
class _Line:
    """A line of a return while units are dealt out: the reviews that REVER shows and no row has taken, and the rest."""

    line: ReturnLineItem
    shown: Counter[str] = field(default_factory=Counter)
    total: int = 0
    claims: list[_Unit] = field(default_factory=list)

    @property
    def room(self) -> int:
        return self.line.quantity - self.total


def judge(rows: Iterable[AnyRow], processes: Iterable[ReturnProcess], now: datetime) -> FileVerdict:
    """What becomes of each row, given the returns as REVER shows them and the time."""
    index = ReturnIndex.of(processes)
    settled: dict[int, RowVerdict] = {}
    footers = 0
    units = defaultdict[str, list[_Unit]](list)
    order: list[Inspection | WrongRow] = []
    for row in rows:
        if isinstance(row, Footer):
            footers += 1
            continue
        order.append(row)
        if isinstance(row, WrongRow):
            settled[row.number] = RowVerdict(row.number, row.cells, Verdict.REFUSED, row.why)
            continue
        try:
            found = _units_of(row, index, now)
        except NoMatchError as error:
            settled[row.number] = RowVerdict(row.number, row.cells, Verdict.REFUSED, str(error))
            continue
        units[found[0].process.rever_process_id] += found
    for several in units.values():
        settled |= {verdict.number: verdict for verdict in _judge_return(several)}
    return FileVerdict(tuple(settled[row.number] for row in order), footers)


def _units_of(row: Inspection, index: ReturnIndex, now: datetime) -> list[_Unit]:
    """The units of a row, each with the lines it can be of. Raises `NoMatchError`."""
    found = list[_Unit]()
    for unit in row.units:
        process = index.find(row.keys, unit.product)
        if found and process is not found[0].process:
            raise NoMatchError("its products are of more than one return; name the return itself")
        if not (lines := tuple(lines_of(process, unit.product))):
            raise NoMatchError(f"return {process.rever_process_id} has no line with {unit.product.words}")
        found.append(_Unit(row, unit, process, lines))
    process = found[0].process
    if process.reviews is None:
        raise NoMatchError("REVER's answer does not tell what is inspected already")
    if wrong := contradictions(process):
        raise NoMatchError(f"what REVER shows of return {process.rever_process_id} cannot be: {wrong[0]}")
    if row.inspected_at and row.inspected_at > now + _SLACK:
        raise NoMatchError(f"it was inspected on {row.inspected_at:%Y-%m-%d}, which is still to come")
    if row.inspected_at and process.started_at and row.inspected_at < process.started_at - _SLACK:
        words = f"it was inspected on {row.inspected_at:%Y-%m-%d}, before the return began"
        raise NoMatchError(f"{words} on {process.started_at:%Y-%m-%d}; it may be about another return")
    return found


def _terms(line: ReturnLineItem) -> tuple[object, ...]:
    """What a unit of a line is worth, and how it is paid: lines that are alike in it may stand for each other."""
    each = None if line.total_price is None or line.quantity < 1 else line.total_price / line.quantity
    wanted = line.exchange_for and (line.exchange_for.product_id, line.exchange_for.variant_id)
    return each, line.currency, str(line.compensation_method), wanted


def _judge_return(units: Sequence[_Unit]) -> Iterable[RowVerdict]:
    """The verdicts of all rows about one return."""
    process = units[0].process
    clashes, same_as = _same_units(units)
    unclear = _unclear(units)
    left_out = clashes.keys() | same_as.keys() | unclear.keys()
    dealt = [unit for unit in units if unit.row.number not in left_out]
    for line in _deal(process, dealt):
        if len(line.claims) > line.room:
            clashes |= {unit.row.number: _too_many(line) for unit in line.claims}
    # A row that is left to a person must not stand for what another row has done: the others are dealt by themselves.
    for line in _deal(process, [unit for unit in dealt if unit.row.number not in clashes]):
        for number, unit in enumerate(sorted(line.claims, key=lambda it: it.row.number), line.total + 1):
            unit.review = UnitReview(line.line.id, number, unit.unit.status, unit.unit.reason)
    rows = defaultdict[int, list[_Unit]](list)
    for unit in units:
        rows[unit.row.number].append(unit)
    found: dict[int, RowVerdict] = {}
    for number, its in rows.items():
        first = found.get(same_as.get(number, 0))
        if number in unclear:
            found[number] = _said_of(its[0], Verdict.REFUSED, unclear[number])
        elif first is None:
            found[number] = _of_row(its, clashes.get(number, ""))
        elif first.comes_back:
            found[number] = replace(first, number=number, cells=its[0].row.cells)
        else:
            why = f"row {first.number} says the same of the unit {its[0].row.label}"
            found[number] = replace(
                first, number=number, cells=its[0].row.cells, verdict=Verdict.ALREADY, why=why, reviews=()
            )
    return found.values()


def _unclear(units: Sequence[_Unit]) -> dict[int, str]:
    """Rows whose product is on several lines that are not paid alike, so that it matters which one is meant; and why.

    It does not where all units of these lines are inspected, nor where the file says the same of each of them and
    REVER shows nothing else of any.
    """
    apart = defaultdict[tuple[str, ...], list[_Unit]](list)
    for unit in units:
        if len({_terms(line) for line in unit.lines}) > 1:
            apart[tuple(line.id for line in unit.lines)].append(unit)
    unclear: dict[int, str] = {}
    for ids, mine in apart.items():
        said = [str(it.unit.status) for it in units if any(line.id in ids for line in it.lines)]
        shown = [str(it.status) for it in mine[0].process.reviews or () if it.line_item_id in ids]
        many = sum(line.quantity for line in mine[0].lines)
        if len(shown) == many or (len(said) == many and len({*said, *shown}) == 1):
            continue
        words = f"{mine[0].unit.product.words} is on lines that are not paid alike, {', '.join(ids)}"
        why = f"{words}; name the line, or send all of its units in one file"
        unclear |= {unit.row.number: why for unit in mine}
    return unclear


def _same_units(units: Sequence[_Unit]) -> tuple[dict[int, str], dict[int, int]]:
    """Rows that name one and the same unit by its label: those that contradict each other, and the repeated ones.

    Both are by the number of the row: why they contradict; and the first row that says the same.
    """
    clashes: dict[int, str] = {}
    same_as: dict[int, int] = {}
    labelled = defaultdict[str, list[_Unit]](list)
    for unit in units:
        if unit.row.label:
            labelled[unit.row.label.casefold()].append(unit)
    for same in labelled.values():
        first = same[0]
        if len({(it.unit.status, tuple(line.id for line in it.lines)) for it in same}) > 1:
            rows = ", ".join(f"row {it.row.number} says {it.unit.status}" for it in same)
            clashes |= {it.row.number: f"of the one unit {first.row.label} {rows}" for it in same}
        else:
            same_as |= {it.row.number: first.row.number for it in same[1:]}
    return clashes, same_as


def _deal(process: ReturnProcess, units: Sequence[_Unit]) -> Iterable[_Line]:
    """Deal units of a return out to its lines.

    A unit goes to where REVER shows such a review that no other has taken, and is done; else to where there is room.
    Those that name their line have no choice, and come first.
    """
    lines = {line.id: _Line(line) for line in process.return_line_items}
    for review in process.reviews or ():
        lines[review.line_item_id].shown[str(review.status)] += 1
        lines[review.line_item_id].total += 1
    for unit in sorted(units, key=lambda it: len(it.lines)):
        mine = [lines[line.id] for line in unit.lines]
        status = str(unit.unit.status)
        unit.done = ""
        if (line := next((it for it in mine if it.shown[status] > 0), None)) is not None:
            line.shown[status] -= 1
            more = f", and {counted(line.room)} of the line not inspected" if line.room > 0 else ""
            unit.done = f"REVER shows it as {status}{more}"
        else:
            next((it for it in mine if it.room > len(it.claims)), mine[0]).claims.append(unit)
    return lines.values()


def _too_many(line: _Line) -> str:
    """Why the units of a line cannot all be true: what REVER shows, and what which row says."""
    says = ", ".join(f"row {unit.row.number} says {unit.unit.status}" for unit in line.claims)
    left = ", ".join(f"{many} {status}" for status, many in sorted(line.shown.items()) if many)
    rever = f"REVER shows {line.total} of them inspected" + (f" ({left} not in this file)" if left else "")
    return f"line {line.line.id} has {counted(line.line.quantity)}, {rever}, and {says}"


def _of_row(units: Sequence[_Unit], clash: str) -> RowVerdict:
    first = units[0]
    reviews = tuple(unit.review for unit in units if unit.review is not None)
    if clash:
        return _said_of(first, Verdict.CONTRADICTS, clash)
    if not reviews:
        return _said_of(first, Verdict.ALREADY, "; ".join(dict.fromkeys(unit.done for unit in units)))
    if first.process.rever_process_status != ProcessStatus.RUNNING:
        return _said_of(first, Verdict.REFUSED, f"the return is {first.process.rever_process_status} at REVER")
    said = ", ".join(f"line {it.line_id} unit {it.unit} {it.status}" for it in reviews)
    done = sum(1 for unit in units if unit.done)
    why = said + (f"; {counted(done)} done already" if done else "")
    return replace(_said_of(first, Verdict.REVIEW, why), reviews=reviews)


def _said_of(unit: _Unit, verdict: Verdict, why: str) -> RowVerdict:
    row, process = unit.row, unit.process
    names = (process.rever_process_id, process.order_name, process.ecommerce_id)
    return RowVerdict(row.number, row.cells, verdict, why, *names)
