"""Prefect's server: not set up, down, closed to us, something else, or well; what its version means."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from deployments.doctor.command import CHECKS, examine
from deployments.doctor.examination import Examination, Line, NotChecked, State
from deployments.doctor.prefect import API, PASSWORD, password_line, version_line
from tasks.desk import utc_now
from tests.deployments.doctor.conftest import prefect_at
from tests.rever_api.told_server import ToldServer, answers, told_server

OURS = [each for each in CHECKS if each.name in {API, "clock of Prefect"}]


def lines(examination: Examination | None = None) -> dict[str, Line]:
    return {line.name: line for line in examine(OURS, examination)}


@pytest.fixture(scope="module")
def told() -> Iterator[ToldServer]:
    with told_server() as server:
        yield server


def test_without_a_server_it_is_not_used_and_none_is_started(without_prefect: None) -> None:
    found = lines()
    assert {name: line.state for name, line in found.items()} == {API: State.NOT_USED}


def test_a_server_that_is_down_is_broken_and_its_password_is_not_shown() -> None:
    with prefect_at("http://ann:s3cret@127.0.0.1:9/api"):
        found = lines()
    assert found[API].state is State.BROKEN
    assert "http://***@127.0.0.1:9/api does not answer" in found[API].found
    assert found["clock of Prefect"].state is State.NOT_CHECKED
    assert "s3cret" not in str(found)


@pytest.mark.parametrize(
    ("status", "words", "to_do"),
    [
        (401, "does not let us in (HTTP 401)", "PREFECT_API_AUTH_STRING"),
        (404, "this is no Prefect API", "PREFECT_API_URL"),
    ],
)
def test_a_server_that_answers_no_says_what_to_set(told: ToldServer, status: int, words: str, to_do: str) -> None:
    told.tell(answers(status, {"exception_message": "Unauthorized"}))
    with prefect_at(f"{told.url}/api"):
        line = lines()[API]
    assert line.state is State.BROKEN
    assert words in line.found
    assert to_do in line.to_do


@pytest.mark.parametrize(
    ("theirs", "state", "words"),
    [
        ("3.8.8", State.OK, "answers, Prefect 3.8.8"),
        ("3.8.9", State.OK, "answers, Prefect 3.8.9"),
        ("3.8.7", State.ATTENTION, "Prefect 3.8.7; here it is 3.8.8"),
        ("3.9.0", State.BROKEN, "Prefect 3.9.0; here it is 3.8.8"),
        ("2.20.4", State.BROKEN, "Prefect 2.20.4; here it is 3.8.8"),
        ("3.8.8+12.gabc", State.OK, "answers"),
    ],
)
def test_a_version_goes_with_ours_or_is_named(theirs: str, state: State, words: str) -> None:
    line = version_line(theirs, "3.8.8", "http://server/api")
    assert line.state is state
    assert words in line.found


@pytest.mark.parametrize(
    ("status", "how", "state", "words"),
    [
        (200, {"local": False}, State.BROKEN, "run code on the workers"),
        (200, {"local": False, "encrypted": True}, State.BROKEN, "not asked for"),
        (200, {"local": True, "outside": "http://10.0.0.7:4200/api"}, State.BROKEN, "answers at http://10.0.0.7"),
        (200, {"local": True, "pages": True}, State.ATTENTION, "so may any web page"),
        (200, {"local": True}, State.ATTENTION, "not asked for"),
        (401, {"local": True, "pages": True}, State.OK, "asked for"),
        (401, {"local": False, "encrypted": True}, State.OK, "asked for"),
        (403, {"local": False}, State.ATTENTION, "in clear"),
    ],
)
def test_a_server_without_a_password_is_named(status: int, how: dict[str, Any], state: State, words: str) -> None:
    line = password_line(status, **{"outside": "", "pages": False, "encrypted": False, **how})
    assert line.state is state
    assert words in line.found


def test_what_is_neither_open_nor_closed_is_not_judged() -> None:
    with pytest.raises(NotChecked, match="HTTP 502"):
        password_line(502, local=True, outside="", pages=False, encrypted=False)


@pytest.mark.prefect
def test_the_sessions_open_server_on_loopback_is_worth_a_word(prefect_server: None) -> None:
    (line,) = examine([each for each in CHECKS if each.name in {API, PASSWORD}])[1:]
    assert line.state is State.ATTENTION
    assert "any web page" in line.found
    assert "PREFECT_SERVER_API_AUTH_STRING" in line.to_do


@pytest.mark.prefect
def test_a_real_server_is_well_and_tells_the_time(prefect_server: None) -> None:
    found = lines()
    assert {line.state for line in found.values()} == {State.OK}
    early = lines(Examination(clock=lambda: utc_now() - timedelta(minutes=3)))
    assert "the Prefect server's clock is 3 min ahead of ours" in early["clock of Prefect"].found
