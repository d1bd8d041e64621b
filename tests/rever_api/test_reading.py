"""Every value is bounded and clean once it is read: what carries money is strict, what carries none is tolerant."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

import rever_api.models as all_models
from rever_api.messages import read_json
from rever_api.models import (
    LineQuantity,
    LogisticOrderRequest,
    RefundInput,
    ReturnProcess,
    ReviewInput,
    SearchQuery,
    UnreadableProcess,
)
from rever_api.models.base import ApiModel, InputModel, Spoiled
from rever_api.operations import entry
from tests.rever_api.samples import process

EMPTY: list[Any] = [None, "", " ", {}, {"order_id": ""}, {"order_id": None, "ordered_items": []}, {"a": {"b": None}}]


def read(**fields: Any) -> ReturnProcess:
    found = entry(process(**fields))
    assert isinstance(found, ReturnProcess), found
    return found


def unread(**fields: Any) -> UnreadableProcess:
    found = entry(process(**fields))
    assert isinstance(found, UnreadableProcess), found
    return found


def line(**fields: Any) -> dict[str, Any]:
    return {"return_line_items": [{"id": "retl_1", "quantity": 1, "total_price": "24.00", "currency": "EUR", **fields}]}


@pytest.mark.parametrize("nothing", [*EMPTY, [], {"ordered_items": [{}, {"sku": ""}]}])
def test_an_empty_exchange_order_is_none(nothing: Any) -> None:
    it = read(compensation={"refunds": [], "exchange_order": nothing})
    assert it.compensation is not None
    assert (it.compensation.refunds, it.compensation.exchange_order) == ((), None)


@pytest.mark.parametrize(
    "something", [{"order_id": "o"}, {"order_id": 7}, {"unknown": "x"}, {"shipping_address": {"city": "x"}}]
)
def test_an_exchange_order_that_says_something_is_one(something: Any) -> None:
    it = read(compensation={"refunds": [], "exchange_order": something})
    assert it.compensation is not None
    assert it.compensation.exchange_order is not None


@pytest.mark.parametrize("nothing", EMPTY)
@pytest.mark.parametrize("name", ["reviews", "logistics", "compensation", "return_costs", "shopper", "pickup_address"])
def test_what_is_empty_is_absent_in_every_field(name: str, nothing: Any) -> None:
    assert getattr(read(**{name: nothing}), name) is None


def test_an_empty_list_of_what_was_done_says_none_and_not_that_nothing_was_told() -> None:
    it = read(reviews=[], logistics=[], compensation={"refunds": [], "exchange_order": {}})
    assert (it.reviews, it.logistics) == ((), ())
    assert it.compensation is not None
    assert it.compensation.refunds == ()
    silent = read(compensation={"refunds": None, "exchange_order": {"order_id": "o"}})
    assert silent.compensation is not None
    assert silent.compensation.refunds is None


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("2026-11-01T10:00:00Z", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01t10:00:00z", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01T10:00:60Z", datetime(2026, 11, 1, 10, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60.5Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2026-11-01T12:00:00.123456789+02:00", datetime(2026, 11, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        (" 2026-11-01 10:00 ", datetime(2026, 11, 1, 10, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        *((said, None) for said in ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1999-12-31T23:59:59Z")),
        *((said, None) for said in ("20261101", "1793520000", "2026", "2026-W44", "0000-00-00", "soon", "9" * 5000)),
        *((said, None) for said in (1793520000, Decimal("1.5"), True, {"a": 1}, [2026], "2026-11-01T25:00:00Z")),
        ("2026-11-01T10:00:00+99:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("\N{FULLWIDTH DIGIT TWO}026-11-01T10:00:00Z", None),
    ],
)
def test_a_time_that_cannot_be_is_not_told_and_stops_nothing(said: Any, at: datetime | None) -> None:
    assert read(started_at=said).started_at == at
    reviews = read(reviews=[{"line_item_id": "retl_1", "status": "APPROVED", "review_date": said}]).reviews
    assert reviews is not None
    assert reviews[0].review_date == at


@pytest.mark.parametrize(
    ("said", "amount"),
    [("24.00", "24.00"), ("-1.5", "-1.5"), ("0", "0"), (24, "24"), (Decimal("1E+2"), "100"), (Decimal("24.1"), "24.1")],
)
def test_an_amount_is_read_by_the_contract(said: Any, amount: str) -> None:
    assert str(read(return_costs=said).return_costs) == amount


@pytest.mark.parametrize("name", ["total_price", "subtotal_price", "unit_price", "total_discounts", "total_taxes"])
@pytest.mark.parametrize(
    "said",
    [
        *("1_000.00", "\N{FULLWIDTH DIGIT ONE}0.50", " 10.50 ", "+5", "1e2", "1E+999999999", "10,50", "1.23456", ".5"),
        *("5.", "NaN", "Infinity", "-", "0x10", "24.00\x00", "9" * 6000, True, [24], {"a": 1}, 10**30),
        *(Decimal("1E+999999999"), Decimal("1E-999999999"), Decimal("NaN"), Decimal("Infinity"), Spoiled("NaN")),
    ],
)
def test_an_amount_outside_the_contract_is_unreadable(name: str, said: Any) -> None:
    found = unread(**line(**{name: said}))
    assert found.process_id == process()["rever_process_id"]
    assert found.why.startswith(f"return_line_items.0.{name}: an amount such as 24.00 expected, found ")
    assert len(found.why) < 200


@pytest.mark.parametrize(("said", "quantity"), [(2, 2), ("2", 2), (Decimal("2.0"), 2), (-1, -1), (0, 0)])
def test_a_quantity_is_a_whole_number(said: Any, quantity: int) -> None:
    assert read(**line(quantity=said)).return_line_items[0].quantity == quantity


@pytest.mark.parametrize("said", ["1_0", "2.0", " 2", "+2", True, Decimal("1.5"), "9" * 6000, 10**40, [1], "two"])
def test_any_other_quantity_is_unreadable(said: Any) -> None:
    assert unread(**line(quantity=said)).why.startswith("return_line_items.0.quantity: a whole number expected")


@pytest.mark.parametrize("said", ["a\x00", "a\ud800", "a\n", "a" * 201, True, [1], {"a": 1}])
def test_an_unclean_id_is_unreadable(said: Any) -> None:
    assert "id" in unread(**line(id=said)).why
    assert unread(rever_process_id=said).process_id == ""
    assert unread(rever_process_id="a\N{REPLACEMENT CHARACTER}").process_id == ""


def test_an_id_may_be_a_number() -> None:
    it = read(**line(id=7), order_id=1001, reviews=[{"line_item_id": 7, "status": "APPROVED"}], ecommerce_id=5)
    assert it.reviews is not None
    assert it.return_line_items[0].id == it.reviews[0].line_item_id == "7"
    assert (it.order_id, it.ecommerce_id) == ("1001", "5")


def test_free_text_is_cleaned_and_stops_nothing() -> None:
    it = read(shopper={"first_name": "A\x00d\ud83da", "last_name": 5, "email": ["x"], "phone_number": "1" * 10**6})
    assert it.shopper is not None
    assert it.shopper.first_name == "A\N{REPLACEMENT CHARACTER}d\N{REPLACEMENT CHARACTER}a"
    assert (it.shopper.last_name, it.shopper.email, len(it.shopper.phone_number)) == ("5", "", 2000)
    assert read(shopper="Ada", pickup_address=5, logistics="lost", pickup_ranges=7, order_name={"a": 1}).shopper is None


def test_too_many_entries_are_unreadable_where_money_hangs_on_them_and_cut_where_none_does() -> None:
    review = {"line_item_id": "retl_1", "status": "APPROVED"}
    assert unread(reviews=[review] * 10_001).why == "reviews: a list of at most 10000 expected, found a list of 10001"
    assert len(read(logistics=[{"status": "CREATED"}] * 10_001).logistics or ()) == 10_000


@pytest.mark.parametrize("spoiled", ["lost", ["lost"], [{}], [None], [7], [[]]])
def test_a_parcel_that_cannot_be_read_still_counts_as_one(spoiled: object) -> None:
    """Read as none, it would have another label ordered beside the one that is there."""
    assert len(read(logistics=spoiled).logistics or ()) == 1


BODY = json.dumps({"processes": [process("a"), process("b", note="HERE")], "rowcount": 2})


@pytest.mark.parametrize(
    "poison",
    [
        *("NaN", "Infinity", "1" * 5000, "1e" + "9" * 20, "1E+999999999", "0." + "1" * 10**6, '{"a":1,"a":2}'),
        *(
            "[" * 100_000 + "]" * 100_000,
            '{"a":' * 5000 + "1" + "}" * 5000,
            '"\x00\x1f"',
            '"\\ud800"',
            '"' + "x" * 10**6 + '"',
        ),
    ],
)
def test_what_one_return_holds_spoils_no_other_of_its_page(poison: str) -> None:
    document = read_json(BODY.replace('"HERE"', poison).encode())
    assert [isinstance(entry(item), ReturnProcess) for item in document["processes"]] == [True, True]
    spoiled = read_json(BODY.replace('"quantity": 1', f'"quantity": {poison}', 1).encode())
    assert [isinstance(entry(item), ReturnProcess) for item in spoiled["processes"]] == [False, True]


def test_bytes_that_are_no_utf_8_are_cleaned_in_text_and_refused_in_an_id() -> None:
    body = json.dumps([process("a", order_name="caf\xe9"), process("b\xe9")], ensure_ascii=False).encode("latin-1")
    first, second = (entry(item) for item in read_json(b"\xef\xbb\xbf" + body))
    assert isinstance(first, ReturnProcess)
    assert first.order_name == "caf\N{REPLACEMENT CHARACTER}"
    assert isinstance(second, UnreadableProcess)


def test_a_name_that_is_there_twice_has_no_value_unless_both_say_the_same() -> None:
    start = '{"rever_process_id":"a","rever_process_status":"RUNNING","return_line_items":[],'
    twice = start + '"return_costs":"1.00","return_costs":"%s"}'
    assert isinstance(entry(read_json((twice % "1.00").encode())), ReturnProcess)
    found = entry(read_json((twice % "100.00").encode()))
    assert isinstance(found, UnreadableProcess)
    assert found.why == "return_costs: an amount such as 24.00 expected, found two values of one name"


def test_no_field_that_is_read_is_a_text_without_a_rule() -> None:
    """A new field of a plain `str` would let through what no database takes."""
    plain = []
    for model in vars(all_models).values():
        if isinstance(model, type) and issubclass(model, ApiModel) and not issubclass(model, InputModel):
            for name, field in model.model_fields.items():
                inner = [part for kind in get_args(field.annotation) for part in (kind, *get_args(kind))]
                bare = field.annotation is str and not field.metadata
                plain += [f"{model.__name__}.{name}"] if bare or (tuple in inner and str in inner) else []
    assert plain == []


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (SearchQuery, {"ecomerce_id": "acme"}),
        (ReviewInput, {"line_item_id": "a", "status": "DECLINED", "reject_reson": "worn"}),
        (
            RefundInput,
            {
                "type": "GIFT_CARD",
                "amount": "1",
                "currency": "EUR",
                "items": [{"line_item_id": "a", "quantity": 1}],
                "note": "",
            },
        ),
        (LineQuantity, {"line_item_id": "a", "quantity": 1, "n": 1}),
        (LogisticOrderRequest, {"process_id": "a", "provider": "p", "carrier": "c", "oder_number": "1"}),
    ],
)
def test_what_is_sent_has_no_field_that_is_not_known(model: type[BaseModel], fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        model(**fields)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(),
    lambda it: st.lists(it) | st.dictionaries(st.text(), it),
)


@given(name=st.sampled_from(sorted(ReturnProcess.model_fields)), value=JSON)
@settings(max_examples=300, deadline=None)
def test_whatever_stands_in_a_field_is_read_or_named(name: str, value: Any) -> None:
    found = entry(process(**{name: value}))
    if isinstance(found, UnreadableProcess):
        assert 0 < len(found.why) < 1000
        assert found.why.isprintable()
    else:
        found.model_dump_json().encode()
        assert "\x00" not in repr(found)


def test_unknown_fields_are_kept_as_they_came_and_nothing_rests_on_them() -> None:
    told = process(new_field={"amount": Decimal("1.10")}, shopper={"email": "a@example.org", "nickname": "Ada"})
    found, plain = ReturnProcess.model_validate(told), ReturnProcess.model_validate(told | {"new_field": None})
    assert found.model_extra == {"new_field": {"amount": Decimal("1.10")}}
    assert found.new_field["amount"] == Decimal("1.10")  # type: ignore[attr-defined]
    assert found.shopper is not None
    assert found.shopper.model_extra == {"nickname": "Ada"}
    assert (found, hash(found)) == (plain, hash(plain))
    assert "Ada" not in f"{found!r} {found} {found.shopper!r}"
    assert "new_field" not in repr(found)


def test_another_value_of_a_known_field_still_differs() -> None:
    assert ReturnProcess.model_validate(process()) != ReturnProcess.model_validate(process(return_costs="1.00"))
