"""What a person types to name a return: each text is one kind of key, or a fixed order of kinds, or refused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.lookup import NO_EMAIL, KeyKind, WrongKeyError, hold_id, order_names, read_key, same_order, same_tracking

HEX = "beb093ee2fb8465b967d8e2f7da141cf"
BARE = (KeyKind.ID, KeyKind.ORDER, KeyKind.TRACKING)


@pytest.mark.parametrize(
    ("typed", "text", "kinds"),
    [
        ("retp_uUwsYaKkEUAwFFPAsUZWzu2gVrx", "retp_uUwsYaKkEUAwFFPAsUZWzu2gVrx", (KeyKind.ID,)),
        (" #AC10083\n", "#AC10083", (KeyKind.ORDER,)),
        ("AC10083", "AC10083", BARE),
        ("1001", "1001", BARE),
        (HEX, HEX, (KeyKind.HOLD, *BARE)),
        (f"{HEX}:2", f"{HEX}:2", (KeyKind.HOLD, *BARE)),
        (HEX.upper(), HEX.upper(), BARE),
        ("olga@example.com", "olga@example.com", (KeyKind.EMAIL,)),
        ("order:1001", "1001", (KeyKind.ORDER,)),
        ("Order: #1001", "#1001", (KeyKind.ORDER,)),
        ("tracking: DHL 12 34", "DHL1234", (KeyKind.TRACKING,)),
        ("DHLGUDKGSBHDGEP", "DHLGUDKGSBHDGEP", BARE),
        ("hold:x1", "x1", (KeyKind.HOLD,)),
        ("id:9001", "9001", (KeyKind.ID,)),
        ("email:olga@example.com", "olga@example.com", (KeyKind.EMAIL,)),
    ],
)
def test_each_way_to_name_a_return(typed: str, text: str, kinds: tuple[KeyKind, ...]) -> None:
    key = read_key(typed)
    assert (key.text, key.kinds) == (text, kinds)


@pytest.mark.parametrize(
    "typed",
    ["", "  ", "#", "# #", "order:", "@", "a@b", "olga@", "Olga Smith", "order:olga@example.com", "1\x00", "1" * 201],
)
def test_what_names_no_return_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(WrongKeyError) as refused:
        read_key(typed)
    assert "olga" not in str(refused.value).lower()


@given(st.text())
def test_any_text_is_a_key_or_refused_the_same_each_time(typed: str) -> None:
    try:
        key = read_key(typed)
    except WrongKeyError:
        with pytest.raises(WrongKeyError):
            read_key(typed)
        return
    assert key == read_key(typed)
    assert key.kinds
    assert len(set(key.kinds)) == len(key.kinds)
    assert key.text == key.text.strip() != ""
    assert key.text.isprintable()


@given(st.emails())
def test_an_email_address_is_shown_nowhere_and_no_form_takes_it(email: str) -> None:
    assert re.search(NO_EMAIL, email) is None
    said, kinds = _read(email)
    assert email not in said
    assert kinds in {(), (KeyKind.EMAIL,)}


def _read(typed: str) -> tuple[str, tuple[KeyKind, ...]]:
    """All that is said of what was typed, and its kinds; none where it is refused."""
    try:
        key = read_key(typed)
    except WrongKeyError as refused:
        return str(refused), ()
    return f"{key!r} {key} {key.shown}", key.kinds


@given(st.from_regex(r"#?[A-Z]{0,4}[0-9]{1,8}", fullmatch=True))
def test_an_order_is_found_in_each_spelling(number: str) -> None:
    for typed in (number, f"#{number.lstrip('#')}", number.lower(), f" {number} "):
        key = read_key(typed)
        assert KeyKind.ORDER in key.kinds
        bare = number.lstrip("#")
        assert {bare, f"#{bare}", bare.lower(), f"#{bare.lower()}"} <= set(order_names(key))
        assert same_order(key.text, number)


def test_another_order_is_not_the_same() -> None:
    assert not same_order("#1001", "#10011")
    assert not same_order("", "#")
    assert not same_tracking("", " ")
    assert same_tracking("dhl 12", "DHL12")


def test_a_hold_is_named_with_and_without_its_version() -> None:
    assert hold_id(read_key(HEX)) == hold_id(read_key(f"hold:{HEX}:3")) == HEX


@given(st.from_regex(r"retp_[0-9A-Za-z]{27}", fullmatch=True))
def test_an_id_of_rever_is_nothing_else(process_id: str) -> None:
    key = read_key(process_id)
    assert key.is_id
    assert key.text == process_id
