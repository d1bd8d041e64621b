"""Which return and line a row is about is sure, or the row is refused."""

import pytest

from tasks.files.inspections import Product
from tasks.files.matching import NoMatchError, ReturnIndex, lines_of
from tests.tasks.files.returns import line, process

PARCEL = [{"tracking_number": "DHL 0077"}]
RETURNS = [
    process("retp_a", [line("l1", "SKU-1", ean="05060000000001")], order_name="#1001", platform_process_id="RMA77"),
    process("retp_b", [line("l2", "SKU-2"), line("l3", "0042")], order_name="#1002", logistics=PARCEL),
    process("retp_c", [line("l4", "SKU-2")], order_name="#1002"),
    process("retp_d", [line("l5", "42")], order_name="#0815", rever_process_status="CANCELED"),
    process("retp_e", [line("l6", "42")], order_name="#0815"),
]


@pytest.mark.parametrize(
    ("keys", "product", "found"),
    [
        ({"process_id": "RETP_A"}, Product(sku="sku-1"), "retp_a"),
        ({"rma": "rma77"}, Product(sku="SKU-1"), "retp_a"),
        ({"rma": "retp_a"}, Product(sku="SKU-1"), "retp_a"),
        ({"order": "1001"}, Product(ean="5060000000001"), "retp_a"),
        ({"order": "815"}, Product(sku="42"), "retp_e"),
        ({"order": "1001.0"}, Product(ean="5060000000001.0"), "retp_a"),
        ({"tracking": "dhl0077"}, Product(sku="42"), "retp_b"),
        ({"tracking": "1Z99, DHL 0077"}, Product(sku="42"), "retp_b"),
        ({"tracking": "dhl0077\n1Z99 / DHL0077"}, Product(sku="42"), "retp_b"),
        ({"order": "1002", "tracking": "DHL 0077"}, Product(sku="SKU-2"), "retp_b"),
        ({"order": "1002"}, Product(sku="42"), "retp_b"),
        ({"order": "9999", "tracking": "DHL 0077"}, Product(sku="SKU-2"), "retp_b"),
    ],
)
def test_a_return_is_found_by_what_names_it(keys: dict[str, str], product: Product, found: str) -> None:
    process = ReturnIndex.of(RETURNS).find(keys, product)
    assert process.rever_process_id == found
    assert len(lines_of(process, product)) == 1


@pytest.mark.parametrize(
    ("keys", "product", "said"),
    [
        (
            {"rma": "X", "order": "1001"},
            Product(sku="SKU-1"),
            "no return has the return number X, though the order 1001 is known; where that number is the "
            "warehouse's own, leave `rma` out of the mapping",
        ),
        ({"rma": "X", "order": "Y"}, Product(sku="SKU-1"), "no return has the return number X"),
        ({"order": "7", "tracking": "8"}, Product(sku="A"), "no return has the order 7 or the tracking number 8"),
        (
            {"order": "1001", "tracking": "DHL 0077"},
            Product(sku="SKU-1"),
            "the order 1001 is return retp_a, and the tracking number DHL 0077 is return retp_b; name the return",
        ),
        ({"order": "1002"}, Product(sku="SKU-2"), "it fits 2 returns with SKU SKU-2: retp_b, retp_c; name the return"),
        (
            {"rma": "RMA77", "order": "1002"},
            Product(sku="SKU-1"),
            "the return number RMA77 is return retp_a, and the order 1002 is return retp_b, retp_c",
        ),
    ],
)
def test_what_fits_no_return_or_several_is_refused(keys: dict[str, str], product: Product, said: str) -> None:
    with pytest.raises(NoMatchError) as error:
        ReturnIndex.of(RETURNS).find(keys, product)
    assert said in str(error.value)


@pytest.mark.parametrize("keys", [{"order": "1001"}, {"order": "#1001", "tracking": "gone"}])
def test_an_order_with_a_return_that_cannot_be_read_does_not_name_its_other_one(keys: dict[str, str]) -> None:
    index = ReturnIndex.of(RETURNS, {"1001"})
    with pytest.raises(NoMatchError, match="order #1001 has a return that cannot be read"):
        index.find(keys, Product(sku="SKU-1"))
    assert index.find({"order": "1001", "rma": "RMA77"}, Product(sku="SKU-1")).rever_process_id == "retp_a"
    assert index.find({"order": "0815"}, Product(sku="42")).rever_process_id == "retp_e"


def test_leading_zeros_count_where_both_are_there() -> None:
    both = process("retp_f", [line("l1", "007"), line("l2", "7")])
    assert [it.id for it in lines_of(both, Product(sku="007"))] == ["l1"]
    assert [it.id for it in lines_of(both, Product(sku="7"))] == ["l2"]
    assert [it.id for it in lines_of(both, Product(sku="07"))] == ["l1", "l2"]
    numbers = [
        process("x", [line("a")], order_name="007"),
        process("y", [line("a")], order_name="7"),
    ]
    assert [it.rever_process_id for it in ReturnIndex.of(numbers).by("order", "007")] == ["x"]
