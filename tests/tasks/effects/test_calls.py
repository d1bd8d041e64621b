"""The body of createOrderV2."""

from typing import Any

import pytest

from rever_api.models import Address, Shopper, Warehouse
from tasks.effects.calls import order_request
from tasks.ledger import Claim
from tasks.policy.decision import MakeLabel
from tasks.policy.record import Intent, IntentKind, IntentState
from tests.tasks.policy.factories import process

TEN = {
    "address_line_1", "address_line_2", "city", "company", "country", "country_code", "phone", "postcode",
    "state_province", "state_province_code",
}  # fmt: skip
FULL = {
    **{name: f"the {name}" for name in TEN},
    "country": "España",
    "country_code": "ES",
    **{name: f"the {name}" for name in ("rever_id", "first_name", "last_name", "email")},
}
LABEL = MakeLabel("label_due", "", 1, "SENDCLOUD", "DHL", "HOME_PICK_UP")
CLAIM = Claim(Intent("i1", IntentKind.LABEL, IntentState.INTENDED), "token", "retp_1", "acme", LABEL)


def body(address: Address | None, *houses: Warehouse) -> dict[str, Any]:
    it = process(pickup_address=address, shopper=Shopper(email="ann@example.test", first_name="Ann"))
    return order_request(CLAIM, LABEL, it, houses).model_dump(mode="json", by_alias=True, exclude_defaults=True)


def test_both_addresses_carry_the_ten_fields_alone() -> None:
    made = body(Address(**FULL), Warehouse(id="w", is_default=True, address=Address(**FULL)))
    assert made["customer_address"].keys() == made["ecommerce_warehouse_address"].keys() == TEN
    assert made["customer"]["email"] == "ann@example.test"


@pytest.mark.parametrize("told", [{"country": "Francia"}, {"country": "FRA"}, {"country_code": "fr"}])
def test_carrier_and_warehouse_go_by_the_same_country_and_the_order_names_it(told: dict[str, str]) -> None:
    lyon = Warehouse(id="lyon", countries=("FR",), address=Address(city="Lyon"))
    getafe = Warehouse(id="getafe", is_default=True, countries=("ES",), address=Address(city="Getafe"))
    made = body(Address(address_line_1="Rue 1", city="Nantes", **told), getafe, lyon)
    assert made["ecommerce_warehouse_address"] == {"city": "Lyon"}
    assert made["customer_address"]["country_code"].upper() == "FR"


def test_where_order_tags_decide_the_order_names_no_warehouse() -> None:
    tagged = Warehouse(id="w", is_default=True, tags=("bulky",), address=Address(city="Getafe"))
    assert "ecommerce_warehouse_address" not in body(Address(**FULL), tagged)
