"""What REVER says in words becomes a class; its words are in no error's text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api import Reason
from rever_api.messages import Answer, reason_of
from tests.rever_api.fake_time import START


@pytest.mark.parametrize(
    ("status", "code", "words", "reason"),
    [
        (
            400,
            3,
            "the combination of provider, carrier and return method is not supported",
            Reason.COMBINATION,
        ),
        (400, 3, "the combination of provider, carrier and country is not supported", Reason.COMBINATION),
        (400, 3, "Carrier GLS does not support return method DROP_OFF_POINT", Reason.COMBINATION),
        (400, 3, "no pickup on a bank holiday", Reason.PICKUP),
        (400, 3, "the carrier is not available in this time window", Reason.PICKUP),
        (400, 3, "address_line_1 is not supported by the carrier", Reason.ADDRESS),
        (400, 3, "address_line_1: longer than 35 characters", Reason.ADDRESS),
        (400, 3, "amount: more than two decimals", Reason.AMOUNT),
        (400, 3, "reject_reason: required when DECLINED", Reason.REJECT_REASON),
        (409, 9, "a wanted variant is out of stock", Reason.OUT_OF_STOCK),
        (409, 6, "a unit of the line was reviewed already", Reason.ALREADY_REVIEWED),
        (422, 9, "the amount is above what is still refundable", Reason.ALREADY_REFUNDED),
        (409, 6, "the line was already refunded", Reason.ALREADY_REFUNDED),
        (409, 9, "process is COMPLETED", Reason.NOT_RUNNING),
        (404, 5, "process not found", Reason.NOT_FOUND),
        (409, 6, "", Reason.ALREADY_DONE),
        (501, 12, "Ada Lovelace has to be called", Reason.BY_HAND),
        (401, 16, "", Reason.NO_ACCESS),
        (429, 8, "slow down", Reason.TOO_MANY),
        (503, 14, "out of stock", Reason.FAULT),
        (400, 3, "Ada Lovelace is not at home", Reason.OTHER),
        (400, None, "", Reason.OTHER),
    ],
)
def test_words_and_code_give_one_class(status: int, code: int | None, words: str, reason: Reason) -> None:
    assert reason_of(status, code, words) is reason


@given(status=st.integers(300, 599), words=st.text("abcdefghijklmnopqrstuvwxyz ", min_size=12, max_size=60))
@settings(max_examples=100, deadline=None)
def test_no_word_of_revers_is_in_an_errors_text(status: int, words: str) -> None:
    """The name of a shopper that the request did not tell cannot be masked, so nothing of REVER's words is shown."""
    body = json.dumps({"code": 3, "message": f"Qxz {words} 7 Zyx Street"}).encode()
    error = Answer("issueRefund", status, {}, body, START).error()
    assert "Qxz" not in str(error)
    assert "Zyx" not in str(error)
    assert error.message.startswith("Qxz")


@pytest.mark.parametrize("code", ["9" * 6000, "12x", -3, True, 1.5, None, [], "²", 10**40])
def test_a_code_that_is_none_is_left_out(code: object) -> None:
    error = Answer("issueRefund", 400, {}, json.dumps({"code": code, "message": "no"}).encode(), START).error()
    assert error.code is None


def test_every_class_has_words() -> None:
    assert all(reason.words for reason in Reason if reason is not Reason.OTHER)
