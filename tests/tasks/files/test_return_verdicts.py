"""What becomes of the returns that a list asks for of one order, by what the ledger knows and REVER shows."""

from collections import Counter
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import ReturnProcess, Shopper
from tasks.files.mapped_rows import WrongRow
from tasks.files.new_returns import WantedReturn
from tasks.files.return_mapping import ReturnMapping
from tasks.files.return_verdicts import Came, OrderBounds, ReturnVerdict, file_verdict, judge_order
from tasks.policy.decision import AskedEffect
from tasks.policy.kinds import CREATE_RETURN
from tasks.policy.kinds.create_return import NewReturn
from tasks.policy.order_returns import OrderReturns, skus_of
from tasks.policy.record import HoldKind, Intent, IntentKind, IntentState, OpenHold, Record
from tests.tasks.files.test_new_returns import ADA, PER_KEY, PER_ORDER, PER_ROW, row, wanted
from tests.tasks.policy.factories import NOW, record, rules
from tests.tasks.policy.test_order_returns import found as shown
from tests.tasks.policy.test_order_returns import of_sku

CREATE, ALREADY, REFUSED, HELD = ReturnVerdict


def asked(rows: Sequence[Sequence[str]], mapping: ReturnMapping = PER_KEY) -> list[WantedReturn]:
    """These rows, all of the order that `shown` is of."""
    return wanted([[it[0], "#1001", *it[2:]] for it in rows], mapping)


def at_rever(*returns: ReturnProcess, email: str = ADA) -> OrderReturns:
    return shown(*(it.model_copy(update={"shopper": Shopper(email=email)}) for it in returns))


def known(it: WantedReturn, state: IntentState = IntentState.DONE, made: str = "") -> Intent:
    """The intent of a return whose units are the first of the order."""
    new = judge_order([it], at_rever(), record())[0].new
    assert new is not None
    return Intent(
        "i", IntentKind.CREATE_RETURN, state, CREATE_RETURN.items(new), source=it.source,
        made=made if state is IntentState.DONE else "",
    )  # fmt: skip


def verdicts(came: Sequence[Came]) -> list[ReturnVerdict]:
    return [it.verdict for it in came]


def test_what_nobody_has_asked_for_is_made_unit_after_unit() -> None:
    came = judge_order(asked([row(), row("k2", many="2"), row("k3", sku="B")]), at_rever(), record())
    assert verdicts(came) == [CREATE] * 3
    assert [it.new.items[0].units for it in came if it.new] == [(1,), (2, 3), (1,)]
    assert all(it.new.email == ADA for it in came if it.new)


@pytest.mark.parametrize("mapping", [PER_KEY, PER_ORDER])
def test_what_the_ledger_knows_by_its_key_is_there(mapping: ReturnMapping) -> None:
    (it,) = asked([row()], mapping)
    came = judge_order([it], at_rever(of_sku("retp_7")), record(known(it, made="retp_7")))
    assert (verdicts(came), came[0].why) == ([ALREADY], "retp_7, by its key")
    came = judge_order([it], at_rever(), record(known(it, made="retp_7")))
    assert verdicts(came) == [ALREADY], "an older view of REVER changes nothing"


@pytest.mark.parametrize(
    ("state", "verdict", "why"),
    [
        (IntentState.INTENDED, HELD, "another run has it in hand"),
        (IntentState.SENT, HELD, "the next run looks"),
        (IntentState.UNKNOWN, HELD, "the next run looks"),
        (IntentState.DROPPED, REFUSED, "give it another key"),
        (IntentState.DONE_BY_HAND, ALREADY, "a person says that it was made"),
        (IntentState.REFUSED, CREATE, ""),
        (IntentState.WITHDRAWN, CREATE, ""),
    ],
)
def test_a_key_whose_return_is_not_made_says_why(state: IntentState, verdict: ReturnVerdict, why: str) -> None:
    (it,) = asked([row()])
    (came,) = judge_order([it], at_rever(), record(known(it, state)))
    assert (came.verdict, why in came.why) == (verdict, True)


def test_a_lost_answer_about_which_a_person_is_asked_says_so() -> None:
    (it,) = asked([row()])
    hold = OpenHold("h", 1, HoldKind.UNKNOWN_OUTCOME, "unknown_outcome", "?", NOW, intent_id="i")
    (came,) = judge_order([it], at_rever(), Record("new", intents=(known(it, IntentState.UNKNOWN),), holds=(hold,)))
    assert "a person is asked" in came.why


def test_a_key_of_other_goods_is_refused() -> None:
    (first,) = asked([row()])
    (other,) = asked([row(many="2")])
    assert first.source == other.source
    (came,) = judge_order([other], at_rever(of_sku("retp_7")), record(known(first, made="retp_7")))
    assert (came.verdict, "its key is that of a return of other goods: retp_7 has 1 x A" in came.why) == (REFUSED, True)


