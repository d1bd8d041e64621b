"""How the demo looks: at most a hundred columns, in colour on a terminal, plain elsewhere."""

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from textwrap import wrap
from typing import Protocol, TypeVar

from rich.console import Console
from rich.text import Text

from deployments.demo.promises import Account, Promise, StoreTotals
from tasks.ledger import IntentRow
from tasks.policy.kinds import KINDS
from tasks.policy.record import IntentKind
from tasks.reporting.printable import columns, plain_words, printable

WIDTH = 96
A_FEW = 3

T = TypeVar("T")


class Page:
    """What the demo prints on. Nothing of it is read as markup."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._width = min(self._console.width, WIDTH) if self._console.is_terminal else WIDTH

    def title(self, words: str) -> None:
        """A new part."""
        self._line("")
        self._line(words, "bold")

    def say(self, words: str, style: str = "", indent: int = 2) -> None:
        """A line, or a few where it is long."""
        space = " " * indent
        for line in wrap(words, self._width, initial_indent=space, subsequent_indent=space, break_on_hyphens=False):
            self._line(line, style)

    def stores(self, lines: Sequence[StoreTotals]) -> None:
        """The table of what was done, per store and currency."""
        cells: list[tuple[str, ...]] = [
            ("store", "currency", "paid", "refunds", "exchanged", "labelled", "waits", "held")
        ]
        for line in lines:
            counts = (line.refunds, line.exchanged, line.labelled, line.waits, line.held)
            cells.append((line.store, line.currency, f"{line.paid:,}", *map(str, counts)))
        head, *rows = columns(cells, left=2)
        self._line("")
        self._line(f"  {head}", "bold")
        for row in rows:
            self._line(f"  {row}")

    def examples(self, head: str, examples: Iterable[tuple[str, str]]) -> None:
        """A few returns, each with its reason below it."""
        found = list(examples)
        if found:
            self._line("")
            self.say(head, "bold")
        for what, why in found:
            self.say(what, indent=4)
            self.say(plain_words(why), "dim", indent=8)

    def promises(self, head: str, promises: Iterable[Promise]) -> None:
        """What was found about each promise; a broken one stands out."""
        found = list(promises)
        self._line("")
        self.say(head, "bold")
        rows = columns([("kept" if it.kept else "BROKEN", it.name, it.found) for it in found], left=3)
        for promise, row in zip(found, rows, strict=True):
            self._line(f"    {row}", "green" if promise.kept else "bold red")

    def _line(self, words: str, style: str = "") -> None:
        self._console.print(Text(printable(words), style=style), soft_wrap=True)


def few(found: Iterable[T], differing_in: Callable[[T], Hashable], most: int = A_FEW) -> list[T]:
    """The first of each kind, at most so many; filled up with others where there are fewer kinds."""
    kinds: set[Hashable] = set()
    first: list[T] = []
    others: list[T] = []
    for item in found:
        kind = differing_in(item)
        (others if kind in kinds else first).append(item)
        kinds.add(kind)
    return [*first, *others][:most]


def examples(account: Account) -> list[tuple[str, list[tuple[str, str]]]]:
    """A few returns of each outcome with the reason why: (head, [(which, why)]). The same for the same account."""
    done = [
        (head, [(effect_words(row), row.why) for row in few(_by_id(account.sent(kind)), lambda row: shape(row.why))])
        for head, kind in (
            ("Paid", IntentKind.REFUND),
            ("Exchanged", IntentKind.EXCHANGE),
            ("Labelled", IntentKind.LABEL),
        )
    ]
    waits = [
        (f"{item.process_id}  {item.store}", item.why)
        for item in few(_by_id(account.waits), lambda item: shape(item.why))
    ]
    holds = [
        (f"{hold.process_id}  {hold.store}", hold.why)
        for hold in few(_by_id(account.holds), lambda hold: shape(hold.why))
    ]
    return [*done, ("Waits", waits), ("Held for a person", holds)]


class _OfAReturn(Protocol):
    @property
    def process_id(self) -> str: ...


R = TypeVar("R", bound=_OfAReturn)


def _by_id(found: Iterable[R]) -> list[R]:
    return sorted(found, key=lambda item: item.process_id)


def rest(account: Account, returns: int) -> str:
    """What the table leaves open: how many of all returns wait, are held, or need nothing more now."""
    waits, held = {item.process_id for item in account.waits}, {hold.process_id for hold in account.holds}
    return (
        f"Of the {returns} returns {len(waits)} wait and {len(held)} are held; for the other "
        f"{returns - len(waits | held)} nothing is left to do. One can be in several columns: paid in part, or "
        "labelled and waiting."
    )


def shape(why: str) -> str:
    """A reason without its numbers: two returns of one shape tell a reader the same."""
    return re.sub(r"[0-9][0-9.,]*", "#", why)


def effect_words(row: IntentRow) -> str:
    """Which return, where, and what was done for it."""
    intent = row.intent
    method = intent.method.replace("_", " ").lower()
    what = f"{intent.amount:,} {intent.currency} by {method}" if KINDS[intent.kind].pays else ""
    return "  ".join(filter(None, (row.process_id, row.store, what)))
