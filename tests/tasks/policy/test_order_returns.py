"""What stands for a return before there is one, and what of REVER's list is its order's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rever_api.models import Product, ReturnProcess, SearchPage, UnreadableProcess
from tasks.lookup import same_order
from tasks.policy.order_returns import OrderKey, OrderReturns, skus_of
from tests.tasks.policy.factories import line, process

ORDER = OrderKey("acme", "#1001")
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40)


def of_sku(process_id: str = "retp_1", sku: str = "A", quantity: int = 1, **fields: object) -> ReturnProcess:
    """A return of one line of this SKU."""
    product = Product(sku=sku) if sku else None
    lines = (line(quantity=quantity).model_copy(update={"product": product}),)
    return process(*lines, rever_process_id=process_id, **fields)  # type: ignore[arg-type]


def found(*entries: ReturnProcess | UnreadableProcess, matches: int | None = None, most: int = 100) -> OrderReturns:
    """What one page of the search comes to."""
    page = SearchPage(processes=entries, rowcount=len(entries) if matches is None else matches)
    return OrderReturns.found(ORDER, [page], most=most)


@given(NAMES, NAMES)
def test_an_order_is_read_back_from_what_stands_for_it(store: str, name: str) -> None:
    order = OrderKey(store, f"x{name}".casefold())
    for spelled in (f"x{name}", f"#x{name}", f"# X{name}"):
        assert OrderKey.of(OrderKey(store, spelled).process_id) == order


@given(NAMES, NAMES, NAMES, NAMES)
def test_just_spellings_of_one_order_have_the_same_stand_in(
    store: str, name: str, other_store: str, other_name: str
) -> None:
    one, other = OrderKey(store, f"x{name}"), OrderKey(other_store, f"x{other_name}")
    same = store == other_store and same_order(one.order_name, other.order_name)
    assert (one.process_id == other.process_id) == same


@pytest.mark.parametrize("spelled", ["ab1", "#AB1", "# Ab1", "##aB1"])
def test_capitals_and_signs_make_no_other_order(spelled: str) -> None:
    assert OrderKey("acme", spelled).process_id == OrderKey("acme", "#Ab1").process_id == "new:acme:ab1"
    assert same_order(spelled, "#Ab1")


@pytest.mark.parametrize(
    "process_id",
    ["retp_2AbC", "", "new:", "new:acme", "new:acme:", "new::1", "new:a%3:x", "new:acme:#1", "new:acme:Ab1"],
)
def test_the_id_of_a_return_stands_for_no_order(process_id: str) -> None:
    assert OrderKey.of(process_id) is None


@pytest.mark.parametrize(
    ("store", "name"),
    [("", "#1"), ("acme", ""), ("acme", "#"), ("acme", " #1"), ("acme", "a\nb"), ("a", "x" * 201), ("a", "ß" * 101)],
)
def test_a_name_that_no_order_can_have_is_refused(store: str, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        OrderKey(store, name)


def test_the_returns_of_the_order_are_taken_whatever_their_status_and_no_others() -> None:
    others = of_sku("retp_other", order_name="#2"), of_sku("retp_store", ecommerce_id="nordic")
    shown = found(of_sku("retp_1"), of_sku("retp_2", status="CANCELED"), *others)
    assert [it.rever_process_id for it in shown.returns] == ["retp_1", "retp_2"]
    assert shown.unclear == ""
    assert shown.rever_process_id == "new:acme:1001"


@pytest.mark.parametrize(
    "entry",
    [
        UnreadableProcess(process_id="retp_1", why="a total", ecommerce_id="acme", order_name="#1001"),
        UnreadableProcess(process_id="", why="a total"),
        of_sku(order_name=""),
        of_sku(sku=""),
        of_sku(quantity=0),
    ],
)
def test_an_entry_that_may_be_the_orders_and_is_not_told_makes_the_list_unclear(
    entry: ReturnProcess | UnreadableProcess,
) -> None:
    assert found(entry).unclear


def test_a_list_that_is_not_whole_is_unclear() -> None:
    assert found(of_sku(), matches=2).unclear
    page = SearchPage(processes=(of_sku(),))
    assert OrderReturns.found(ORDER, [page], most=1).unclear
    assert not OrderReturns.found(ORDER, [page, page], most=2).unclear


def test_a_return_that_two_searches_show_is_one() -> None:
    page = SearchPage(processes=(of_sku(order_name="1001"),), rowcount=1)
    assert len(OrderReturns.found(ORDER, [page, page], most=2).returns) == 1


def test_skus_are_counted_without_regard_to_capitals() -> None:
    assert skus_of(of_sku(sku=" Acme-1 ", quantity=2)) == {"acme-1": 2}
