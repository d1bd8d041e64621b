"""How the goods of a return are divided into parcels: every unit travels once, and none above what the policy says."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.policy.measures import read_size, read_weight, size_in_words, weight_in_words
from tasks.policy.packing import MOST_PARCELS, measured, packed, parcel_in_words, to_come_back
from tasks.policy.record import Parcel
from tasks.policy.return_facts import LineFacts, Unknown
from tasks.policy.store import ParcelSplit
from tests.tasks.policy.factories import approved, line, process


def facts(line_id: str, weight: int | None = None, size: tuple[int, int, int] | None = None) -> LineFacts:
    unknown = Unknown("")
    return LineFacts(line_id, 1, sku=f"S-{line_id}", weight=weight or unknown, size=size or unknown)


def split(**fields: object) -> ParcelSplit:
    return ParcelSplit.model_validate(fields)


def units(*parcels: Parcel) -> list[dict[str, int]]:
    return [dict(each.items) for each in parcels]


def test_without_a_word_in_the_policy_all_travels_in_one() -> None:
    assert units(*packed({"a": 7, "b": 500}, {}, split())) == [{"a": 7, "b": 500}]


def test_each_unit_goes_into_the_first_parcel_with_room() -> None:
    lines = {"a": facts("a", 6000), "b": facts("b", 3000)}
    assert units(*packed({"a": 2, "b": 2}, lines, split(max_weight="10 kg"))) == [{"a": 1, "b": 1}, {"a": 1, "b": 1}]
    assert units(*packed({"a": 2, "b": 2}, lines, split(max_units=3))) == [{"a": 2, "b": 1}, {"b": 1}]


def test_a_bulky_one_travels_alone_and_one_heavier_than_a_parcel_too() -> None:
    lines = {"a": facts("a", 6000), "b": facts("b", 100)}
    assert units(*packed({"b": 1, "a": 2}, lines, split(alone=["S-a"]))) == [{"b": 1}, {"a": 1}, {"a": 1}]
    assert units(*packed({"a": 2, "b": 1}, lines, split(max_weight="5 kg"))) == [{"a": 1}, {"a": 1}, {"b": 1}]


def test_a_unit_of_unknown_weight_makes_no_parcel_of_its_own_and_its_parcel_has_an_unknown_weight() -> None:
    lines = {"a": facts("a", 6000), "b": facts("b")}
    (parcel,) = packed({"a": 1, "b": 3}, lines, split(max_weight="7 kg"))
    weight = measured(parcel, lines).weight
    assert isinstance(weight, Unknown)
    assert weight.needs == "the weight of S-b (the table of products)"
    assert parcel_in_words(parcel, lines) == "1 of S-a, 3 of S-b; of unknown weight"


def test_a_slip_of_the_keyboard_does_not_make_thousands() -> None:
    assert len(packed({"a": 10_000}, {}, split(max_units=1))) == MOST_PARCELS + 1


def test_what_is_measured() -> None:
    lines = {"a": facts("a", 1500, (300, 200, 100)), "b": facts("b", 250, (400, 50, 20))}
    found = measured(Parcel((("a", 2), ("b", 1))), lines)
    assert (found.weight, found.longest) == (3250, (400, 200, 100))
    assert found.volume == 2 * 300 * 200 * 100 + 400 * 50 * 20


def test_what_comes_back_is_neither_inspected_nor_never_received() -> None:
    it = process(line("a", quantity=3), line("b", reason="NOT_RECEIVED"), line("c"), reviews=approved("a", 2))
    assert to_come_back(it, None) == {"a": 1, "c": 1}


def test_two_lines_of_one_id_are_counted_together_and_their_reviews_once() -> None:
    it = process(line("a", quantity=3), line("a", quantity=2), line("b", quantity=0), reviews=approved("a", 1))
    assert to_come_back(it, None) == {"a": 4}


@given(
    st.dictionaries(
        st.sampled_from("abcde"), st.tuples(st.integers(1, 4), st.integers(1, 9000) | st.none()), min_size=1
    ),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(1, 12),
    st.sets(st.sampled_from("abcde")),
)
def test_every_unit_travels_once_and_none_above_the_limits(
    goods: dict[str, tuple[int, int | None]], most: int | None, kilos: int | None, alone: set[str]
) -> None:
    lines = {name: facts(name, weight) for name, (_, weight) in goods.items()}
    wanted = split(max_units=most, max_weight=f"{kilos} kg" if kilos else None, alone=[f"S-{it}" for it in alone])
    wanted_units = {name: many for name, (many, _) in goods.items()}
    found = packed(wanted_units, lines, wanted)
    assert found == packed(wanted_units, lines, wanted)
    if len(found) > MOST_PARCELS:
        return
    travelled = Counter[str]()
    for parcel in found:
        travelled.update(dict(parcel.items))
        known = sum(goods[name][1] or 0 for name, many in parcel.items for _ in range(many))
        assert parcel.units == 1 or kilos is None or known <= kilos * 1000
        assert most is None or parcel.units <= most
        assert parcel.units == 1 or not alone & {name for name, _ in parcel.items}
    assert travelled == wanted_units


@pytest.mark.parametrize(("text", "grams"), [("450 g", 450), ("0.45 kg", 450), ("20kg", 20_000), ("1.5 kg", 1500)])
def test_a_weight_is_read_with_its_unit(text: str, grams: int) -> None:
    assert read_weight(text) == grams
    assert read_weight(weight_in_words(grams)) == grams


@pytest.mark.parametrize("text", ["", "20", "0 kg", "0.5 g", "1,5 kg", "1e3 g", "20 lb", "-1 kg", " 1 kg"])
def test_what_is_no_weight_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a weight with its unit"):
        read_weight(text)


def test_a_size_is_read_with_its_unit_longest_side_first() -> None:
    assert read_size("10x30x20 cm") == (300, 200, 100)
    assert read_size("12.5 x 3 x 40cm") == (400, 125, 30)
    assert size_in_words((400, 125, 30)) == "40x12.5x3 cm"
    for wrong in ("", "10x20 cm", "10x20x30", "10x20x0 cm", "1.05x2x3 mm"):
        with pytest.raises(ValueError, match="three sides"):
            read_size(wrong)
