"""Which carrier takes a parcel, in which order they are asked, and why each does not."""

from decimal import Decimal
from typing import Any

import pytest

from rever_api.models import Carrier, EcommerceSettings
from tasks.policy.conditions import Truth
from tasks.policy.label_choice import Choice, Wanted, choose, in_words
from tasks.policy.packing import UNMEASURED, Measured
from tasks.policy.return_facts import Unknown
from tasks.policy.store import CarrierLimits, LabelPolicy

STORE = EcommerceSettings(
    ecommerce_id="acme",
    currency="EUR",
    carriers=(
        Carrier(provider="OPS", carrier="HAND"),
        Carrier(provider="X", carrier="DHL", countries=("ES", "FRA"), return_methods=("DROP_OFF_POINT",)),
        Carrier(provider="X", carrier="GLS", return_methods=("DROP_OFF_POINT", "HOME_PICK_UP")),
        Carrier(provider="X", carrier="UPS"),
        Carrier(provider="X", carrier=""),
    ),
)
BOX = Measured(weight=12_000, longest=(600, 400, 300), volume=600 * 400 * 300)
UNWEIGHED = Unknown("the weight of S-1 (the table of products)")


def choice(
    country: str = "ES",
    method: str = "DROP_OFF_POINT",
    parcel: Measured = BOX,
    preferred: tuple[str, ...] = (),
    refused: tuple[str, ...] = (),
    ruled: str = "",
    **limits: Any,
) -> Choice:
    policy = LabelPolicy(carriers={f"X/{name}": each for name, each in limits.items()})
    return choose(STORE, policy, preferred, Wanted(country, method, parcel, ruled), frozenset(refused))


def names(found: Choice) -> list[str]:
    return [it.name for it in found.candidates if it.takes is Truth.YES]


def why(found: Choice, name: str) -> str:
    return next(it.why for it in found.candidates if it.name == name)


def priced(cost: str, currency: str = "EUR") -> CarrierLimits:
    return CarrierLimits(cost=Decimal(cost), currency=currency)


def limited(**fields: Any) -> CarrierLimits:
    return CarrierLimits.model_validate(fields)


def test_the_store_s_order_holds_and_hands_come_last() -> None:
    assert names(choice()) == ["X/DHL", "X/GLS", "X/UPS", "OPS/HAND"]
    assert names(choice(preferred=("OPS/HAND", "X/UPS", "X/NOBODY"))) == ["OPS/HAND", "X/UPS", "X/DHL", "X/GLS"]


def test_the_one_that_a_rule_names_comes_first_and_where_the_store_has_none_that_is_said() -> None:
    assert names(choice(ruled="OPS/HAND", preferred=("X/UPS",)))[:2] == ["OPS/HAND", "X/UPS"]
    found = choice(ruled="X/DLH", preferred=("X/UPS", "X/NOBODY"))
    assert names(found) == ["X/UPS", "X/DHL", "X/GLS", "OPS/HAND"]
    assert in_words(found.passed_over) == "X/DLH: a rule names it, and the store's settings at REVER do not"


def test_the_cheapest_comes_first_but_not_before_a_preferred_one() -> None:
    costs: dict[str, Any] = {"DHL": priced("6.90"), "UPS": priced("5.20"), "GLS": priced("1.00", "SEK")}
    assert names(choice(**costs)) == ["X/UPS", "X/DHL", "X/GLS", "OPS/HAND"]
    assert names(choice(preferred=("X/GLS",), **costs)) == ["X/GLS", "X/UPS", "X/DHL", "OPS/HAND"]
    assert choice(**costs).candidates[0].in_words == "X/UPS: takes it, for 5.20 EUR"


@pytest.mark.parametrize(
    ("limits", "takes", "said"),
    [
        ({"max_weight": "12 kg"}, Truth.YES, ""),
        ({"max_weight": "11.999 kg"}, Truth.NO, "11.999 kg at most, and the parcel weighs 12 kg"),
        ({"max_size": "30x60x40 cm"}, Truth.YES, ""),
        ({"max_size": "100x39x39 cm"}, Truth.NO, "100x39x39 cm at most, and the parcel is 60x40x30 cm or more"),
        ({"not_in": ("ES",)}, Truth.NO, "not asked in ES by the policy file"),
    ],
)
def test_the_limits_of_the_policy(limits: dict[str, str], takes: Truth, said: str) -> None:
    found = choice(DHL=limited(**limits))
    assert [(it.takes, it.why) for it in found.candidates if it.name == "X/DHL"] == [(takes, said)]
    assert found.chosen is not None
    assert (found.chosen.name == "X/DHL") is (takes is Truth.YES)


def test_goods_that_fit_one_by_one_and_not_together_do_not_fit() -> None:
    two = Measured(weight=1, longest=(600, 400, 300), volume=2 * 600 * 400 * 300)
    assert why(choice(parcel=two, DHL=limited(max_size="60x40x30 cm")), "X/DHL").endswith("have more volume")


def test_an_unknown_weight_is_unknown_and_matters_only_where_there_is_a_limit() -> None:
    parcel = Measured(weight=UNWEIGHED, longest=UNWEIGHED, volume=UNWEIGHED)
    some = choice(parcel=parcel, DHL=limited(max_weight="20 kg"))
    assert some.chosen is not None
    assert some.chosen.name == "X/GLS", "one without a limit takes it"
    assert some.passed_over[0].takes is Truth.UNKNOWN
    assert "the weight of S-1" in some.passed_over[0].why
    all_of_them = {name: limited(max_weight="20 kg") for name in ("DHL", "GLS", "UPS")}
    none = choose(
        STORE.model_copy(update={"carriers": STORE.carriers[1:]}),
        LabelPolicy(carriers={f"X/{name}": each for name, each in all_of_them.items()}),
        (),
        Wanted("ES", "DROP_OFF_POINT", parcel),
        frozenset(),
    )
    assert none.chosen is None
    assert none.unsure
    assert len(none.passed_over) == 4


def test_a_known_no_is_said_before_what_is_not_known() -> None:
    parcel = Measured(weight=30_000, longest=UNWEIGHED, volume=UNWEIGHED)
    found = choice(parcel=parcel, DHL=limited(max_weight="20 kg", max_size="1x1x1 cm"))
    assert why(found, "X/DHL") == "20 kg at most, and the parcel weighs 30 kg"


def test_each_that_does_not_take_it_says_why() -> None:
    found = choice("SE", "HOME_PICK_UP", UNMEASURED, refused=("X/GLS",))
    assert why(found, "X/DHL") == "SE is not served"
    assert why(choice("FR", "HOME_PICK_UP"), "X/DHL") == "HOME_PICK_UP is not done"
    assert "refused by REVER" in why(found, "X/GLS")
    assert "no name" in why(found, "X/")
    assert names(found) == ["X/UPS", "OPS/HAND"]
    france = in_words(choice("FR", "HOME_PICK_UP", GLS=limited(not_in=("FR",)), UPS=limited(not_in=("FR",))).candidates)
    assert france == (
        "X/DHL: HOME_PICK_UP is not done; X/GLS, X/UPS: not asked in FR by the policy file; "
        "X/: no name in the store's settings at REVER; OPS/HAND: takes it"
    )
