"""What becomes of each return that a file asks for, by what the ledger knows and REVER shows of its order.

Pure, and the same for the same. A key that the ledger knows has its return. A return at REVER of which no key is known
is taken for the one that is asked for, where it has just these goods; each for one key alone. Without a key of the
shop's own no product of an order is asked back twice.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from rever_api.models import ProcessStatus, ReturnProcess
from tasks.files.mapped_rows import WrongRow
from tasks.files.new_returns import WantedItem, WantedReturn
from tasks.files.refused_file import ReturnedRow
from tasks.policy.facts import counted
from tasks.policy.kinds.create_return import NewItem, NewReturn, asked_for
from tasks.policy.order_returns import OrderReturns, folded, skus_of
from tasks.policy.record import Intent, IntentKind, IntentState, Record

_CALLED_OFF = frozenset({ProcessStatus.CANCELED, ProcessStatus.FAILED})
_DONE = frozenset({IntentState.DONE, IntentState.DONE_BY_HAND})


class ReturnVerdict(StrEnum):
    """What becomes of a row, and of the return that it is of."""

    CREATE = "create"
    ALREADY = "already there"
    REFUSED = "refused"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Came:
    """What becomes of a return, and why. `new` is what is sent where it is to be made.

    `passes`: the next run knows more, with nobody's help.
    """

    verdict: ReturnVerdict
    why: str
    new: NewReturn | None = None
    passes: bool = False


@dataclass(frozen=True, slots=True)
class OrderBounds:
    """The methods that the store offers, and what was bought, by folded SKU; empty, or None, where it is not known."""

    methods: frozenset[str] = frozenset()
    bought: Mapping[str, int] | None = None


NOTHING_KNOWN = OrderBounds()


def judge_order(
    wanted: Sequence[WantedReturn], order: OrderReturns, record: Record, bounds: OrderBounds = NOTHING_KNOWN
) -> list[Came]:
    """What becomes of each return that is asked for of one order; they are dealt with in their order.

    Of those with one key the first counts, whatever the others say.
    """
    named = Counter[str]()  # units that are asked back, whatever became of it: the next one has the next number
    alive = Counter[str]()
    for process in order.returns:
        named += skus_of(process)
        alive += skus_of(process) if process.rever_process_status not in _CALLED_OFF else Counter[str]()
    for intent in record.intents:
        if intent.kind is IntentKind.CREATE_RETURN and intent.state is IntentState.DROPPED:
            named += _units(intent)
    # What was made before the shop had keys of its own may be what it has given a key since.
    derived = {it.derived for it in wanted if it.own}
    mine = {it.made for it in record.intents if it.made and it.source and it.source not in derived}
    free = [it for it in order.returns if it.rever_process_id not in mine]
    free = [it for it in free if it.rever_process_status not in _CALLED_OFF]
    came: list[Came] = []
    rows: dict[str, int] = {}
    for it in wanted:
        if (first := rows.setdefault(it.source, it.rows[0].number)) != it.rows[0].number:
            came.append(Came(ReturnVerdict.ALREADY, f"row {first} asks for the same return; count it once"))
        elif (known := asked_for(record, it.source)) is not None:
            came.append(known_return(it, known, record))
        elif order.unclear:
            came.append(Came(ReturnVerdict.REFUSED, order.unclear))
        elif (found := next((each for each in free if skus_of(each) == it.units), None)) is not None:
            free.remove(found)
            came.append(Came(ReturnVerdict.ALREADY, _shown(found)))
        else:
            came.append(_new(it, order, free, bounds, named, alive))
            if came[-1].new is not None:
                named += it.units
                alive += it.units
    return came


def known_return(it: WantedReturn, intent: Intent, record: Record) -> Came:
    """What becomes of a return whose key the ledger knows."""
    if intent.state is IntentState.INTENDED:
        why = "another run has it in hand, or was cut off before it was sent; send it again in some minutes"
        return Came(ReturnVerdict.HELD, why, passes=True)
    if intent.open:
        asked = any(hold.intent_id == intent.id for hold in record.holds)
        why = "whether REVER made it is not known; " + ("a person is asked" if asked else "the next run looks")
        return Came(ReturnVerdict.HELD, why, passes=not asked)
    which = intent.made or "a person says that it was made"
    if intent.state is IntentState.DROPPED:
        return Came(ReturnVerdict.REFUSED, "a person has given up the return of this key; give it another key")
    if _units(intent) != it.units:
        goods = ", ".join(f"{item.quantity} x {item.line_id}" for item in intent.items)
        why = f"its key is that of a return of other goods: {which} has {goods}"
        return Came(ReturnVerdict.REFUSED, f"{why}; give it a key of its own")
    return Came(ReturnVerdict.ALREADY, f"{which}, by its key" if intent.made else which)


def _new(
    it: WantedReturn,
    order: OrderReturns,
    free: Sequence[ReturnProcess],
    bounds: OrderBounds,
    named: Mapping[str, int],
    alive: Mapping[str, int],
) -> Came:
    """What becomes of a return that nobody has asked for, as far as it is known."""
    if not it.own and any(alive[sku] for sku in it.units):
        return _asked_back(it, order, free, alive)
    told = {each.rever_process_id: each.shopper.email.strip() for each in order.returns if each.shopper}
    told = {name: email.casefold() for name, email in told.items() if email and "*" not in email}  # not a masked one
    if told and it.email.casefold() not in told.values():
        return Came(ReturnVerdict.REFUSED, f"the e-mail is not that of the order's other return, {min(told)}")
    for method in (item.method for item in it.items):
        if method and bounds.methods and method not in bounds.methods:
            offered = ", ".join(sorted(bounds.methods))
            return Came(ReturnVerdict.REFUSED, f"{method} is not offered by the store; it offers {offered}")
    if (why := _not_bought(it, bounds, alive)) != "":
        return Came(ReturnVerdict.REFUSED, why)
    shown = next((each.order_name for each in order.returns if each.order_name), "")
    new = NewReturn(shown or it.order_name, _numbered(it.items, named), it.email, it.source)
    goods = ", ".join(f"{item.quantity} x {item.sku}" for item in it.items)
    return Came(ReturnVerdict.CREATE, f"{goods} of order {it.order_name}", new)


def _asked_back(it: WantedReturn, order: OrderReturns, free: Sequence[ReturnProcess], alive: Mapping[str, int]) -> Came:
    """What becomes of a return without a key of its own, of goods that are asked back.

    It is there already where returns of which no key is known have its goods; what was made by another key may be
    another one, so a person must say.
    """
    there = sum((skus_of(each) for each in free), Counter[str]())
    if all(there[sku] >= many for sku, many in it.units.items()):
        which = sorted(each.rever_process_id for each in free if skus_of(each).keys() & it.units.keys())
        return Came(ReturnVerdict.ALREADY, f"its goods are in {', '.join(which)}")
    which = sorted(each.rever_process_id for each in order.returns if skus_of(each).keys() & it.units.keys())
    named = ", ".join(which) or "another row of this file"
    skus = ", ".join(sku for sku in dict.fromkeys(item.sku for item in it.items) if alive[folded(sku)])
    why = f"SKU {skus} of this order is asked back by {named}"
    return Came(ReturnVerdict.REFUSED, f"{why}; a further return of it needs a key of its own (a column `key`)")


def _not_bought(it: WantedReturn, bounds: OrderBounds, alive: Mapping[str, int]) -> str:
    """Why the order does not have these goods, or no more of them; empty where it does, or that is not known."""
    if bounds.bought is None:
        return ""
    for sku, many in it.units.items():
        bought, back = bounds.bought.get(sku, 0), alive[sku]
        if not bought:
            return f"SKU {_spelled(it, sku)} is not in the order"
        if back + many > bought:
            return f"it asks for {many} of SKU {_spelled(it, sku)}; {bought} bought, {back} asked back already"
    return ""


def _numbered(items: Iterable[WantedItem], named: Mapping[str, int]) -> tuple[NewItem, ...]:
    """The items with the numbers of their units: those that come next of their SKU in this order."""
    taken = Counter(named)
    found = []
    for item in items:
        first = taken[folded(item.sku)] + 1
        taken[folded(item.sku)] += item.quantity
        found.append(NewItem(item.sku, tuple(range(first, first + item.quantity)), item.reason, item.method))
    return tuple(found)


def _units(intent: Intent) -> Counter[str]:
    found = Counter[str]()
    for item in intent.items:
        found[folded(item.line_id)] += item.quantity
    return found


def _shown(process: ReturnProcess) -> str:
    return f"REVER shows {process.rever_process_id} of just these goods ({process.rever_process_status})"


def _spelled(it: WantedReturn, sku: str) -> str:
    return next(item.sku for item in it.items if folded(item.sku) == sku)


# The verdicts of a whole file.


@dataclass(frozen=True, slots=True)
class ReturnRowVerdict:
    """What becomes of one row, and why."""

    number: int
    cells: tuple[str, ...] = field(repr=False)
    verdict: ReturnVerdict
    why: str
    order_name: str = ""
    passes: bool = False

    @property
    def comes_back(self) -> bool:
        """Whether it goes into the file of the rows that are to be mended."""
        return self.verdict in {ReturnVerdict.REFUSED, ReturnVerdict.HELD}


@dataclass(frozen=True, slots=True)
class ReturnsFileVerdict:
    """What becomes of a whole file. `returns` are those that are, or with `acted` were, made."""

    rows: tuple[ReturnRowVerdict, ...]
    returns: int = 0
    footers: int = 0
    acted: bool = False

    @property
    def counts(self) -> dict[ReturnVerdict, int]:
        """How many rows have which verdict; together they are all rows that were read."""
        found = Counter(row.verdict for row in self.rows)
        return {verdict: found[verdict] for verdict in ReturnVerdict}

    @property
    def passing(self) -> int:
        """The rows that come back for what passes by itself: they can be sent again as they are."""
        return sum(1 for row in self.rows if row.passes)

    def returned(self) -> list[ReturnedRow]:
        """The rows that come back, each with its reason."""
        back = (row for row in self.rows if row.comes_back)
        refused = ReturnVerdict.REFUSED
        return [(it.cells, it.why if it.verdict is refused else f"{it.verdict}: {it.why}") for it in back]

    @property
    def words(self) -> str:
        """The rows that were read, all accounted for."""
        many = self.counts
        parts = [f"{many[ReturnVerdict.CREATE]:,} {'created' if self.acted else 'to create'}"]
        parts += [f"{many[it]:,} {it}" for it in (ReturnVerdict.ALREADY, ReturnVerdict.REFUSED, ReturnVerdict.HELD)]
        returns = f": {counted(self.returns, 'return')}" if self.returns else ""
        footers = f" ({counted(self.footers, 'footer')} left out)" if self.footers else ""
        return f"{counted(len(self.rows), 'row')} read{footers} = {' + '.join(parts)}{returns}"


def file_verdict(
    came: Iterable[tuple[WantedReturn, Came]], refused: Iterable[WrongRow], *, footers: int, acted: bool
) -> ReturnsFileVerdict:
    """The verdicts of all rows, in the file's order, by what became of their returns."""
    rows = [ReturnRowVerdict(it.number, it.cells, ReturnVerdict.REFUSED, it.why) for it in refused]
    made = 0
    for it, end in came:
        made += end.verdict is ReturnVerdict.CREATE
        rows += [
            ReturnRowVerdict(row.number, row.cells, end.verdict, end.why, row.order_name, end.passes) for row in it.rows
        ]
    return ReturnsFileVerdict(tuple(sorted(rows, key=lambda row: row.number)), made, footers, acted)


def together(found: Sequence[ReturnsFileVerdict]) -> ReturnsFileVerdict:
    """What became of several files, as though they were one."""
    return ReturnsFileVerdict(
        tuple(row for it in found for row in it.rows),
        sum(it.returns for it in found),
        sum(it.footers for it in found),
        any(it.acted for it in found),
    )


def with_words(came: Came, words: str) -> Came:
    """The same with what REVER said in its own words, which go into the file that comes back and nowhere else."""
    return replace(came, why=f"{came.why} ({words})") if words else came
