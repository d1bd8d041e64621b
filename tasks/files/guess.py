"""The first mapping of a file, guessed: what each column and word probably means, how sure that is, and why.

What is not sure is left out, with its candidates as comments; a person fills it in. Nothing that is guessed approves a
unit unless the word itself says so.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice

from tasks.files.dates import DateFormat, format_of, is_time
from tasks.files.known_names import MEANINGS, NAMES, SURE, Names, named_by, plain
from tasks.files.mapped_rows import HEADER_WITHIN, first_of, is_no_data
from tasks.files.mapping import COUNTS, PRODUCT_KEYS, RETURN_KEYS, Columns, fold
from tasks.files.open_table import open_table
from tasks.files.table import BLANKS, InputFileError, Reading, Row, Table
from tasks.files.text_table import BrokenQuotesError

LOOKED_AT = 5_000
"""Rows by which is guessed."""
_NEAR = 10
"""Two columns whose percentages differ by less are both candidates."""
_NO_DATES = 30
"""Percent of a column that is called a date, and holds none that is read."""
_LEAST_COLUMNS = 2
"""Columns of a table; one names the return, another the product."""
MOST_WORDS = 60
"""A column of more different words tells no outcome."""
_FOOTERS = frozenset({"total", "totals", "sum", "summe", "gesamt", "end", "<end>"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """What might be meant, how sure that is in percent, and why."""

    meaning: str
    sure: int
    why: str


@dataclass(frozen=True, slots=True)
class Guessed:
    """A field or a word, with what may be meant, the likeliest first; `meant` is empty where it is not sure."""

    what: str
    meant: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class FileGuess:
    """How a file is read, and what its columns probably are. `rows` are those that were looked at."""

    how: str
    header: Row
    rows: int
    columns: tuple[Guessed, ...]
    separator: str = ""
    encoding: str = ""
    quoted: bool = True
    sheet: str = ""
    several_parted_by: str = ""
    fill_down: bool = False
    footers: tuple[str, ...] = ()
    values: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    """Field -> what stands in its column, of those that are sure."""

    @property
    def meant(self) -> dict[str, str]:
        """Field -> column, of those that are sure."""
        return {it.what: it.meant for it in self.columns if it.meant}

    @property
    def lacks(self) -> tuple[str, ...]:
        """What a person has to say before the mapping can be used, in sentences."""
        return ()


@dataclass(frozen=True, slots=True)
class Guess(FileGuess):
    """The guessed mapping of a warehouse's file; `words` are of the column that tells the outcome."""

    words: tuple[Guessed, ...] = ()
    date_format: DateFormat | None = None
    dates: bool = False

    @property
    def lacks(self) -> tuple[str, ...]:
        """What a person has to say before the mapping can be used, in sentences."""
        found, words = self.meant, {it.what for it in self.words if it.meant}
        lacking = []
        if not any(key in found for key in RETURN_KEYS):
            lacking.append("which column names the return is not sure")
        if not any(key in found for key in PRODUCT_KEYS):
            lacking.append("which column names the product is not sure, or there is none")
        if not ({"outcome", *COUNTS} & set(found)):
            lacking.append("no column says for sure what was found; that a thing was received does not approve it")
            lacking += [f"whether the units in {counts} are {name}" for name, counts in self.counting]
        lacking += [f"what the word {it.what!r} means" for it in self.words if it.what not in words]
        if "outcome" in found and not self.words:
            lacking.append(f"what the words in {found['outcome']!r} mean: the file has no row with one")
        if "declined" in found:
            lacking.append("what the shopper reads as the reason of a decline (`declined_reason`, or `reasons`)")
        if self.dates and self.date_format is None:
            lacking.append("how dates are written: this file does not show whether the day or the month comes first")
        return tuple(lacking)

    @property
    def counting(self) -> tuple[tuple[str, str], ...]:
        """What columns side by side may count (`approved`), and the names of those that may."""
        shown = {it.what: " or ".join(repr(each.meaning) for each in it.candidates) for it in self.columns}
        return tuple((name, shown[name]) for name in COUNTS if name in shown and name not in self.meant)


def guess(table: Table) -> Guess:
    """Guess the mapping of a warehouse's file by its header and its first rows. Raises `InputFileError`."""
    file = guess_file(table, tuple(Columns.model_fields), NAMES, RETURN_KEYS, PRODUCT_KEYS)
    dates = [text for text in file.values.get("inspected_at", ()) if text]
    return Guess(
        **{each.name: getattr(file, each.name) for each in fields(file)},
        words=_words(file.values.get("outcome", ()), of_goods=_of_goods(file.meant.get("outcome", ""))),
        date_format=format_of(dates),
        dates=bool(dates),
    )


