"""What becomes of each row of a warehouse's file, by what REVER shows. Pure, and the same for the same.

REVER shows how many units of a line have which review, and not which rows they came from; the ledger knows the rows by
which this desk reviewed. So units are counted: a row that is known, or whose unit REVER shows already, is done, and
only what is over is new. A file that comes twice, in halves or grown by some rows does nothing twice. Where a row may
be an old one again or another unit, it is refused. What cannot all be true is left to a person, with both sides.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rever_api.models import ProcessStatus, ReturnLineItem, ReturnProcess
from tasks.files.inspections import AnyRow, InspectedUnit, Inspection
from tasks.files.mapped_rows import Footer, WrongRow
from tasks.files.matching import NoMatchError, ReturnIndex, lines_of
from tasks.files.refused_file import ReturnedRow
from tasks.policy.facts import contradictions, counted
from tasks.policy.kinds.review import KnownReview, UnitReview

_ELLIPSIS = "\u2026"
_SHORT_NUMBER = 4
"""A number of fewer digits tells nothing of a shopper, and may be the row's own or a quantity."""
_MOST_NUMBERS = 10
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

    `passes`: what keeps it back passes by itself, so that the same row can be sent again as it is. `says` are the units
    that it is about, line and status; `asks` that it contradicts what REVER shows, so that a person is asked.
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
    says: tuple[tuple[str, str], ...] = ()
    asks: bool = False

    @property
    def reason(self) -> str:
        """Why, without what stands in the row: for reports, which hold no personal data."""
        why = self.why
        for cell in sorted({each.strip() for each in self.cells} - {why}, key=len, reverse=True):
            if len(cell) > 1 and not (cell.isdecimal() and len(cell) < _SHORT_NUMBER):
                why = why.replace(repr(cell), _ELLIPSIS).replace(cell, _ELLIPSIS)
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
class Known:
    """What was there before a file: the reviews that the ledger knows of each return.

    `file` is the digest of this one, and `cumulative` says that each file has the rows of those before it again.
    """

    reviews: Mapping[str, Sequence[KnownReview]] = field(default_factory=dict)
    file: str = ""
    cumulative: bool = False


NOTHING_KNOWN = Known()


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What a file says against REVER of a return: `says` is line -> status -> units, `why` has both sides."""

    says: Mapping[str, Mapping[str, int]]
    why: str


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

    def contradictions(self) -> dict[str, Contradiction]:
        """Return's id -> what the rows say that contradict what REVER shows, with all other rows of their lines."""
        found: dict[str, Contradiction] = {}
        asking = {row.process_id for row in self.rows if row.asks}
        for process_id in sorted(asking):
            mine = [row for row in self.rows if row.process_id == process_id]
            lines = {line for row in mine if row.asks for line, _ in row.says}
            says = {
                line: Counter(status for row in mine for it, status in row.says if it == line) for line in sorted(lines)
            }
            found[process_id] = Contradiction(says, "; ".join(dict.fromkeys(row.why for row in mine if row.asks)))
        return found

    def agreed(self) -> dict[str, frozenset[str]]:
        """Return's id -> the lines of which this file says what REVER shows, and no row of it anything else."""
        lines = defaultdict[str, set[str]](set)
        others = defaultdict[str, set[str]](set)
        for row in self.rows:
            kept = lines if row.verdict is Verdict.ALREADY else others
            kept[row.process_id] |= {line for line, _ in row.says}
        return {process_id: frozenset(each - others[process_id]) for process_id, each in lines.items()}

    def after(self, came: Mapping[str, Came], unasked: Collection[str] = (), *, acted: bool) -> "FileVerdict":
        """The verdicts once the reviews were carried out, or in a plan decided about, by return.

        What the run did not come to is refused. `unasked` are returns about which a person was to be asked, and was
        not: their rows must be sent again.
        """
        ended = Came(Verdict.REFUSED, "the run ended before it", passes=True)
        rows = []
        for row in self.rows:
            if row.verdict is Verdict.REVIEW:
                now = came.get(row.process_id, ended)
                left = replace(row, verdict=now.verdict, why=now.why, reviews=(), passes=now.passes)
                rows.append(row if now.verdict is Verdict.REVIEW else left)
            else:
                rows.append(replace(row, passes=True) if row.asks and row.process_id in unasked else row)
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
    shown = ", ".join(map(str, numbers[:_MOST_NUMBERS])) + ("" if len(numbers) <= _MOST_NUMBERS else ", ...")
    return f"row {shown}" if len(numbers) == 1 else f"{len(numbers):,} rows ({shown})"


@dataclass(slots=True)
class _Unit:
    """One unit of a row, and what becomes of it."""

    row: Inspection
    unit: InspectedUnit
    process: ReturnProcess
    lines: tuple[ReturnLineItem, ...]
    done: str = ""
    unsure: str = ""
    review: UnitReview | None = None


