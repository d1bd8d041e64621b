"""Our endpoint table and fields against REVER's official document."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rever_api.attempts import KEY_HEADER
from rever_api.comparing.correcting import refusal, table, toml
from rever_api.comparing.document import Document
from rever_api.comparing.fields import Found, Walk
from rever_api.comparing.fitting import differences, fit
from rever_api.comparing.matching import Matched, match
from rever_api.comparing.operations import Operation, key_headers, operations
from rever_api.contract import contract
from rever_api.endpoints import Endpoint, Endpoints


class Verdict(StrEnum):
    """How an operation of ours stands in their document."""

    SAME = "same"
    DIFFERS = "differs"
    MISSING = "missing there"


@dataclass(frozen=True)
class Compared:
    """One operation of ours in their document.

    Attributes:
        guessed: matched by its path alone.
        differences: what the endpoint table can correct.
        beyond: what it cannot; the call cannot be right.
        ignored: our parameters of the query that theirs does not have.
        perhaps: those of theirs that may be this one, where it is missing.
    """

    operation: str
    confidence: str
    verdict: Verdict
    theirs: Operation | None = None
    guessed: bool = False
    differences: tuple[str, ...] = ()
    beyond: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    perhaps: tuple[Operation, ...] = ()


@dataclass(frozen=True)
class FieldDifference:
    """A field that we read or send and that their schema has otherwise, with the operations that use it.

    `grave`: amounts would be wrong, or the call refused.
    """

    field: str
    why: str
    grave: bool
    operations: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """All that was found. `toml` is the whole file for `REVER_ENDPOINTS`, "" where the contract needs no correction.

    `notes` are about the document as a whole.
    """

    operations: tuple[Compared, ...]
    new: tuple[Operation, ...]
    fields: tuple[FieldDifference, ...]
    toml: str
    notes: tuple[str, ...] = ()


def compare(official: Document, in_force: Endpoints | None = None, base_url: str = "") -> Comparison:
    """Compare the table in force (default: the contract's) with an official document.

    `base_url` is where REVER is called: what the document's server adds to that counts as part of its paths.
    """
    known = Endpoints.load().by_operation
    theirs = operations(official, base_url)
    matches = match(known.values(), theirs)
    rows, tables = [], {}
    guessed: dict[str, str] = {}
    for name, matched in matches.items():
        row, correction = _compared(known[name], (in_force or Endpoints.load())[name], matched)
        rows.append(row)
        if correction:
            tables[name] = correction
            guessed |= {name: str(matched.theirs)} if row.guessed else {}
    taken = [matched.theirs for matched in matches.values()]
    new = tuple(each for each in theirs if each not in taken)
    by_contract = sorted(rows, key=lambda row: list(known).index(row.operation))
    return Comparison(
        tuple(by_contract), new, _fields(official, matches), toml(tables, guessed), tuple(_notes(official))
    )


def _notes(official: Document) -> Iterator[str]:
    headers = key_headers(official)
    if headers and KEY_HEADER not in headers:
        yield f"it wants the key in the header {' or '.join(headers)}, and it is sent in {KEY_HEADER}"


def _compared(known: Endpoint, in_force: Endpoint, matched: Matched) -> tuple[Compared, dict[str, object]]:
    """One row, and the table that corrects the contract for it."""
    if matched.theirs is None:
        return Compared(known.operation, known.confidence, Verdict.MISSING, perhaps=matched.perhaps), {}
    right = fit(known, matched.theirs)
    correction = table(known, right.endpoint)
    refused = refusal(known.operation, correction)
    found = differences(in_force, right.endpoint)
    beyond = right.beyond + ((refused,) if refused else ())
    row = Compared(
        known.operation,
        known.confidence,
        Verdict.DIFFERS if found or beyond or right.ignored else Verdict.SAME,
        matched.theirs,
        guessed=not matched.by_name,
        differences=found,
        beyond=beyond,
        ignored=right.ignored,
    )
    return row, {} if refused else correction


def _fields(official: Document, matches: Mapping[str, Matched]) -> tuple[FieldDifference, ...]:
    ours = Document(contract())
    mine = {each.id: each for each in operations(ours)}
    used: dict[Found, list[str]] = {}
    for name, matched in matches.items():
        if matched.theirs is not None:
            for found in _both(ours, official, mine[name], matched.theirs):
                used.setdefault(found, []).append(name)
    return tuple(
        FieldDifference(each.where, each.why, each.grave, tuple(dict.fromkeys(used[each]))) for each in sorted(used)
    )


def _both(ours: Document, official: Document, mine: Operation, theirs: Operation) -> Iterator[Found]:
    yield from Walk(ours, official, sent=True).compare(mine.sent, theirs.sent, f"{mine.id} request")
    yield from Walk(ours, official, sent=False).compare(mine.read, theirs.read, f"{mine.id} answer")
