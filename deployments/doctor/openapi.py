"""The comparison with REVER's official document: as one line, as text with the correction below, and as JSON. Pure."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from deployments.doctor.examination import Line, attention, broken, ok
from rever_api.openapi import Operation
from rever_api.openapi_diff import Compared, Comparison, Verdict

NAME = "official document"
_USE = "put the correction below into a file, and its path into REVER_ENDPOINTS; no table can correct what is marked !"
_ASK = "no endpoint table can correct what is marked ! below: do not run with mode=act before it is understood"
_LOOK = "look through the list below"


def document_line(found: Comparison) -> Line:
    """The comparison in one line."""
    counts = Counter(row.verdict for row in found.operations)
    parts = [f"{counts[verdict]} {word}" for verdict, word in _WORDS.items() if counts[verdict]]
    parts += [f"{len(found.new)} new there"] if found.new else []
    parts += [f"{len(found.fields)} fields differ"] if found.fields else []
    words = ", ".join(parts) + "".join(f"; {note}" for note in found.notes)
    if any(row.differences for row in found.operations):
        return broken(NAME, words, _USE)
    if found.notes or any(row.beyond for row in found.operations) or any(each.grave for each in found.fields):
        return broken(NAME, words, _ASK)
    if found.fields or counts[Verdict.MISSING] or counts[Verdict.DIFFERS]:
        return attention(NAME, words, _LOOK)
    return ok(NAME, words)


def text(found: Comparison, file: str) -> str:
    """Operation by operation, field by field, and the TOML."""
    parts = [f"REVER's own document {file} against the endpoint table in force:", "\n".join(_rows(found))]
    if found.fields:
        parts.append("\n".join(["Fields that are read or sent:", *_fields(found)]))
    if found.toml:
        parts.append(f"The correction, as a file for REVER_ENDPOINTS:\n\n{found.toml.rstrip()}")
    return "\n\n".join(parts)


def _rows(found: Comparison) -> Iterator[str]:
    for row in found.operations:
        yield f"{row.verdict:<13}  {row.operation:<22}  {_theirs(row)}".rstrip()
        yield from (f"{'':<15}  {difference}" for difference in row.differences)
        yield from (f"{'':<15}! {difference}" for difference in row.beyond)
        yield from (f"{'':<15}  it has no parameter {name}" for name in row.ignored)
        yield from (f"{'':<15}  perhaps {each}" for each in row.perhaps)
    yield from (f"{'new there':<13}  {each}" for each in found.new)


def _theirs(row: Compared) -> str:
    if row.theirs is None:
        return f"({row.confidence} here)"
    return f"{row.theirs}" + ("  matched by its path alone" if row.guessed else "")


def _fields(found: Comparison) -> Iterator[str]:
    for each in found.fields:
        yield f"{'!' if each.grave else ' '} {each.field} {each.why}"
        yield f"      in {', '.join(each.operations)}"


def as_json(found: Comparison) -> dict[str, Any]:
    """The same for a program; `toml` is the whole file."""
    return {
        "notes": list(found.notes),
        "operations": [_row_json(row) for row in found.operations],
        "new": [_operation_json(each) for each in found.new],
        "fields": [asdict(each) for each in found.fields],
        "toml": found.toml,
    }


def _row_json(row: Compared) -> dict[str, Any]:
    return {
        "operation": row.operation,
        "confidence": row.confidence,
        "verdict": str(row.verdict),
        "theirs": _operation_json(row.theirs) if row.theirs else None,
        "matched_by": None if row.theirs is None else "path" if row.guessed else "name",
        "differences": list(row.differences),
        "beyond": list(row.beyond),
        "ignored": list(row.ignored),
        "perhaps": [_operation_json(each) for each in row.perhaps],
    }


def _operation_json(each: Operation) -> dict[str, Any]:
    return {"id": each.id, "method": each.method, "path": each.path}


_WORDS = {Verdict.SAME: "same", Verdict.DIFFERS: "differ", Verdict.MISSING: "missing there"}
