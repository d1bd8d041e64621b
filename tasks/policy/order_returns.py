"""An order of which a return is to be made: what stands for the return's id before there is one, and what REVER shows.

The ledger keeps everything by a return's id. Before its call a new return has none, so its order stands for it: an
order's new returns share one record, one open intent and one space of units.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

from rever_api.models import ReturnProcess, SearchPage, UnreadableProcess
from tasks.lookup import bare_order, same_order

_PREFIX = "new:"
_NOT_MADE = "NOT_MADE"
_MOST_LETTERS = 200


@dataclass(frozen=True, slots=True)
class OrderKey:
    """An order of a store, by the name that shop and shopper know it by, with or without # before it.

    The name stays as it was spelled; `process_id` is the same for all spellings that `same_order` takes for one.
    Raises `ValueError`, in words for a person, for a store or name that no order can have.
    """

    store: str
    order_name: str

    def __post_init__(self) -> None:
        # Folded, since some letters become two or three, and what stands in the ledger must be read back.
        for what, value in (("store", self.store), ("order", self.order_name.casefold())):
            if not value or value != value.strip() or len(value) > _MOST_LETTERS or not value.isprintable():
                msg = f"a name of 1 to {_MOST_LETTERS} printable characters without blanks around it names the {what}"
                raise ValueError(msg)
        if not bare_order(self.order_name):
            msg = "an order's name is more than a #"
            raise ValueError(msg)

    @property
    def process_id(self) -> str:
        """What stands in the ledger where a return's id stands, such as `new:acme:ab1001`. REVER never sees it."""
        return f"{_PREFIX}{quote(self.store, safe='')}:{bare_order(self.order_name)}"

    @classmethod
    def of(cls, process_id: str) -> Self | None:
        """The order that an id of the ledger stands for, its name folded; None for the id of a return."""
        store, colon, order_name = process_id.removeprefix(_PREFIX).partition(":")
        if not process_id.startswith(_PREFIX) or not colon:
            return None
        try:
            found = cls(unquote(store), order_name)
        except ValueError:
            return None
        return found if found.process_id == process_id else None


class OrderReturns(ReturnProcess):
    """What REVER shows of an order before a return of it is made, in the place of that return.

    Its id is the order's, it has no lines and no money. `returns` are all returns of the order, whatever their status;
    `unclear` says why these may not be all, or not be known well enough.
    """

    returns: tuple[ReturnProcess, ...] = ()
    unclear: str = ""

    @classmethod
    def found(cls, order: OrderKey, pages: Sequence[SearchPage], *, most: int) -> Self:
        """The returns of the order in the first pages, of `most` entries, of REVER's searches for it.

        The filter is not relied on: what is another order's is left out.
        """
        unclear = ""
        returns: dict[str, ReturnProcess] = {}
        for page in pages:
            shown = len(page.processes)
            if shown < (page.rowcount or 0) or (page.rowcount is None and shown >= most):
                unclear = "REVER's list of the order's returns does not show all that it counts"
        for entry in (entry for page in pages for entry in page.processes):
            name = entry.order_name.strip()
            if entry.ecommerce_id not in {"", order.store} or (name and not same_order(name, order.order_name)):
                continue
            if isinstance(entry, UnreadableProcess):
                unclear = unclear or "a return in REVER's list cannot be read"
            elif not name:
                unclear = unclear or f"REVER does not tell of which order {entry.rever_process_id} is"
            elif not all(line.quantity > 0 and line.product and line.product.sku for line in entry.return_line_items):
                unclear = unclear or f"REVER does not tell the SKU or the units of a line of {entry.rever_process_id}"
            else:
                returns[entry.rever_process_id] = entry
        return cls(
            rever_process_id=order.process_id,
            rever_process_status=_NOT_MADE,
            return_line_items=(),
            ecommerce_id=order.store,
            order_name=order.order_name,
            returns=tuple(returns.values()),
            unclear=unclear,
        )


def folded(sku: str) -> str:
    """A SKU as it is compared: two that differ by blanks and capitals alone are taken for one."""
    return sku.strip().casefold()


def skus_of(process: ReturnProcess) -> Counter[str]:
    """Folded SKU -> units of it in a return."""
    units: Counter[str] = Counter()
    for line in process.return_line_items:
        units[folded(line.product.sku) if line.product else ""] += line.quantity
    return units
