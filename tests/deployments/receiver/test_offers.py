"""How many runs for how many returns."""

import re

import pytest

from deployments.receiver.offers import FEW, MANY, MOST, ONE, Pace, fold, parameters_of
from tasks.lookup import read_key


def ids(many: int) -> list[str]:
    return [f"p{number:04}" for number in range(many)]


def test_a_few_get_a_run_each() -> None:
    assert fold([]) == []
    folds = fold(ids(FEW))
    assert [item.process_ids for item in folds] == [(one,) for one in ids(FEW)]
    assert {item.deployment for item in folds} == {ONE}


def test_a_storm_gets_few_runs() -> None:
    folds = fold(ids(2 * MOST + 1))
    assert [len(item.process_ids) for item in folds] == [MOST, MOST, 1]
    assert {item.deployment for item in folds} == {MANY}
    assert [one for item in folds for one in item.process_ids] == ids(2 * MOST + 1)
    assert len(fold(ids(FEW + 1))) == 1


def test_the_forms_are_those_of_the_flows() -> None:
    from flows.process_pending_returns import Parameters as Many
    from flows.process_return import Parameters as One

    one, many = (
        parameters_of(item.deployment, item.process_ids)["parameters"] for item in (*fold(ids(1)), *fold(ids(9)))
    )
    assert One.model_validate(one).model_dump(include={"mode", "process_id"}) == one
    keys = [read_key(typed) for typed in Many.model_validate(many).process_ids]
    assert [key.text for key in keys if key.is_id] == ids(9)
    assert Many.model_validate(many).mode == "act"


@pytest.mark.parametrize("strange", ["olga@example.com", "1001", "#1001", "order:1", "f" * 32, "Olga", "retp_a@b.c"])
def test_an_id_is_taken_for_nothing_else_whatever_it_looks_like(strange: str) -> None:
    from flows.process_return import Parameters

    form = Parameters.model_validate(parameters_of(ONE, [strange])["parameters"])
    key = read_key(form.process_id)
    assert key.is_id
    assert key.text == strange
    schema = Parameters.model_json_schema()["properties"]["process_id"]
    assert re.search(schema["pattern"], form.process_id)


def test_after_a_few_runs_in_a_short_time_the_next_are_folded() -> None:
    pace = Pace(few=3, breath=2.0)
    for now in (10.0, 10.5, 11.0):
        assert pace.wait(now) == 0.0
        pace.note(now, 1)
    assert pace.wait(11.0) == 1.0
    assert pace.wait(11.9) > 0.0
    assert pace.wait(12.1) == 0.0