def guess_file(
    table: Table, wanted: Sequence[str], names: Names, keys: Sequence[str], products: Sequence[str]
) -> FileGuess:
    """Guess which column of a file holds which of the fields that are `wanted`, by its header and its first rows.

    `names` are what such columns are called, `keys` and `products` the fields that name a return and a product. Raises
    `InputFileError`.
    """
    table, rows = _best_sheet(table, names)
    if not rows:
        raise InputFileError(f"{table.path}: has no row that holds anything.")
    header = _header(rows[:HEADER_WITHIN], names)
    if sum(1 for cell in header.cells if cell) < _LEAST_COLUMNS:
        words = "nothing parts its cells: neither commas, semicolons, tabs nor bars, and columns of fixed width are not"
        raise InputFileError(f"{table.path}: {words} read; open it in a spreadsheet program and save it as CSV.")
    below = [row for row in rows if row.number > header.number and not is_no_data(row, header.cells)]
    footers = tuple(dict.fromkeys(first for row in below[-5:] if (first := _first(row)).casefold() in _FOOTERS))
    below = [row for row in below if _first(row) not in footers]
    columns = [_values(below, place) for place in range(len(header.cells))]
    guessed = _fields(header.cells, columns, wanted, names)
    values = {it.what: columns[header.cells.index(it.meant)] for it in guessed if it.meant}
    named = [values[key] for key in keys if key in values]
    candidates = [each.meaning for it in guessed if it.what in products for each in it.candidates]
    of_products = [text for name in candidates for text in columns[header.cells.index(name)]]
    return FileGuess(
        how=table.how + (f" of {', '.join(map(repr, table.sheets))}" if len(table.sheets) > 1 else ""),
        header=header,
        rows=len(below),
        columns=guessed,
        separator="" if table.separator in {",", ";", "\t"} else table.separator,
        encoding="" if table.encoding.startswith("utf") else table.encoding,
        quoted=table.quoted,
        sheet=table.sheet if len(table.sheets) > 1 else "",
        several_parted_by="\n" if any("\n" in text for text in of_products) else "",
        fill_down=bool(named) and any(not any(texts) for texts in zip(*named, strict=True)),
        footers=footers,
        values=values,
    )


def _first_rows(table: Table) -> tuple[Table, list[Row]]:
    """The rows by which is guessed. Where a quotation mark breaks one, the cells are in none, and they are text."""
    try:
        return table, list(islice(table.rows(), LOOKED_AT))
    except BrokenQuotesError:
        plain_text = open_table(table.path, Reading(quoted=False))
        return plain_text, list(islice(plain_text.rows(), LOOKED_AT))


def _best_sheet(table: Table, names: Names) -> tuple[Table, list[Row]]:
    """Of a workbook's sheets the one whose header has the most names that are known; and its first rows."""
    found = [_first_rows(open_table(table.path, Reading(sheet=it)) if it != table.sheet else table)
             for it in table.sheets or ("",)]  # fmt: skip
    return max(found, key=lambda it: max((_known(row, names) for row in it[1][:HEADER_WITHIN]), default=(0, 0)))


def _first(row: Row) -> str:
    return first_of(row).strip(BLANKS)


def _values(rows: Iterable[Row], place: int) -> list[str]:
    return [row.cells[place].strip(BLANKS) if place < len(row.cells) else "" for row in rows]


def _header(rows: Sequence[Row], names: Names) -> Row:
    """The row with the most names that are known; of rows without any, the first one that is widest."""
    found = max(rows, key=lambda row: _known(row, names))
    return Row(found.number, tuple(cell.strip(BLANKS) for cell in found.cells))


def _known(row: Row, names: Names) -> tuple[int, int]:
    """How many cells of a row are names that are known, and how many hold anything."""
    return sum(1 for cell in row.cells if named_by(cell, names)), sum(1 for cell in row.cells if cell.strip())


