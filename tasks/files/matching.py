"""Which return and which line a row is about: by what names the return, then by what names the product within it.

Capitals, the # of an order and blanks in a tracking number do not count. Leading zeros count, unless nothing is found
with them: a spreadsheet program takes them away.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from rever_api.models import ProcessStatus, ReturnLineItem, ReturnProcess
from tasks.files.inspections import Product
from tasks.files.mapping import RETURN_KEYS
from tasks.lookup import bare_order

NAMES = {"process_id": "return", "rma": "return number", "order": "order", "tracking": "tracking number"}
"""What names a return, in words."""

_PARTS = re.compile(r"[,;/|\n]")
"""What parts several tracking numbers in one cell."""
_NEVER = frozenset({ProcessStatus.CANCELED, ProcessStatus.FAILED})


class NoMatchError(Exception):
    """Why a row is about no return, or about no line of it, that can be told for sure."""


def comparable(key: str, text: str) -> str:
    """What names a return, as it is compared."""
    if key not in {"line", "sku"} and text.endswith(".0") and text[:-2].isdigit():
        text = text[:-2]  # a program took a number of digits for an amount
    if key == "order":
        return bare_order(text)
    return ("".join(text.split()) if key == "tracking" else " ".join(text.split())).casefold()


def names_in(key: str, text: str) -> list[str]:
    """What a cell names, as it is compared: the whole of it, and each of several tracking numbers in it."""
    parts = _PARTS.split(text) if key == "tracking" else []
    return list(dict.fromkeys(comparable(key, each) for each in (text, *parts) if each.strip()))


def without_zeros(text: str) -> str:
    """Digits without the zeros before them; empty for what is not digits alone."""
    return (text.lstrip("0") or "0") if text.isascii() and text.isdigit() else ""


@dataclass(frozen=True, slots=True)
class ReturnIndex:
    """Returns by what names them: (field, text as it is compared) -> the returns, and the same without zeros.

    `unread` are the orders of returns that REVER shows and that cannot be read, as orders are compared.
    """

    exact: Mapping[tuple[str, str], tuple[ReturnProcess, ...]]
    loose: Mapping[tuple[str, str], tuple[ReturnProcess, ...]]
    unread: Collection[str] = ()

    @classmethod
    def of(cls, processes: Iterable[ReturnProcess], unread: Collection[str] = ()) -> "ReturnIndex":
        """The index of these returns; of one that is there twice the last counts."""
        exact = defaultdict[tuple[str, str], dict[str, ReturnProcess]](dict)
        loose = defaultdict[tuple[str, str], dict[str, ReturnProcess]](dict)
        for process in {it.rever_process_id: it for it in processes}.values():
            for key, text in names_of(process):
                exact[key, comparable(key, text)][process.rever_process_id] = process
                if short := without_zeros(comparable(key, text)):
                    loose[key, short][process.rever_process_id] = process
        by_exact, by_loose = ({name: tuple(it.values()) for name, it in each.items()} for each in (exact, loose))
        return cls(by_exact, by_loose, unread)

    def by(self, key: str, text: str) -> tuple[ReturnProcess, ...]:
        """The returns that this names; of several tracking numbers in it, those of each."""
        found = dict[str, ReturnProcess]()
        for plain in names_in(key, text):
            named = self.exact.get((key, plain)) or self.loose.get((key, without_zeros(plain)), ())
            found |= {it.rever_process_id: it for it in named}
        return tuple(found.values())

    def find(self, keys: Mapping[str, str], product: Product) -> ReturnProcess:
        """The one return that a row is about. Raises `NoMatchError`.

        An id or number that names no return is never passed over for a weaker name. A tracking number counts where
        the order is of several returns, or unknown: shoppers send goods with labels that REVER does not know.
        """
        found = {key: self.by(key, keys[key]) for key in RETURN_KEYS if key in keys}
        for key in ("process_id", "rma"):
            if key in keys and not found[key]:
                words = f"no return has the {NAMES[key]} {keys[key]}"
                if other := next((it for it in RETURN_KEYS if found.get(it)), None):
                    words += f", though the {NAMES[other]} {keys[other]} is known; where that number is the warehouse's"
                    words += f" own, leave `{key}` out of the mapping"
                raise NoMatchError(words)
        strong = not keys.keys().isdisjoint({"process_id", "rma"})
        candidates = _agreed(keys, {key: each for key, each in found.items() if each and key != "tracking"})
        parcels = found.get("tracking", ())
        if not candidates:
            candidates = list(parcels)
        elif parcels:
            ids = {it.rever_process_id for it in parcels}
            both = [it for it in candidates if it.rever_process_id in ids]
            if not both and not strong:
                of_order = ", ".join(sorted(it.rever_process_id for it in candidates))
                words = f"the order {keys['order']} is return {of_order}, and the tracking number {keys['tracking']}"
                raise NoMatchError(f"{words} is return {', '.join(sorted(ids))}; name the return itself")
            candidates = both or candidates
        if not candidates:
            said = " or ".join(f"the {NAMES[key]} {text}" for key, text in keys.items())
            raise NoMatchError(f"no return has {said}")
        found_one = _one(candidates, product)
        orders = {comparable("order", text) for text in (keys.get("order", ""), found_one.order_name) if text}
        if not strong and not orders.isdisjoint(self.unread):
            words = f"order {found_one.order_name} has a return that cannot be read, and it may be about that one"
            raise NoMatchError(f"{words}; name the return itself")
        return found_one


def names_of(process: ReturnProcess) -> Iterable[tuple[str, str]]:
    """All that names a return: field and text."""
    yield "process_id", process.rever_process_id
    yield "rma", process.rever_process_id
    yield from (("rma", text) for text in (process.platform_process_id,) if text)
    yield from (("order", text) for text in {process.order_name, process.order_id} if text)
    yield from (("tracking", it.tracking_number) for it in process.logistics or () if it.tracking_number)


def _agreed(keys: Mapping[str, str], found: Mapping[str, tuple[ReturnProcess, ...]]) -> list[ReturnProcess]:
    """The returns that all of these names have in common. Raises `NoMatchError` where they contradict each other."""
    agreed: dict[str, ReturnProcess] = {}
    first = ""
    for key, processes in found.items():
        ids = {it.rever_process_id: it for it in processes}
        if not first:
            agreed, first = ids, key
            continue
        if not (common := {name: it for name, it in agreed.items() if name in ids}):
            words = f"the {NAMES[first]} {keys[first]} is return {', '.join(sorted(agreed))}"
            raise NoMatchError(f"{words}, and the {NAMES[key]} {keys[key]} is return {', '.join(sorted(ids))}")
        agreed = common
    return list(agreed.values())


def _one(candidates: list[ReturnProcess], product: Product) -> ReturnProcess:
    """The one with the product. Of several none is taken, whatever their states: the file may be an old one."""
    if len(candidates) == 1:
        return candidates[0]
    alive = [it for it in candidates if it.rever_process_status not in _NEVER or it.reviews]
    having = [it for it in alive or candidates if lines_of(it, product)]
    if len(having) == 1:
        return having[0]
    ids = ", ".join(sorted(it.rever_process_id for it in having or candidates))
    what = f"with {product.words}" if having else f"and none has {product.words}"
    raise NoMatchError(f"it fits {len(having or candidates)} returns {what}: {ids}; name the return itself")


def lines_of(process: ReturnProcess, product: Product) -> list[ReturnLineItem]:
    """The lines of a return that a product names. All that is said of it must fit."""
    lines = list(process.return_line_items)
    for key, text in (("line", product.line), ("sku", product.sku), ("ean", product.ean)):
        if text:
            plain = comparable(key, text)
            exact = [line for line in lines if comparable(key, _name(line, key)) == plain]
            short = without_zeros(plain)
            lines = exact or [
                line for line in lines if short and without_zeros(comparable(key, _name(line, key))) == short
            ]
    return lines


def _name(line: ReturnLineItem, key: str) -> str:
    if key == "line":
        return line.id
    if line.product is None:
        return ""
    return line.product.sku if key == "sku" else line.product.ean
