"""What a hold tells of the goods: products, units, reasons and inspection, and nothing that names the shopper."""

import pytest

from rever_api.models import Address, Product, ReturnProcess, Review, Shopper
from tasks.policy.parcel import LEFT_OUT, LONGEST, MOST_LINES, ParcelLine, parcel_from, parcel_of
from tests.tasks.policy.factories import line, process

SHIRT = Product(product_id="p1", variant_id="v1", sku="LS-1", name="Linen shirt", variant_name="M / blue")


def returned(reason: str = "TOO_SMALL", *declined_for: str, product: Product = SHIRT) -> ReturnProcess:
    """Two units of a product, of which as many are declined as there are reasons."""
    item = line("l1", quantity=2).model_copy(update={"product": product, "return_reason": reason})
    reviews = [Review(line_item_id="l1", status="DECLINED", reject_reason=why) for why in declined_for]
    reviews += [Review(line_item_id="l1", status="APPROVED")] * (2 - len(reviews))
    whole = process(item)
    shopper = Shopper(first_name="Ana Rose", last_name="Li", email="ana@example.com", phone_number="+34600111222")
    address = Address(first_name="Ana", address_line_1="Calle Mayor 7", postcode="28001", city="Madrid")
    return whole.model_copy(update={"reviews": tuple(reviews), "shopper": shopper, "pickup_address": address})


def test_a_line_tells_product_units_reason_and_inspection() -> None:
    (told,) = parcel_of(returned("TOO_SMALL", "the seam is torn"))
    assert told == ParcelLine(
        "l1", "Linen shirt, M / blue", "LS-1", 2, "TOO_SMALL", {"APPROVED": 1, "DECLINED": 1}, ("the seam is torn",)
    )
    assert parcel_from([told.as_json()]) == (told,)


@pytest.mark.parametrize(
    "text",
    ["Ms Li called", "ROSE wore it", "sent to calle mayor 7", "write to a@b.example", "call 600 11 12 22", "28001"],
)
def test_a_text_that_may_name_the_shopper_is_left_out(text: str) -> None:
    (told,) = parcel_of(returned(text, text))
    assert (told.reason, told.declined_for) == (LEFT_OUT, (LEFT_OUT,))
    (named,) = parcel_of(returned(product=SHIRT.model_copy(update={"name": "Shirt for Ana"})))
    assert named.product == LEFT_OUT
    assert named.sku == "LS-1"


@pytest.mark.parametrize("sku", ["MUG-ANA-LI", "MUG_ROSE_01", "mug.li", "CALLE_MAYOR-7", "TO-28001"])
def test_a_sku_that_may_name_the_shopper_is_left_out(sku: str) -> None:
    (told,) = parcel_of(returned(product=SHIRT.model_copy(update={"sku": sku})))
    assert (told.sku, told.product) == (LEFT_OUT, "Linen shirt, M / blue")


@pytest.mark.parametrize("sku", ["BANANA-1", "LIN-ROSES", "4006381333931"])
def test_a_sku_that_only_has_a_names_letters_or_many_digits_is_told(sku: str) -> None:
    assert parcel_of(returned(product=SHIRT.model_copy(update={"sku": sku})))[0].sku == sku


@pytest.mark.parametrize("variant", ["+49 170 1234567", "x@y.example"])
def test_a_products_name_with_a_contact_in_it_is_left_out(variant: str) -> None:
    (told,) = parcel_of(returned(product=SHIRT.model_copy(update={"name": "Print", "variant_name": variant})))
    assert told.product == LEFT_OUT


def test_a_word_that_only_begins_like_a_name_is_told() -> None:
    assert parcel_of(returned("the lining is loose"))[0].reason == "the lining is loose"


def test_what_is_kept_is_bounded() -> None:
    many = process(*(line(f"l{n}") for n in range(MOST_LINES + 5)))
    assert len(parcel_of(many)) == MOST_LINES
    assert len(parcel_of(returned("x" * 500))[0].reason) == LONGEST