@dataclass(slots=True)
class _Line:
    """A line of a return while units are dealt out: the reviews that REVER shows and no row has taken, and the rest.

    `ours` are those of `shown` that rows of files are known to have asked for.
    """

    line: ReturnLineItem
    shown: Counter[str] = field(default_factory=Counter)
    ours: Counter[str] = field(default_factory=Counter)
    total: int = 0
    claims: list[_Unit] = field(default_factory=list)

    @property
    def room(self) -> int:
        return self.line.quantity - self.total


def judge(
    rows: Iterable[AnyRow],
    processes: Iterable[ReturnProcess],
    now: datetime,
    known: Known = NOTHING_KNOWN,
    unread: Collection[str] = (),
) -> FileVerdict:
    """What becomes of each row, given the returns as REVER shows them, the time, and what the ledger knows.

    `unread` are the orders of returns that cannot be read: which of its returns a row is about cannot be told.
    """
    index = ReturnIndex.of(processes, unread)
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
        settled |= {verdict.number: verdict for verdict in _judge_return(several, known)}
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


def _judge_return(units: Sequence[_Unit], known: Known) -> Iterable[RowVerdict]:
    """The verdicts of all rows about one return."""
    process = units[0].process
    mine = known.reviews.get(process.rever_process_id, ())
    clashes, same_as = _same_units(units)
    asks = _changed(process, units, mine)
    clashes |= asks
    unclear = _unclear(units)
    left_out = clashes.keys() | same_as.keys() | unclear.keys()
    dealt = [unit for unit in units if unit.row.number not in left_out]
    for line in _deal(process, dealt, mine, known).values():
        if len(line.claims) > line.room:
            asks |= {unit.row.number: _too_many(line) for unit in line.claims}
    clashes |= asks
    # A row that is left to a person must not stand for what another row has done: the others are dealt by themselves.
    lines = _deal(process, [unit for unit in dealt if unit.row.number not in clashes], mine, known)
    unclear |= _unsure(dealt, lines, clashes.keys(), cumulative=known.cumulative)
    for line in lines.values():
        claims = sorted(line.claims, key=lambda it: it.row.number)
        claims = [unit for unit in claims if unit.row.number not in unclear]
        for number, unit in enumerate(claims, line.total + 1):
            it = unit.unit
            unit.review = UnitReview(line.line.id, number, it.status, it.reason, it.source, known.file)
    rows = defaultdict[int, list[_Unit]](list)
    for unit in units:
        rows[unit.row.number].append(unit)
    found: dict[int, RowVerdict] = {}
    for number, its in rows.items():
        first = found.get(same_as.get(number, 0))
        if number in unclear:
            found[number] = _said_of(its[0], Verdict.REFUSED, unclear[number])
        elif first is None:
            found[number] = _of_row(its, clashes.get(number, ""), asks=number in asks)
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
            clashes |= {it.row.number: f"of the one unit {it.row.label} {rows}" for it in same}
        else:
            same_as |= {it.row.number: first.row.number for it in same[1:]}
    return clashes, same_as


def _changed(process: ReturnProcess, units: Sequence[_Unit], known: Sequence[KnownReview]) -> dict[int, str]:
    """Rows of a unit or receipt that the ledger knows by another outcome, which REVER shows; and both sides.

    Where REVER shows the row's own outcome too, by whoever put it right there, the two agree.
    """
    shown = Counter((it.line_item_id, str(it.status)) for it in process.reviews or ())
    ours = Counter((it.review.line_id, str(it.review.status)) for it in known if not it.closed)
    before = defaultdict[str, Counter[tuple[str, str]]](Counter)
    for each in known:
        if not each.closed:
            before[each.review.source][each.review.line_id, str(each.review.status)] += 1
    says = defaultdict[str, list[_Unit]](list)
    for unit in units:
        if unit.row.identified:
            says[unit.unit.source].append(unit)
    changed: dict[int, str] = {}
    for source, mine in says.items():
        left = Counter(before[source])
        others = []
        for unit in mine:
            same = next((key for key in left if left[key] > 0 and key[1] == str(unit.unit.status)), None)
            if same is None:
                others.append(unit)
            else:
                left[same] -= 1
        for unit, (line, status) in zip(others, left.elements(), strict=False):
            told = str(unit.unit.status)
            if (shown - ours)[line, told] > 0:
                continue
            why = f"row {unit.row.number} says {told} of a unit of which an earlier file said {status}"
            changed[unit.row.number] = f"{why}, as REVER shows it (line {line})"
    return changed


def _unsure(
    units: Sequence[_Unit], lines: Mapping[str, _Line], clashes: Collection[int], *, cumulative: bool
) -> dict[int, str]:
    """Rows of which nobody can say whether they are old ones again or about other units, by number; and why.

    Where no unit of the line is left over once the file has said all it says, there is nothing to tell apart.
    """
    unsure: dict[int, str] = {}
    for unit in () if cumulative else units:
        if not unit.unsure or unit.row.number in clashes:
            continue
        if left := sum(max(0, lines[line.id].room - len(lines[line.id].claims)) for line in unit.lines):
            can = "write in one row how many of them are inspected by now, or have the mapping name `unit` or `receipt`"
            more = f"{counted(left, 'unit')} of the line {'is' if left == 1 else 'are'} not inspected"
            unsure[unit.row.number] = f"{unit.unsure}, and {more}: {_WHICH}; {can}"
    return unsure


