"""Every fault, as a plain HTTP client sees it, and what the books say about it."""

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import pytest

from rever_api.sandbox import RunningSandbox
from rever_api.sandbox.faults import WEIGHTS, Fault, FaultPlan, Faults, NamedFault, fits, parse_faults
from rever_api.sandbox.operations import OPERATIONS
from tests.rever_api.sandbox import desk
from tests.rever_api.sandbox.conftest import client_of

READ, PAGE, PAY = "getReturnProcess", "searchReturnProcesses", "issueRefund"


def refund(running: RunningSandbox, http: httpx.Client) -> httpx.Response:
    """Ask for the refund of one seeded return."""
    path = f"/v1/processes/{running.process_ids('approved_one', 'acme')[0]}"
    with running.sandbox.locked():
        stored = running.sandbox.find(path.rpartition("/")[2]).process
    line = stored.return_line_items[0]
    items = [{"line_item_id": line.id, "quantity": 1}]
    body = {"type": "ORIGINAL_PAYMENT_METHOD", "amount": str(line.total_price), "currency": "EUR", "items": items}
    return http.post(f"{path}/refunds", json=body)


def read(running: RunningSandbox, http: httpx.Client) -> httpx.Response:
    return http.get(f"/v1/processes/{running.process_ids('approved_one', 'acme')[0]}")


def acted(running: RunningSandbox) -> int:
    return len([effect for effect in running.books if effect.by == "api"])


def test_connection_dropped_is_a_reset_and_nothing_is_done(running: RunningSandbox, http: httpx.Client) -> None:
    running.set_faults(f"{PAY}:1:connection_dropped")
    with pytest.raises(httpx.ReadError):
        refund(running, http)
    assert acted(running) == 0


def test_no_answer_before_acting_ends_the_connection_and_nothing_is_done(
    running: RunningSandbox, http: httpx.Client
) -> None:
    running.set_faults(f"{PAY}:1:no_answer_before_acting")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        refund(running, http)
    assert acted(running) == 0


def test_the_answer_is_lost_and_the_effect_is_done(running: RunningSandbox, http: httpx.Client) -> None:
    running.set_faults(f"{PAY}:1:acts_answer_lost")
    with pytest.raises(httpx.TransportError):
        refund(running, http)
    assert acted(running) == 1


def test_acts_later_answers_504_and_acts_when_its_time_has_come(running: RunningSandbox, http: httpx.Client) -> None:
    running.set_faults(replace(parse_faults(f"{PAY}:1:acts_later"), later=20))
    assert refund(running, http).status_code == 504
    assert acted(running) == 0
    running.advance(21)
    assert acted(running) == 1
    assert running.journal.entries[-1].acted == 1


def test_stopping_lets_what_is_put_off_finish(running: RunningSandbox, http: httpx.Client) -> None:
    running.set_faults(replace(parse_faults(f"{PAY}:1:acts_later"), later=600))
    refund(running, http)
    running.stop_faults()
    assert acted(running) == 1
    assert read(running, http).json()["rever_process_status"] == "COMPLETED"


@pytest.mark.parametrize("fault", ["too_many_seconds", "too_many_date", "too_many_absurd", "too_many_silent"])
def test_too_many_requests_in_four_ways(running: RunningSandbox, http: httpx.Client, fault: str) -> None:
    running.set_faults(f"{PAY}:1:{fault}")
    answer = refund(running, http)
    assert (answer.status_code, answer.json()["code"], acted(running)) == (429, 8, 0)
    wait = answer.headers.get("retry-after")
    if fault == "too_many_date":
        assert abs((parsedate_to_datetime(wait) - datetime.now(UTC)).total_seconds()) < 3
    else:
        assert wait == {"too_many_seconds": "1", "too_many_absurd": "1000000", "too_many_silent": None}[fault]


@pytest.mark.parametrize(
    ("fault", "status", "effects"),
    [
        ("error_500_before", 500, 0),
        ("error_500_after", 500, 1),
        ("error_502_before", 502, 0),
        ("error_502_after", 502, 1),
    ],
)
def test_server_errors_are_html_and_may_have_acted(
    running: RunningSandbox, http: httpx.Client, fault: str, status: int, effects: int
) -> None:
    running.set_faults(f"{PAY}:1:{fault}")
    answer = refund(running, http)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (status, "text/html")
    assert acted(running) == effects


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("unavailable_503", 503, 14), ("unauthorized_401", 401, 16), ("forbidden_403", 403, 7), ("conflict_409", 409, 10)],
)
def test_refusals_that_do_nothing(
    running: RunningSandbox, http: httpx.Client, fault: str, status: int, code: int
) -> None:
    running.set_faults(f"{PAY}:1:{fault}")
    answer = refund(running, http)
    assert (answer.status_code, answer.json()["code"], acted(running)) == (status, code, 0)
    assert refund(running, http).status_code == 200


def test_bodies_that_are_wrong(running: RunningSandbox, http: httpx.Client) -> None:
    proper = read(running, http).json()
    running.set_faults(f"{READ}:1:missing_field,{READ}:2:extra_field,{READ}:3:unknown_enum")
    missing, extra, unknown = (read(running, http).json() for _ in range(3))
    assert len(missing) == len(proper) - 1
    assert set(extra) - set(proper) == {"x_risk_assessment"}
    assert unknown != proper
    assert unknown.keys() == proper.keys()


def test_a_body_cut_on_the_wire(running: RunningSandbox, http: httpx.Client) -> None:
    running.set_faults(f"{PAY}:1:cut_body")
    with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
        refund(running, http)
    assert acted(running) == 1


