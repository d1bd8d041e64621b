"""A guessed mapping as YAML that a person can mend, and as lines that say how sure each part is."""

import json
from collections.abc import Iterator

from tasks.files.guess import FileGuess, Guess, Guessed
from tasks.files.guess_returns import ReturnsGuess
from tasks.files.mapping import COUNTS
from tasks.policy.facts import counted


def mapping_text(found: FileGuess, name: str) -> str:
    """The guessed mapping: what is sure, and as comments what a person has to decide. `name` is the file's."""
    lines = [f"# Guessed from {_text(name)} by {counted(found.rows, 'row')}: {found.how}."]
    if found.lacks:
        lines.append("# What is not sure is a comment: decide, and take the # away.")
    lines += _columns(found)
    match found:
        case Guess():
            lines += [*_meanings(found), *_dates(found)]
        case ReturnsGuess():
            lines += _of_returns(found)
    for field in ("separator", "encoding", "sheet", "several_parted_by"):
        if value := getattr(found, field):
            lines.append(f"{field}: {_text(value)}")
    if not found.quoted:
        lines.append("quoted: false")
    if found.fill_down:
        lines.append("# fill_down: true  # some rows name no return: does the one above them hold for them?")
    if found.footers:
        lines.append(f"footers: [{', '.join(map(_text, found.footers))}]")
    return "".join(f"{line}\n" for line in lines)


def _columns(found: FileGuess) -> Iterator[str]:
    yield "columns:" if found.meant else "columns: {}"
    for it in found.columns:
        mark = "" if it.meant else "# "
        for each in it.candidates[:1] if it.meant else it.candidates:
            yield f"  {mark}{it.what}: {_text(each.meaning)}  # {each.sure} %: {each.why}"


def _meanings(found: Guess) -> Iterator[str]:
    if not {"outcome", *COUNTS} & set(found.meant):
        if found.counting:
            yield "# Columns that count what was found may stand beside `quantity`, which is then their sum."
        elif any(it.what == "outcome" for it in found.columns):
            yield "# Choose the column that says what was found, and list its words below `words`."
        else:
            yield "# No column says what was found. If all that came is approved, write:"
            yield "# received_is: APPROVED"
    if found.words:
        yield "words:"
    for it in found.words:
        best = it.candidates[0]
        means = '{status: DECLINED, reason: "..."}' if best.meaning == "DECLINED" else best.meaning
        yield f"  {'' if it.meant else '# '}{_text(it.what)}: {means}  # {_sure(best.sure)}: {best.why}"
    if any(it.what == "declined" for it in found.columns):
        yield '# declined_reason: "..."  # what the shopper reads of units that are declined'
    if {"declined", "reason"} & set(found.meant):
        yield '# reasons: {"the warehouse\'s word": "what the shopper reads"}'


def _dates(found: Guess) -> Iterator[str]:
    if not found.dates:
        return
    if found.date_format is None:
        yield "# date_format: DD/MM/YYYY  # or MM/DD/YYYY: the dates of this file can be read in both ways"
    else:
        yield f"date_format: {found.date_format}"
    yield "# zone: Europe/Madrid  # of times without an offset; UTC where it is left out"


def _of_returns(found: ReturnsGuess) -> Iterator[str]:
    for what in ("reason", "method"):
        if what not in found.meant:
            yield f"# {what}: ...  # REVER's word for every row; left out, REVER chooses"
        if words := found.words.get(what, ()):
            yield f"{what}s:"
        for it in words:
            best = it.candidates[0]
            yield f"  {'' if it.meant else '# '}{_text(it.what)}: {best.meaning}  # {_sure(best.sure)}: {best.why}"
    if "key" not in found.meant:
        yield "# one_return_per: order  # or row: are all rows of an order one return, or is each by itself?"


def guess_lines(found: FileGuess) -> list[str]:
    """What was guessed, for a person: how the file is read, its header, each field and word, and what is missing."""
    header = " | ".join(cell for cell in found.header.cells if cell)
    lines = [
        f"{found.how}; {counted(found.rows, 'row')} looked at.",
        f"Row {found.header.number} is the header: {header}",
        "",
    ]
    lines += _table("COLUMN OF", found.columns)
    match found:
        case Guess(words=words) if words:
            lines += ["", *_table("WORD", words)]
        case ReturnsGuess(words=words):
            for what, guessed in words.items():
                lines += ["", *_table(f"WORD OF {what.upper()}", guessed)]
    if found.lacks:
        lines += ["", "To be decided:", *(f"  {words}" for words in found.lacks)]
    return lines


def _table(first: str, guessed: tuple[Guessed, ...]) -> list[str]:
    rows = [(first, "IS", "SURE", "WHY")]
    for it in guessed:
        for place, each in enumerate(it.candidates):
            means = each.meaning if it.meant and not place else f"{each.meaning}?".replace("??", "?")
            rows.append(("" if place else it.what or "(empty)", means, _sure(each.sure), each.why))
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    return ["  ".join((*(row[at].ljust(widths[at]) for at in range(3)), row[3])).rstrip() for row in rows]


def _sure(percent: int) -> str:
    return f"{percent} %" if percent else "unknown"


def _text(value: str) -> str:
    """A text as YAML, in quotes: nothing in it means anything else."""
    return json.dumps(value, ensure_ascii=False)
