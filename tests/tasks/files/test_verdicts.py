"""Verdicts: each row has one, units are counted, and a file that comes again changes nothing."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import ReturnProcess
from tasks.files.mapping import InspectionMapping
from tasks.files.verdicts import FileVerdict, Known, Verdict, judge
from tasks.policy.kinds.review import KnownReview
from tests.tasks.files.returns import HEADER, NOW, SEVERAL, after, judged, known, line, process, reviewed, rows_of

REVIEW, ALREADY, REFUSED, CONTRADICTS, HELD = Verdict


def kinds(found: FileVerdict) -> list[Verdict]:
    return [row.verdict for row in found.rows]


def units(found: FileVerdict) -> dict[str, list[tuple[str, int, str]]]:
    return {name: [(it.line_id, it.unit, str(it.status)) for it in each] for name, each in found.reviews().items()}


ONE = process("r1", [line("a", quantity=2), line("b")])


def test_two_rows_of_one_line_are_two_units() -> None:
    found = judged([["R1", "A", "1", "GOOD"], ["#r1", "a", "", "bad"], ["r1", "B", "1", "gone"]], ONE)
    assert kinds(found) == [REVIEW, REFUSED, REVIEW]
    assert "'quantity' is ''; write a whole number" in found.rows[1].why
    found = judged([["R1", "A", "1", "GOOD"], ["#r1", "a", "1", "bad"], ["r1", "B", "1", "gone"]], ONE)
    assert units(found) == {"r1": [("a", 1, "APPROVED"), ("a", 2, "DECLINED"), ("b", 1, "MISSING")]}
    assert [it.reject_reason for it in found.reviews()["r1"]] == ["", "worn", ""]


def test_a_row_with_a_quantity_is_so_many_units() -> None:
    found = judged([["R1", "A", "2", "GOOD"]], ONE)
    assert units(found) == {"r1": [("a", 1, "APPROVED"), ("a", 2, "APPROVED")]}
    half = reviewed(ONE, [("a", "APPROVED")])
    found = judged([["R1", "A", "2", "GOOD"]], half)
    assert units(found) == {"r1": [("a", 2, "APPROVED")]}
    assert found.rows[0].why == "line a unit 2 APPROVED; 1 unit done already"


def test_what_else_a_row_says_gets_into_no_repr() -> None:
    header = (*HEADER, "name")
    rows = rows_of([["R1", "A", "1", "GOOD", "", "Ana Ruiz"], ["", "A", "1", "GOOD", "", "Ana Ruiz"]], header)
    found = judge(rows, [ONE], NOW)
    assert kinds(found) == [REVIEW, REFUSED]
    assert all(row.cells[-1] == "Ana Ruiz" for row in found.rows)
    assert "Ana Ruiz" not in repr(rows) + repr(found)


def test_what_rever_shows_is_done_already_whoever_did_it() -> None:
    found = judged([["R1", "B", "1", "GOOD"]], reviewed(ONE, [("b", "APPROVED")]))
    assert (kinds(found), found.rows[0].why) == ([ALREADY], "REVER shows it as APPROVED")
    found = judged([["R1", "A", "2", "GOOD"]], reviewed(ONE, [("a", "APPROVED"), ("a", "APPROVED")]))
    assert (kinds(found), found.rows[0].why) == ([ALREADY], "REVER shows it as APPROVED")


def test_whether_a_row_is_what_somebody_else_reviewed_or_another_unit_cannot_be_told() -> None:
    found = judged([["R1", "A", "1", "GOOD"]], reviewed(ONE, [("a", "APPROVED")]))
    assert (kinds(found), found.rows[0].why) == (
        [REFUSED],
        "REVER shows a unit as APPROVED, of which no earlier file is known, and 1 unit of the line is not inspected: "
        "whether this row is about that unit or another cannot be told; write in one row how many of them are "
        "inspected by now, or have the mapping name `unit` or `receipt`",
    )
    mended = judged([["R1", "A", "2", "GOOD"]], reviewed(ONE, [("a", "APPROVED")]))
    assert units(mended) == {"r1": [("a", 2, "APPROVED")]}


DATED = InspectionMapping.model_validate(
    {
        "columns": {"order": "order", "sku": "sku", "outcome": "outcome", "inspected_at": "day", "receipt": "receipt"},
        "words": {"GOOD": "APPROVED", "bad": {"status": "DECLINED", "reason": "worn"}},
    }
)
DAYS = ("order", "sku", "outcome", "day", "receipt")


def on_two_evenings(first: Sequence[str], second: Sequence[str], **what: bool) -> FileVerdict:
    """The verdict on a row of the second evening's file, once that of the first evening's is done."""
    one = judged([first], ONE, before=known(file="first"), header=DAYS, mapping=DATED)
    (it,) = after([ONE], one)
    return judged([second], it, before=known(one, file="second", **what), header=DAYS, mapping=DATED)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (["R1", "A", "GOOD", "2026-03-02", ""], ["R1", "A", "GOOD", "2026-03-03", ""], REVIEW),
        (["R1", "A", "GOOD", "2026-03-02 10:00", ""], ["R1", "A", "GOOD", "2026-03-02 11:00", ""], REVIEW),
        (["R1", "A", "GOOD", "", ""], ["R1", "A", "bad", "", ""], REVIEW),
        (["R1", "A", "GOOD", "2026-03-02", ""], ["#r1", "a", "good", "2026-03-02", ""], REFUSED),
        (["R1", "A", "GOOD", "", ""], ["R1", "A", "GOOD", "", ""], REFUSED),
        (["R1", "A", "GOOD", "", "W-1"], ["R1", "A", "GOOD", "", "w-1"], ALREADY),
        (["R1", "A", "GOOD", "2026-03-02", "W-1"], ["R1", "A", "GOOD", "2026-03-03", "W-1"], ALREADY),
        (["R1", "A", "GOOD", "", "W-1"], ["R1", "A", "GOOD", "", "W-2"], REVIEW),
        (["R1", "A", "GOOD", "", "W-1"], ["R1", "A", "bad", "", "W-1"], CONTRADICTS),
        (["R1", "B", "GOOD", "", "W-1"], ["R1", "B", "GOOD", "", "W-2"], ALREADY),
        (["R1", "B", "GOOD", "2026-03-02", ""], ["R1", "B", "GOOD", "2026-03-03", ""], ALREADY),
        (["R1", "B", "GOOD", "2026-03-02", ""], ["R1", "B", "bad", "2026-03-03", ""], CONTRADICTS),
    ],
)
def test_the_second_evenings_row_is_the_second_unit_the_same_again_or_not_to_be_told(
    first: Sequence[str], second: Sequence[str], verdict: Verdict
) -> None:
    found = on_two_evenings(first, second)
    assert kinds(found) == [verdict]
    if verdict is REVIEW:
        assert units(found)["r1"] == [("a", 2, "DECLINED" if second[2] == "bad" else "APPROVED")]


def test_in_a_file_that_has_all_earlier_rows_again_a_row_alike_is_the_same() -> None:
    row = ["R1", "A", "GOOD", "", ""]
    assert kinds(on_two_evenings(row, row, cumulative=True)) == [ALREADY]


def test_the_same_file_and_one_row_more_of_it_are_told_apart() -> None:
    row, three = ["R1", "A", "GOOD", "", ""], process("r1", [line("a", quantity=3)])
    one = judged([row], three, before=known(file="one"), header=DAYS, mapping=DATED)
    (it,) = after([three], one)
    again = judged([row], it, before=known(one, file="one"), header=DAYS, mapping=DATED)
    assert kinds(again) == [ALREADY]
    more = judged([row, row], it, before=known(one, file="two"), header=DAYS, mapping=DATED)
    assert kinds(more) == [REFUSED, REVIEW]  # whichever is the old one: one of them is new
    all_of_them = judged([row, row, row], it, before=known(one, file="two"), header=DAYS, mapping=DATED)
    assert kinds(all_of_them) == [ALREADY, REVIEW, REVIEW]


def test_a_unit_whose_outcome_was_put_right_at_rever_agrees_with_the_new_row() -> None:
    one = judged([["R1", "A", "GOOD", "", "W-1"]], ONE, header=DAYS, mapping=DATED)
    right = reviewed(ONE, [("a", "DECLINED")])
    found = judged([["R1", "A", "bad", "", "W-1"]], right, before=known(one), header=DAYS, mapping=DATED)
    assert kinds(found) == [ALREADY]


def test_what_a_person_has_closed_is_not_asked_for_again() -> None:
    one = judged([["R1", "A", "GOOD", "", "W-1"]], ONE, header=DAYS, mapping=DATED)
    closed = Known({"r1": [KnownReview(unit, closed=True) for unit in one.reviews()["r1"]]})
    found = judged([["R1", "A", "GOOD", "", "W-1"]], ONE, before=closed, header=DAYS, mapping=DATED)
    assert (kinds(found), found.rows[0].why) == ([ALREADY], "a person has closed it")


def test_a_contradiction_tells_what_the_file_says_of_its_lines_and_what_agrees() -> None:
    shown = reviewed(ONE, [("a", "APPROVED"), ("b", "DECLINED")])
    found = judged([["R1", "B", "1", "GOOD"], ["R1", "A", "2", "GOOD"]], shown)
    (asked,) = found.contradictions().values()
    assert asked.says == {"b": {"APPROVED": 1}}
    assert asked.why == found.rows[0].why
    assert found.agreed() == {}
    right = judged([["R1", "B", "1", "bad"]], shown)
    assert (right.contradictions(), right.agreed()) == ({}, {"r1": frozenset({"b"})})
    in_itself = judged([["R1", "A", "1", "GOOD", "LPN1"], ["R1", "A", "1", "bad", "LPN1"]], ONE)
    assert in_itself.contradictions() == {}  # its rows come back, and REVER has nothing to do with it


def test_a_finished_return_is_refused_but_for_what_is_done() -> None:
    done = reviewed(ONE, [("b", "APPROVED")]).model_copy(update={"rever_process_status": "COMPLETED"})
    found = judged([["R1", "B", "1", "GOOD"], ["R1", "A", "1", "GOOD"]], done)
    assert kinds(found) == [ALREADY, REFUSED]
    assert found.rows[1].why == "the return is COMPLETED at REVER"


def test_a_line_of_which_a_refused_row_says_more_than_rever_shows_does_not_agree() -> None:
    ended = reviewed(ONE, [("a", "APPROVED")]).model_copy(update={"rever_process_status": "COMPLETED"})
    found = judged([["R1", "A", "1", "GOOD"], ["R1", "A", "1", "bad"]], ended)
    assert kinds(found) == [ALREADY, REFUSED]
    assert found.agreed() == {"r1": frozenset()}


def test_what_contradicts_is_held_with_both_sides() -> None:
    shown = reviewed(ONE, [("b", "DECLINED")])
    found = judged([["R1", "B", "1", "GOOD"]], shown)
    assert kinds(found) == [CONTRADICTS]
    assert found.rows[0].why == (
        "line b has 1 unit, REVER shows 1 of them inspected (1 DECLINED not in this file), and row 2 says APPROVED"
    )
    found = judged([["R1", "B", "1", "GOOD"], ["R1", "B", "1", "bad"], ["R1", "A", "1", "GOOD"]], ONE)
    assert kinds(found) == [CONTRADICTS, CONTRADICTS, REVIEW]
    assert "row 2 says APPROVED, row 3 says DECLINED" in found.rows[1].why


def test_a_label_makes_two_rows_one_unit() -> None:
    same = [["R1", "A", "1", "GOOD", "LPN1"], ["R1", "A", "1", "GOOD", "lpn1"], ["R1", "A", "1", "GOOD", "LPN2"]]
    found = judged(same, ONE)
    assert kinds(found) == [REVIEW, ALREADY, REVIEW]
    assert found.rows[1].why == "row 2 says the same of the unit lpn1"
    found = judged([["R1", "A", "1", "GOOD", "LPN1"], ["R1", "A", "1", "bad", "lpn1"]], ONE)
    assert kinds(found) == [CONTRADICTS, CONTRADICTS]
    assert "lpn1" not in "".join(found.reasons()).casefold()
    assert found.rows[0].why == "of the one unit LPN1 row 2 says APPROVED, row 3 says DECLINED"
    found = judged([["R1", "A", "2", "GOOD", "LPN1"]], ONE)
    assert found.rows[0].why == "LPN1 names one unit, and the row is about 2"


def test_a_held_row_does_not_stand_for_what_another_row_has_done() -> None:
    """A row in clash over one line also names a unit of another, of which REVER shows just the unit of a third row."""
    it = process("r1", [line("a", quantity=2), line("b")])
    rows = [["R1", "A\nB", "1", "GOOD"], ["R1", "A", "1", "GOOD"], ["R1", "B", "1", "bad"]]
    several = rows_of(rows, mapping=SEVERAL)
    found = judge(several, [it], NOW)
    assert kinds(found) == [CONTRADICTS, REVIEW, CONTRADICTS]
    again = judge(several, after([it], found), NOW, known(found))
    assert kinds(again) == [CONTRADICTS, ALREADY, CONTRADICTS]


def test_lines_that_are_paid_alike_stand_for_each_other_and_others_must_be_named() -> None:
    alike = process("r1", [line("a", "S"), line("b", "S")])
    assert units(judged([["R1", "S", "2", "GOOD"]], alike)) == {"r1": [("a", 1, "APPROVED"), ("b", 1, "APPROVED")]}
    apart = process("r1", [line("a", "S"), line("b", "S", total="99")])
    found = judged([["R1", "S", "1", "GOOD"]], apart)
    assert kinds(found) == [REFUSED]
    said = "SKU S is on lines that are not paid alike, a, b; name the line, or send all of its units in one file"
    assert found.rows[0].why == said
    # Where the file says the same of all units there is nothing to choose.
    found = judged([["R1", "S", "1", "GOOD"], ["R1", "S", "1", "GOOD"]], apart)
    assert units(found) == {"r1": [("a", 1, "APPROVED"), ("b", 1, "APPROVED")]}
    for again in ("1", "2"):
        assert kinds(judge(rows_of([["R1", "S", again, "GOOD"]]), after([apart], found), NOW, known(found))) == [
            ALREADY
        ]
    for rows, it in (
        ([["R1", "S", "1", "GOOD"], ["R1", "S", "1", "bad"]], apart),
        ([["R1", "S", "3", "GOOD"]], apart),
        ([["R1", "S", "2", "GOOD"]], reviewed(apart, [("b", "DECLINED")])),
    ):
        assert set(kinds(judged(rows, it))) == {REFUSED}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reviews": None}, "does not tell what is inspected"),
        ({"return_line_items": [line("a", quantity=0)]}, "cannot be: line 'a' has the quantity 0"),
    ],
)
def test_without_ground_nothing_is_reviewed(change: dict[str, object], said: str) -> None:
    found = judged([["R1", "A", "1", "GOOD"]], process("r1", **{"lines": [line("a")], **change}))  # type: ignore[arg-type]
    assert kinds(found) == [REFUSED]
    assert said in found.rows[0].why


LINES = ("a", "b", "c")
ROW = st.tuples(
    st.sampled_from(["r1", "r2", "zz"]),
    st.lists(st.sampled_from([*(name.upper() for name in LINES), "SAME"]), min_size=1, max_size=2).map("\n".join),
    st.sampled_from(["1", "1", "1", "2", "0", "x"]),
    st.sampled_from(["GOOD", "GOOD", "bad", "gone", "?", "in"]),
    st.sampled_from(["", "", "", "L1", "L2"]),
)


@st.composite
def returns(draw: st.DrawFn) -> list[ReturnProcess]:
    found = []
    for name in ("r1", "r2"):
        lines = [line(each, quantity=draw(st.integers(1, 3))) for each in LINES]
        lines += [line("s1", "SAME", quantity=1), line("s2", "SAME", total=draw(st.sampled_from(["10", "10", "9"])))]
        reviews = [
            (each["id"], status)
            for each in lines
            for status in draw(st.lists(st.sampled_from(["APPROVED", "DECLINED"]), max_size=int(str(each["quantity"]))))
        ]
        found.append(reviewed(process(name, lines), [(str(one), two) for one, two in reviews]))
    return found


@given(returns(), st.lists(ROW, max_size=14), st.data())
@settings(max_examples=100, deadline=None)
def test_no_row_is_lost_and_nothing_is_done_twice(
    processes: list[ReturnProcess], rows: Sequence[Sequence[str]], data: st.DataObject
) -> None:
    read = rows_of(rows, mapping=SEVERAL)
    found = judge(read, processes, NOW)
    assert len(found.rows) == len(rows) == sum(found.counts.values())
    for it in processes:  # never more than there are, and always the next ones
        wanted = found.reviews().get(it.rever_process_id, ())
        for each in it.return_line_items:
            shown = sum(1 for review in it.reviews or () if review.line_item_id == each.id)
            numbers = [unit.unit for unit in wanted if unit.line_id == each.id]
            assert sorted(numbers) == list(range(shown + 1, shown + 1 + len(numbers)))
            assert shown + len(numbers) <= each.quantity
    second = judge(read, after(processes, found), NOW, known(found))
    assert second.reviews() == {}
    done = [now.verdict for before, now in zip(found.rows, second.rows, strict=True) if before.verdict is REVIEW]
    assert set(done) <= {ALREADY}
    # The first part of the file, then all of it, is what all of it is.
    cut = data.draw(st.integers(0, len(rows)))
    part = judge(read[:cut], processes, NOW, known(file="part"))
    part_done = after(processes, part)
    whole = judge(read, part_done, NOW, known(part, file="whole"))
    for before, now in zip(part.rows, whole.rows, strict=False):
        if before.verdict in {REVIEW, ALREADY}:
            assert now.verdict in {ALREADY, CONTRADICTS, REFUSED}
    assert judge(read, after(part_done, whole), NOW, known(part, whole, file="whole")).reviews() == {}


def test_a_row_that_names_its_line_comes_before_those_that_have_a_choice() -> None:
    both = process("r1", [line("a", "S"), line("b", "S")])
    header = ("order", "sku", "quantity", "outcome", "unit", "line")
    mapping = InspectionMapping.model_validate(
        {"columns": {name: name for name in header}, "words": {"GOOD": "APPROVED"}}
    )
    rows = [["R1", "S", "1", "GOOD", "", ""], ["R1", "S", "1", "GOOD", "", "a"]]
    found = judge(rows_of(rows, header, mapping), [both], NOW)
    assert [row.reviews[0].line_id for row in found.rows] == ["b", "a"]


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (
            "2026-02-27",
            "it was inspected on 2026-02-27, before the return began on 2026-03-01; it may be about another",
        ),
        ("2026-03-12", "it was inspected on 2026-03-12, which is still to come"),
        ("2026-03-01", ""),
        ("2026-03-10", ""),
    ],
)
def test_an_inspection_before_its_return_or_in_the_future_is_refused(day: str, said: str) -> None:
    columns = {"order": "order", "sku": "sku", "inspected_at": "day"}
    mapping = InspectionMapping.model_validate({"columns": columns, "received_is": "APPROVED"})
    row = judge(rows_of([["R1", "A", day]], ("order", "sku", "day"), mapping), [ONE], NOW).rows[0]
    assert row.verdict is (REFUSED if said else REVIEW)
    assert said in row.why


@given(st.integers(1, 4), st.lists(st.sets(st.integers(1, 4), min_size=1, max_size=4), max_size=5))
@settings(max_examples=100, deadline=None)
def test_each_receipt_is_one_unit_however_its_rows_are_spread_over_files(quantity: int, files: list[set[int]]) -> None:
    it, taken, seen = process("r1", [line("a", quantity=quantity)]), list[FileVerdict](), set[int]()
    for number, receipts in enumerate(files):
        mine = {receipt for receipt in receipts if receipt <= quantity}
        rows = [["R1", "A", "GOOD", "", f"W-{receipt}"] for receipt in sorted(mine)]
        found = judged(rows, it, before=known(*taken, file=str(number)), header=DAYS, mapping=DATED)
        assert kinds(found) == [ALREADY if receipt in seen else REVIEW for receipt in sorted(mine)]
        taken.append(found)
        seen |= mine
        (it,) = after([it], found)
        assert len(it.reviews or ()) == len(seen)


def test_a_reason_for_a_report_has_nothing_of_what_stands_in_the_row() -> None:
    header = (*HEADER, "name", "why")
    rows = rows_of([["#none", "A", "1", "GOOD", "", "Ana Ruiz", "no return has the order #none"]], header)
    (row,) = judge(rows, [ONE], NOW).rows
    assert (row.why, row.reason) == ("no return has the order #none", "no return has the order \u2026")
    rows = rows_of([["R1", "A", "1", "Ana Ruiz", "", "", ""]], header)
    (row,) = judge(rows, [ONE], NOW).rows
    assert row.reason == "the word \u2026 of 'outcome' is not in the mapping (`words`)"
