"""What is due by the inspection and taken by no intent yet: the refunds, each with its amount, and the exchange."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from rever_api.models import CompensationMethod, ReturnLineItem
from tasks.policy.decision import ExchangeDue, ExchangeDueItem, RefundDue
from tasks.policy.money import ZERO, gross, in_minor_units, net_amounts
from tasks.policy.record import LineTerms, LineUnits, OrderShipping


@dataclass(frozen=True, slots=True)
class FreeUnits:
    """Approved units of one line that no intent has taken, the method that compensates them and the line's terms.

    `bears_costs` says whether the return's costs may be taken off what they are worth; `bonus` is paid on top of it.
    """

    line: ReturnLineItem
    method: str
    terms: LineTerms
    units: tuple[int, ...]
    bears_costs: bool = True
    bonus: Decimal = ZERO

    @property
    def gross(self) -> Decimal:
        """What the units are worth, before costs."""
        return gross(self.terms, self.units)

    @property
    def item(self) -> LineUnits:
        """The line and its units, as an effect or a hold names them."""
        return LineUnits(self.line.id, self.units)


@dataclass(frozen=True, slots=True)
class Due:
    """What is due now. `exchange_waits` counts approved units of an exchange that is not wholly inspected yet."""

    refunds: tuple[RefundDue, ...] = ()
    exchange: ExchangeDue | None = None
    exchange_waits: int = 0

    @property
    def amount(self) -> Decimal:
        """What the refunds come to."""
        return sum((refund.amount for refund in self.refunds), ZERO)

    @property
    def exchanged(self) -> tuple[LineUnits, ...]:
        """The units of the exchange."""
        return tuple(LineUnits(it.line_id, it.units) for it in self.exchange.items) if self.exchange else ()

    @property
    def items(self) -> tuple[LineUnits, ...]:
        """All units that are due."""
        return (*(item for refund in self.refunds for item in refund.items), *self.exchanged)

    @property
    def units(self) -> int:
        """How many units are due."""
        return sum(item.quantity for item in self.items)

    def __bool__(self) -> bool:
        return bool(self.refunds) or self.exchange is not None


def due_of(
    free: Iterable[FreeUnits],
    before: Decimal,
    costs: Decimal,
    *,
    exchange_ready: bool,
    shipping: OrderShipping | None = None,
) -> Due:
    """Group free units into one refund per method, in the order of their first lines, and one exchange.

    `before` is the value of all units in live refund intents that bear costs. The exchange is due when every exchange
    line is inspected. `shipping` goes with the first refund, since REVER takes none that is of no units.
    """
    methods: dict[str, list[FreeUnits]] = {}
    for part in free:
        methods.setdefault(part.method, []).append(part)
    exchanges = methods.pop(CompensationMethod.EXCHANGE, [])
    refunds = tuple(_refunds(methods, before, costs))
    if refunds and shipping is not None:
        first, *others = refunds
        more = in_minor_units(first.amount + shipping.amount, first.currency)
        refunds = (replace(first, amount=more, shipping=shipping), *others)
    if not exchanges:
        return Due(refunds)
    if exchange_ready:
        return Due(refunds, _exchange(exchanges))
    return Due(refunds, exchange_waits=sum(len(part.units) for part in exchanges))


def _refunds(methods: dict[str, list[FreeUnits]], before: Decimal, costs: Decimal) -> Iterable[RefundDue]:
    """One refund per method; the costs are taken from the first units first, of those that bear any."""
    for method, parts in methods.items():
        values = [part.gross for part in parts if part.bears_costs]
        exempt = sum((part.gross for part in parts if not part.bears_costs), ZERO)
        bonus = sum((part.bonus for part in parts), ZERO)
        worth, currency = sum(values, ZERO), parts[0].terms.currency
        yield RefundDue(
            method=str(method),
            amount=in_minor_units(sum(net_amounts(values, before, costs), exempt + bonus), currency),
            gross=in_minor_units(worth + exempt, currency),
            currency=currency,
            items=tuple(part.item for part in parts),
            exempt=exempt,
            bonus=bonus,
        )
        before += worth


def _exchange(parts: list[FreeUnits]) -> ExchangeDue:
    """One exchange of all units. A line that does not say what is wanted has an empty variant here."""
    return ExchangeDue(
        items=tuple(_wanted(part) for part in parts),
        gross=sum((part.gross for part in parts), ZERO),
        currency=parts[0].terms.currency,
    )


def _wanted(part: FreeUnits) -> ExchangeDueItem:
    """The replacement for the units of one line."""
    wanted = part.line.exchange_for
    return ExchangeDueItem(
        line_id=part.line.id,
        variant_id=wanted.variant_id if wanted else "",
        product_id=wanted.product_id if wanted else "",
        units=part.units,
    )
