"""What the others do: shoppers open returns, carriers move parcels, the warehouse inspects, the back office meddles."""

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

from rever_api.models import NOT_RECEIVED, ProcessStatus, Product, ReturnMethod, ShippingStatus
from rever_api.sandbox.shops import Shop
from rever_api.sandbox.state import Refusal, Sandbox
from tests.model.world import ModelWorld

METHODS = ("ORIGINAL_PAYMENT_METHOD", "ORIGINAL_PAYMENT_METHOD", "GIFT_CARD", "EXCHANGE")
HOME = ""
COUNTRIES = (HOME, HOME, HOME, HOME, "FR", "PT", "NZ")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a new return. `total` empty: the shop's price; `size` is of the wanted goods, XXL is sold out."""

    quantity: int
    method: str
    reason: str
    total: str
    size: str


@dataclass(frozen=True, slots=True)
class NewReturn:
    """A return that a shopper opens at one of the shops, counted round. Country HOME is the shop's own."""

    shop: int
    lines: tuple[Line, ...]
    costs: str
    method: str
    country: str


LINES = st.builds(
    Line,
    quantity=st.sampled_from((1, 1, 2, 3)),
    method=st.sampled_from(METHODS),
    reason=st.sampled_from(("OTHER", "OTHER", "WRONG_SIZE_TOO_BIG", NOT_RECEIVED)),
    total=st.sampled_from(("", "", "10.00", "10.01", "0.01")),
    size=st.sampled_from(("M", "L", "XXL")),
)
RETURNS = st.builds(
    NewReturn,
    shop=st.integers(0, 3),
    lines=st.lists(LINES, min_size=1, max_size=3).map(tuple),
    costs=st.sampled_from(("0", "0", "2.00", "4.99", "500.00")),
    method=st.sampled_from(
        (ReturnMethod.HOME_PICK_UP, ReturnMethod.DROP_OFF_POINT, ReturnMethod.DROP_OFF_POINT, ReturnMethod.IN_STORE)
    ).map(str),
    country=st.sampled_from(COUNTRIES),
)
VERDICTS = st.sampled_from(("APPROVED", "APPROVED", "APPROVED", "DECLINED", "MISSING"))

DEEDS = st.sampled_from(
    ("hold", "release", "release", "cancel", "fail", "pay", "pay", "pay 1.00", "pay 22.30", "undo", "price 9.99")
)


def open_return(world: ModelWorld, new: NewReturn) -> str:
    """Open it at REVER with its costs, its way back and its odd prices; nobody ever saw it without them."""
    sandbox = world.watched
    with sandbox.locked():
        shops = tuple(sandbox.shops.values())
        shop = shops[new.shop % len(shops)]
        items = [_item(shop, number, line) for number, line in enumerate(new.lines, start=1)]
        opened = world.sandbox.act("open", ecommerce_id=shop.id, order_name="#1", email=_email(new), items=items)
        stored = sandbox.find(opened["process_id"])
        process = stored.process
        lines = tuple(
            line.model_copy(update={"total_price": Decimal(wanted.total)}) if wanted.total else line
            for line, wanted in zip(process.return_line_items, new.lines, strict=True)
        )
        home = process.pickup_address
        assert home is not None
        country = new.country or shop.countries[0]
        where = home.model_copy(update={"country": country, "country_code": country})
        sandbox.change(
            stored,
            return_line_items=lines,
            return_costs=Decimal(new.costs),
            return_method=new.method,
            pickup_address=where,
        )
        stored.earlier = stored.process
    return str(opened["process_id"])


def _email(new: NewReturn) -> str:
    return f"shopper{len(new.lines)}@example.com"


def _item(shop: Shop, number: int, line: Line) -> dict[str, object]:
    sku = f"{shop.id.upper()}-{number:03}-S"
    wanted: Product = shop.goods[f"{shop.id.upper()}-{number:03}-{line.size}"][0]
    item: dict[str, object] = {"sku": sku, "quantity": line.quantity, "return_reason": line.reason}
    if line.method == "EXCHANGE":
        item["exchange_for"] = wanted.model_dump()
    return item | {"compensation_method": line.method}


def try_act(world: ModelWorld, action: str, process_id: str, **parameters: object) -> None:
    """Do it if REVER lets it be done."""
    try:
        world.sandbox.act(action, process_id, **parameters)
    except Refusal:
        return


def move_parcel(world: ModelWorld, process_id: str, step: str) -> None:
    """A carrier moves the youngest parcel; a cancelled one moves no more."""
    parcels = world.watched.find(process_id).process.logistics or ()
    if parcels and parcels[-1].status != ShippingStatus.CANCELED:
        try_act(world, step, process_id)


def inspect(world: ModelWorld, process_id: str, line: int, verdict: str) -> None:
    """The warehouse inspects one unit of a line."""
    lines = world.watched.find(process_id).process.return_line_items
    try_act(world, "review_one", process_id, line_item_id=lines[line % len(lines)].id, status=verdict)


def back_office(world: ModelWorld, process_id: str, deed: str) -> None:
    """REVER's own people, or the shop's, do something at REVER that nobody asked the desk about."""
    what, _, amount = deed.partition(" ")
    if what == "price":
        _reprice(world.watched, process_id, amount)
    elif what == "undo":
        _undo_review(world.watched, process_id)
    else:
        try_act(world, what, process_id, **({"amount": amount} if amount else {}))


def _undo_review(sandbox: Sandbox, process_id: str) -> None:
    """The warehouse takes its youngest inspection back."""
    with sandbox.locked():
        stored = sandbox.find(process_id)
        if stored.process.reviews and stored.process.rever_process_status == ProcessStatus.RUNNING:
            sandbox.change(stored, reviews=stored.process.reviews[:-1])


def _reprice(sandbox: Sandbox, process_id: str, total: str) -> None:
    """Somebody at REVER corrects the total of the first line."""
    with sandbox.locked():
        stored = sandbox.find(process_id)
        first, *rest = stored.process.return_line_items
        changed = first.model_copy(update={"total_price": Decimal(total)})
        sandbox.change(stored, return_line_items=(changed, *rest))