def test_a_body_whose_json_is_cut(running: RunningSandbox, http: httpx.Client) -> None:
    running.set_faults(f"{PAY}:1:cut_json")
    answer = refund(running, http)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_slow_body_is_slow_and_whole(running: RunningSandbox, http: httpx.Client) -> None:
    proper = read(running, http).json()
    running.set_faults(f"{READ}:1:slow_body")
    started = time.monotonic()
    assert read(running, http).json() == proper
    assert time.monotonic() - started > 0.25


def test_pages_repeat_and_skip(running: RunningSandbox, http: httpx.Client) -> None:
    def page(offset: int) -> list[str]:
        answer = http.get("/v1/processes", params={"offset": offset, "limit": 5}).json()
        return [process["rever_process_id"] for process in answer["processes"]]

    first, second, third = page(0), page(5), page(10)
    running.set_faults(f"{PAGE}:1:page_repeats,{PAGE}:2:page_skips")
    assert page(5) == [first[-1], *second[:-1]]
    assert page(5) == [*second[1:], third[0]]


def test_a_stale_read_shows_how_it_was(running: RunningSandbox, http: httpx.Client) -> None:
    refund(running, http)
    running.set_faults(f"{READ}:1:stale_read")
    assert read(running, http).json()["compensation"]["refunds"] == []
    assert len(read(running, http).json()["compensation"]["refunds"]) == 1


def test_an_answer_is_held_back_after_acting_and_let_go(running: RunningSandbox) -> None:
    running.set_faults(f"{PAY}:1:hang_after_acting")
    answers: list[int] = []

    def ask() -> None:
        with client_of(running) as http:
            answers.append(refund(running, http).status_code)

    asking = threading.Thread(target=ask)
    asking.start()
    until = time.monotonic() + 3
    while not acted(running) and time.monotonic() < until:
        time.sleep(0.01)
    assert (acted(running), answers) == (1, [])
    running.stop_faults()
    asking.join(3)
    assert answers == [200]


def test_the_journal_tells_what_was_broken(running: RunningSandbox, http: httpx.Client) -> None:
    running.set_faults(f"{PAY}:1:acts_answer_lost")
    with pytest.raises(httpx.TransportError):
        refund(running, http)
    (entry,) = http.get("/_sandbox/journal").json()
    assert {name: entry[name] for name in ("operation", "fault", "status", "acted")} == {
        "operation": PAY,
        "fault": "acts_answer_lost",
        "status": None,
        "acted": 1,
    }


def choices(plan: FaultPlan, subjects: list[str]) -> dict[tuple[str, int], Fault | None]:
    faults, seen = Faults(plan), {}
    counts: dict[str, int] = {}
    for subject in subjects:
        counts[subject] = counts.get(subject, 0) + 1
        seen[subject, counts[subject]] = faults.choose(OPERATIONS[3], subject)[0]
    return seen


def test_the_order_of_calls_changes_nothing() -> None:
    subjects = [f"retp_{number % 40}" for number in range(200)]
    plan = parse_faults("mixed", seed=3)
    assert choices(plan, subjects) == choices(plan, sorted(subjects))
    assert choices(plan, subjects) != choices(parse_faults("mixed", seed=4), subjects)


def test_mixed_breaks_about_a_quarter_of_the_calls_in_every_way_that_fits() -> None:
    subjects = [f"retp_{number}" for number in range(4000)]
    broken = [fault for fault in choices(parse_faults("mixed", seed=1), subjects).values() if fault]
    assert 0.22 < len(broken) / len(subjects) < 0.28
    assert set(broken) == {fault for fault in WEIGHTS if fits(fault, OPERATIONS[3])}


def test_ambiguous_breaks_effects_alone_and_seldom() -> None:
    plan = parse_faults("ambiguous-1", seed=1)
    subjects = [f"retp_{number}" for number in range(5000)]
    broken = [fault for fault in choices(plan, subjects).values() if fault]
    assert 0.005 < len(broken) / len(subjects) < 0.015
    assert all(plan.pick(OPERATIONS[0], subject, 1, 1) is None for subject in subjects)


def test_a_named_fault_can_be_about_one_process() -> None:
    plan = FaultPlan(named=(NamedFault(PAY, 2, Fault.CUT_JSON, "retp_b"),))
    seen = choices(plan, ["retp_a", "retp_b", "retp_a", "retp_b"])
    assert [key for key, fault in seen.items() if fault] == [("retp_b", 2)]


@pytest.mark.parametrize("text", ["mixed:2", "ambiguous-x", "nonsense", "pay:1:cut_body", "issueRefund:0:cut_body"])
def test_wrong_faults_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^faults: "):
        parse_faults(text)


def test_a_desk_that_retries_reads_only_is_never_caught_by_a_mix_of_reads(
    running: RunningSandbox, http: httpx.Client
) -> None:
    """The mix breaks reads and effects alike, and the books stay what was really done."""
    running.set_faults("mixed")
    for process_id in running.process_ids():
        try:
            process = http.get(f"/v1/processes/{process_id}").json()
            for body in desk.refunds(process):
                http.post(f"/v1/processes/{process_id}/refunds", json=body)
        except (httpx.HTTPError, ValueError, KeyError):
            continue
    running.stop_faults()
    found = sum(entry.acted for entry in running.journal.entries)
    assert found == acted(running) > 0
    assert len(running.faults.injected) > 10