@pytest.mark.parametrize("status", ["RUNNING", "ON_HOLD", "COMPLETED", "SOMETHING_NEW"])
@pytest.mark.parametrize("mapping", [PER_KEY, PER_ORDER])
def test_what_rever_shows_of_just_these_goods_is_there(status: str, mapping: ReturnMapping) -> None:
    (came,) = judge_order(asked([row()], mapping), at_rever(of_sku("retp_9", sku="a", status=status)), record())
    assert (came.verdict, "retp_9" in came.why) == (ALREADY, True)


@pytest.mark.parametrize("status", ["CANCELED", "FAILED"])
@pytest.mark.parametrize("mapping", [PER_KEY, PER_ORDER])
def test_what_was_called_off_is_asked_for_anew(status: str, mapping: ReturnMapping) -> None:
    (came,) = judge_order(asked([row()], mapping), at_rever(of_sku("retp_9", status=status)), record())
    assert came.new is not None
    assert came.new.items[0].units == (2,)


def test_one_return_at_rever_stands_for_one_key_alone() -> None:
    came = judge_order(asked([row(), row("k2")]), at_rever(of_sku("retp_9")), record())
    assert verdicts(came) == [ALREADY, CREATE]
    assert came[1].new is not None
    assert came[1].new.items[0].units == (2,)
    one, two = asked([row(), row("k2")])
    mine = record(known(one, made="retp_7"))
    assert verdicts(judge_order([two], at_rever(of_sku("retp_7")), mine)) == [CREATE]
    assert verdicts(judge_order([two, one], at_rever(of_sku("retp_7")), mine)) == [CREATE, ALREADY]


def test_without_a_key_no_product_of_an_order_is_asked_back_twice() -> None:
    (it,) = asked([row(), row(sku="B")], PER_ORDER)
    (came,) = judge_order([it], at_rever(of_sku("retp_9")), record())
    assert (came.verdict, "SKU A of this order is asked back by retp_9" in came.why) == (REFUSED, True)
    (came,) = judge_order([it], at_rever(of_sku("retp_9"), of_sku("retp_8", sku="B")), record())
    assert (came.verdict, came.why) == (ALREADY, "its goods are in retp_8, retp_9")
    (more,) = asked([row(many="2")], PER_ORDER)
    assert verdicts(judge_order([more], at_rever(of_sku("retp_9")), record())) == [REFUSED]
    came = judge_order(asked([row(), row(why="faulty")], PER_ROW), at_rever(), record())[1]
    assert (came.verdict, "by another row of this file" in came.why) == (REFUSED, True)
    came = judge_order(asked([row(), row()], PER_ROW), at_rever(), record())[1]
    assert (came.verdict, "row 2 asks for the same return" in came.why) == (ALREADY, True)


def test_what_another_key_has_made_is_not_silently_taken_for_a_row_without_one() -> None:
    first, second = asked([row(), row(why="faulty")], PER_ROW)
    (came,) = judge_order([second], at_rever(of_sku("retp_7")), record(known(first, made="retp_7")))
    assert (came.verdict, "is asked back by retp_7" in came.why) == (REFUSED, True)


def test_keys_that_come_later_find_what_was_made_without_them() -> None:
    (old,) = asked([row(), row(sku="B")], PER_ORDER)
    (new,) = asked([row(), row(sku="B")])
    made = of_sku("retp_7").model_copy(
        update={"return_line_items": of_sku().return_line_items + of_sku(sku="B").return_line_items}
    )
    assert verdicts(judge_order([new], at_rever(made), record(known(old, made="retp_7")))) == [ALREADY]


def test_the_e_mail_must_be_that_of_the_order_s_other_returns() -> None:
    other = at_rever(of_sku("retp_9", sku="B"), email="eve@example.com")
    (came,) = judge_order(asked([row()]), other, record())
    assert (came.verdict, came.why) == (REFUSED, "the e-mail is not that of the order's other return, retp_9")
    assert verdicts(judge_order(asked([row()]), at_rever(of_sku(sku="B"), email=" ADA@example.com "), record())) == [
        CREATE
    ]
    assert verdicts(judge_order(asked([row()]), shown(of_sku(sku="B")), record())) == [CREATE], "it tells none"
    masked = at_rever(of_sku(sku="B"), email="a***@example.com")
    assert verdicts(judge_order(asked([row()]), masked, record())) == [CREATE]


@pytest.mark.parametrize(
    ("bounds", "verdict", "why"),
    [
        (OrderBounds(frozenset({"GIFT_CARD"})), CREATE, ""),
        (OrderBounds(frozenset({"BANK_TRANSFER"})), REFUSED, "GIFT_CARD is not offered by the store"),
        (OrderBounds(bought={"a": 1}), CREATE, ""),
        (OrderBounds(bought={"b": 1}), REFUSED, "SKU A is not in the order"),
        (OrderBounds(bought={}), REFUSED, "SKU A is not in the order"),
    ],
)
def test_what_the_store_or_the_order_does_not_have_is_refused(
    bounds: OrderBounds, verdict: ReturnVerdict, why: str
) -> None:
    (came,) = judge_order(asked([row()]), at_rever(), record(), bounds)
    assert (came.verdict, why in came.why) == (verdict, True)