_WHICH = "whether this row is about that unit or another cannot be told"


def _deal(
    process: ReturnProcess, units: Sequence[_Unit], reviews: Sequence[KnownReview], known: Known
) -> dict[str, _Line]:
    """Deal units of a return out to its lines.

    A unit whose row is known is that unit. Another one goes to where REVER shows such a review that no row is known to
    have asked for, and is done; else to where there is room. Those that name their line have no choice, and come first.
    """
    lines = {line.id: _Line(line) for line in process.return_line_items}
    for review in process.reviews or ():
        lines[review.line_item_id].shown[str(review.status)] += 1
        lines[review.line_item_id].total += 1
    before = defaultdict[str, list[KnownReview]](list)
    for each in reviews:
        before[each.review.source].append(each)
        if not each.closed and each.review.line_id in lines:
            lines[each.review.line_id].ours[str(each.review.status)] += 1
    for each_line in lines.values():
        each_line.ours &= each_line.shown
    taken = _rows_known(units, before)
    for unit in sorted(units, key=lambda it: (id(it) not in taken, len(it.lines))):
        mine = [lines[line.id] for line in unit.lines]
        status = str(unit.unit.status)
        unit.done = unit.unsure = ""
        line: _Line | None
        if (same := taken.get(id(unit))) is not None:
            if same.closed:
                unit.done = "a person has closed it"
                continue
            line = lines[same.review.line_id]
            if line.shown[status] == 0:  # it is under way, or REVER shows an older view
                line.claims.append(unit)
                continue
            line.ours[status] = max(0, line.ours[status] - 1)
            if not (unit.row.identified or same.review.file == known.file):
                unit.unsure = f"REVER shows a unit as {status}, of which an earlier file said the same"
        elif (line := next((it for it in mine if it.shown[status] > it.ours[status]), None)) is not None:
            unit.unsure = f"REVER shows a unit as {status}, of which no earlier file is known"
        else:
            line = next((it for it in mine if it.room > len(it.claims)), None)
            full = next((it for it in mine if it.shown[status] > 0), None) if line is None else None
            if full is None:
                (line or mine[0]).claims.append(unit)
                continue
            line = full  # all units are inspected, and one with this outcome that no other row stands for
        line.shown[status] -= 1
        unit.done = f"REVER shows it as {status}"
    return lines


def _rows_known(units: Sequence[_Unit], before: Mapping[str, list[KnownReview]]) -> dict[int, KnownReview]:
    """The units whose row has asked for a review before, by identity, each with that review: those alike first."""
    found: dict[int, KnownReview] = {}
    for alike in (True, False):
        for unit in units:
            ids, left = {line.id for line in unit.lines}, before.get(unit.unit.source, [])
            same = next(
                (it for it in left if it.review.line_id in ids and (it.review.status == unit.unit.status) is alike),
                None,
            )
            if unit.unit.source and id(unit) not in found and same is not None:
                left.remove(same)
                found[id(unit)] = same
    return found


def _too_many(line: _Line) -> str:
    """Why the units of a line cannot all be true: what REVER shows, and what which row says."""
    says = ", ".join(f"row {unit.row.number} says {unit.unit.status}" for unit in line.claims)
    left = ", ".join(f"{many} {status}" for status, many in sorted(line.shown.items()) if many)
    rever = f"REVER shows {line.total} of them inspected" + (f" ({left} not in this file)" if left else "")
    return f"line {line.line.id} has {counted(line.line.quantity)}, {rever}, and {says}"


def _of_row(units: Sequence[_Unit], clash: str, *, asks: bool) -> RowVerdict:
    first = units[0]
    says = tuple((unit.lines[0].id, str(unit.unit.status)) for unit in units)
    reviews = tuple(unit.review for unit in units if unit.review is not None)
    if clash:
        return replace(_said_of(first, Verdict.CONTRADICTS, clash), says=says, asks=asks)
    if not reviews:
        each = "; ".join(dict.fromkeys(unit.done for unit in units))
        return replace(_said_of(first, Verdict.ALREADY, each), says=says)
    if first.process.rever_process_status != ProcessStatus.RUNNING:
        why = f"the return is {first.process.rever_process_status} at REVER"
        return replace(_said_of(first, Verdict.REFUSED, why), says=says)
    said = ", ".join(f"line {it.line_id} unit {it.unit} {it.status}" for it in reviews)
    done = sum(1 for unit in units if unit.done)
    why = said + (f"; {counted(done)} done already" if done else "")
    return replace(_said_of(first, Verdict.REVIEW, why), reviews=reviews, says=says)


def _said_of(unit: _Unit, verdict: Verdict, why: str) -> RowVerdict:
    row, process = unit.row, unit.process
    names = (process.rever_process_id, process.order_name, process.ecommerce_id)
    return RowVerdict(row.number, row.cells, verdict, why, *names)