def _fields(
    header: Sequence[str], columns: Sequence[Sequence[str]], wanted: Sequence[str], names: Names
) -> tuple[Guessed, ...]:
    """What each field's column probably is. No column is taken for two fields: the surer one has it."""
    found: dict[str, list[Candidate]] = {}
    for name, values in zip(header, columns, strict=True):
        for what, sure in named_by(name, names).items():
            judged, why = _by_values(what, sure, [value for value in values if value])
            if judged and header.count(name) == 1:
                found.setdefault(what, []).append(Candidate(name, judged, f"its name{why}"))
        if values and all(value.startswith("retp_") for value in values):
            others = [it for it in found.get("process_id", ()) if it.meaning != name]
            found["process_id"] = [Candidate(name, 99, "its values are REVER's ids"), *others]
    guessed = []
    taken: dict[str, int] = {}
    for what in wanted:
        candidates = sorted(found.get(what, ()), key=lambda it: -it.sure)
        best = candidates[0] if candidates else None
        clear = best and best.sure >= SURE and not any(best.sure - it.sure < _NEAR for it in candidates[1:])
        if best and clear and best.sure > taken.get(best.meaning, 0):
            taken[best.meaning] = best.sure
            guessed.append(Guessed(what, best.meaning, tuple(candidates)))
        elif candidates:
            guessed.append(Guessed(what, "", tuple(candidates)))
    counted = {it.what for it in guessed if it.meant} & {"approved", "declined"}
    several = {it.what for it in guessed} & {"approved", "declined"}
    unsure = {"quantity", "outcome"} if counted else {"missing"} if several else set()
    return tuple(Guessed(it.what, "", it.candidates) if it.what in unsure else it for it in guessed)


def _by_values(what: str, sure: int, values: Sequence[str]) -> tuple[int, str]:
    """How sure a column is, judged by what stands in it too; and the reason. 0 for what it cannot be."""
    if not values:
        return sure, "; it is empty in this file"
    fits = _FITS.get(what)
    share = sum(1 for value in values if fits is None or fits(value)) / len(values)
    why = ", and its values fit" if fits else ""
    if what == "inspected_at" and share < 0.5:
        sure, why = min(sure, _NO_DATES), ", but its values are not read as dates"
    elif share < 0.5 or (what == "outcome" and len(set(map(fold, values))) > MOST_WORDS):
        sure, why = 0, ""
    elif share < 0.95:
        sure, why = min(sure, SURE - 1), f", but {1 - share:.0%} of its values do not look like it"
    elif what == "outcome" and sum(1 for value in values if plain(value) in MEANINGS) > len(values) / 2:
        sure, why = (sure + 5 if sure >= SURE else min(sure + 20, SURE + 4)), ", and its words are known ones"
    elif what == "rma" and sure < SURE:
        sure, why = sure + 15, ", and its values have digits"
    elif what == "order" and all(value.startswith("#") for value in values):
        sure, why = 95, ", and its values begin with #"
    return sure, why


def _has_digit(value: str) -> bool:
    return any(letter.isdigit() for letter in value)


def _is_count(value: str) -> bool:
    head, _, tail = value.replace(",", ".").partition(".")
    return head.isdecimal() and not tail.strip("0")


_FITS: dict[str, Callable[[str], bool]] = {
    "rma": _has_digit,
    "key": _has_digit,
    "email": lambda value: "@" in value,
    "order": _has_digit,
    "tracking": _has_digit,
    "ean": _has_digit,
    "quantity": _is_count,
    "approved": _is_count,
    "declined": _is_count,
    "missing": _is_count,
    "inspected_at": is_time,
}
"""What a value of a field looks like, where that can be said."""


def _of_goods(column: str) -> bool:
    """Whether a column's name says that it tells of the goods: a status may be that of the shopper's request."""
    return named_by(column).get("outcome", 0) >= SURE


def _words(values: Sequence[str], *, of_goods: bool) -> tuple[Guessed, ...]:
    """What the words of the outcome probably mean, the most frequent first; a word in two spellings is one."""
    many = Counter(map(fold, values))
    spelled = {fold(value): " ".join(value.split()) for value in reversed(values)}
    found = []
    for word, times in many.most_common():
        rows = f"in {times:,} row{'' if times == 1 else 's'}"
        status, sure = MEANINGS.get(plain(spelled[word]), ("", 0))
        if not status:
            found.append(Guessed(spelled[word], "", (Candidate("?", 0, f"{rows}; not a known word"),)))
            continue
        clear = sure >= SURE
        why = "what it says" if clear else "whether that is good enough is for you to say"
        if status == "APPROVED" and clear and not of_goods:
            sure, clear = SURE - 10, False
            why = "it may be the shopper's request that was approved, and not what came"
        if status == "DECLINED":
            why = "it needs the reason that the shopper reads"
        found.append(Guessed(spelled[word], status if clear else "", (Candidate(status, sure, f"{rows}; {why}"),)))
    return tuple(found)