def test_more_than_was_bought_is_refused() -> None:
    came = judge_order(asked([row(), row("k2")]), at_rever(), record(), OrderBounds(bought={"a": 1}))
    assert (verdicts(came), came[1].why) == (
        [CREATE, REFUSED],
        "it asks for 1 of SKU A; 1 bought, 1 asked back already",
    )


def test_a_list_that_is_not_clear_is_no_ground() -> None:
    (came,) = judge_order(asked([row()]), shown(of_sku(order_name="")), record())
    assert (came.verdict, "does not tell of which order" in came.why) == (REFUSED, True)


def test_rever_s_spelling_of_the_order_is_taken() -> None:
    (came,) = judge_order(asked([row()]), at_rever(of_sku(sku="B", order_name="#1001 ")), record())
    assert came.new is not None
    assert came.new.order_name.strip() == "#1001"


# A small REVER, in which files come again, in parts and in any order.

ROWS = st.lists(
    st.builds(
        row, st.sampled_from(["k1", "k2", "k3"]), st.just("#1001"), st.just(ADA), st.sampled_from(["A", "B"]),
        st.sampled_from(["1", "2"]), st.sampled_from(["small", "faulty"]),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


class Order:
    """An order at REVER, and the ledger's record of it: what is to be made is made at once."""

    def __init__(self) -> None:
        self.returns: list[ReturnProcess] = []
        self.intents: list[Intent] = []
        self._ids = count(1)

    def take(self, asked_for: Sequence[WantedReturn]) -> list[Came]:
        """Import a file: one return after the other, by the kind's own rules, until nothing is left to be made."""
        while True:
            known_so_far = record(*self.intents)
            came = judge_order(asked_for, at_rever(*self.returns), known_so_far)
            due = next(((it, end.new) for it, end in zip(asked_for, came, strict=True) if end.new), None)
            if due is None:
                return came
            self._make(*due, known_so_far)

    def _make(self, it: WantedReturn, new: NewReturn, known_so_far: Record) -> None:
        decision = CREATE_RETURN.decide(at_rever(*self.returns), rules(), known_so_far, NOW, new)
        assert isinstance(decision, AskedEffect), decision
        name = f"retp_{next(self._ids)}"
        lines = [of_sku(sku=item.sku, quantity=len(item.units)).return_line_items[0] for item in new.items]
        self.returns.append(of_sku(name).model_copy(update={"return_line_items": tuple(lines)}))
        self.intents.append(
            Intent(
                name, IntentKind.CREATE_RETURN, IntentState.DONE, CREATE_RETURN.items(new), source=it.source, made=name
            )
        )

    @property
    def units(self) -> Counter[str]:
        """All units that are asked back."""
        return sum((skus_of(it) for it in self.returns), Counter[str]())


@settings(max_examples=60)
@given(ROWS, ROWS, st.sampled_from([PER_KEY, PER_ORDER, PER_ROW]), st.data())
def test_files_that_come_again_in_parts_or_grown_make_nothing_twice(
    rows: list[list[str]], more: list[list[str]], mapping: ReturnMapping, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    order = Order()
    whole = asked(rows, mapping)
    order.take(whole)
    once = order.units
    assert len(order.returns) <= len({it.source for it in whole})
    for again in (rows, rows[cut:], rows[:cut], list(reversed(rows))):
        if again:
            order.take(asked(again, mapping))
    assert order.units == once, "a part or another order of the rows makes nothing"
    grown = asked([*rows, *more], mapping)
    order.take(grown)
    made = Counter(it.source for it in order.intents)
    assert max(made.values(), default=1) == 1, "no key has two returns"
    if mapping is not PER_KEY:
        products = [sku for it in order.returns for sku in skus_of(it)]
        assert len(set(products)) == len(products), "no product is in two returns"


@settings(max_examples=40)
@given(ROWS, st.sampled_from([PER_KEY, PER_ORDER, PER_ROW]), st.integers(0, 3))
def test_every_row_has_one_verdict(rows: list[list[str]], mapping: ReturnMapping, wrong: int) -> None:
    its = asked(rows, mapping)
    refused = [WrongRow(100 + at, ("x",), "why") for at in range(wrong)]
    ends = zip(its, judge_order(its, at_rever(of_sku("retp_9")), record()), strict=True)
    found = file_verdict(ends, refused, footers=0, acted=False)
    assert sum(found.counts.values()) == len(found.rows) == len(rows) + wrong
    assert [it.number for it in found.rows] == sorted({it.number for it in found.rows})
    assert len(found.returned()) == found.counts[REFUSED] + found.counts[HELD]
    assert found.words.startswith(f"{len(found.rows)} row")
