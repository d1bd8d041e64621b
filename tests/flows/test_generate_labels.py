"""generate-labels: a label for each return that waits for one, once."""

from collections import Counter

import pytest

from rever_api.models import LogisticOrderRequest
from rever_api.sandbox.state import invalid
from tests.flows.conftest import Bench, Start


def labels(bench: Bench) -> Counter[str]:
    """Labels made through the API, by return."""
    effects = bench.sandbox.books.effects
    return Counter(effect.process_id for effect in effects if effect.operation == "createOrderV2")


def waiting(bench: Bench) -> set[str]:
    """Returns that wait for a label which can be made."""
    return {item.process_id for item in bench.sandbox.audit().due if item.label and not item.label_blocked}


def test_each_return_that_waits_gets_one_label(bench: Bench) -> None:
    due = waiting(bench)
    report = bench.run("generate-labels", mode="act")
    assert due
    assert labels(bench) == Counter(due)
    assert report.effects["done"] == len(due)
    assert waiting(bench) == set()
    assert bench.paid() == {}


def test_a_second_run_makes_none(bench: Bench) -> None:
    bench.run("generate-labels", mode="act")
    before = labels(bench)
    bench.run("generate-labels", mode="act")
    bench.act()
    assert labels(bench) == before
    assert bench.sandbox.audit().violations == ()


def test_what_nobody_can_make_is_held(bench: Bench) -> None:
    report = bench.run("generate-labels", mode="act")
    assert report.effects["refused"] >= 1
    assert report.effects["held"] >= 2


def test_plan_makes_none(bench: Bench) -> None:
    report = bench.run("generate-labels")
    assert report.decisions["label"] == len(waiting(bench)) + report.effects["refused"] + 1
    assert labels(bench) == Counter()


def test_a_page_that_leaves_out_the_parcels_is_read_again_before_anything_is_held(start_bench: Start) -> None:
    bench = start_bench(faults="searchReturnProcesses:1:missing_field")
    due = waiting(bench)
    bench.run("generate-labels", mode="act")
    bench.run("generate-labels", mode="act")
    assert labels(bench) == Counter(due)


def refusing(monkeypatch: pytest.MonkeyPatch, words: str, but: str = "CORREOS") -> list[str]:
    """Have the sandbox refuse every carrier but one, in these words; the carriers asked come here."""
    asked: list[str] = []

    def check(_sandbox: object, _process: object, wanted: LogisticOrderRequest, *_: object) -> None:
        asked.append(wanted.carrier)
        if wanted.carrier != but:
            raise invalid(words)

    monkeypatch.setattr("rever_api.sandbox.operations._check_combination", check)
    return asked


def spanish(bench: Bench) -> str:
    """A return that two carriers serve: dropped off in Spain."""
    process_id = min(waiting(bench))
    in_spain(bench, process_id, country="ES", country_code="ES")
    return process_id


def in_spain(bench: Bench, process_id: str, **country: str) -> None:
    stored = bench.sandbox.sandbox.processes[process_id]
    assert stored.process.pickup_address
    address = stored.process.pickup_address.model_copy(update=country)
    stored.process = stored.process.model_copy(
        update={"pickup_address": address, "return_method": "DROP_OFF_POINT", "return_status": "STARTED"}
    )


def test_another_carrier_is_tried_in_the_same_run_where_the_combination_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    process_id = spanish(bench)
    asked = refusing(monkeypatch, "the combination of provider, carrier and method is not supported")
    bench.run("generate-labels", mode="act", process_ids=process_id)
    assert asked == ["DHL", "CORREOS"]
    assert labels(bench) == {process_id: 1}
    assert [hold for hold in bench.holds() if hold.process_id == process_id] == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("no pickup slot for this carrier", "pickup_slot_refused"),
        ("address_line_1 is too long", "address_refused"),
        ("no", "other"),
    ],
)
def test_after_another_refusal_a_person_is_asked_and_told_its_class(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, words: str, reason: str
) -> None:
    process_id = spanish(bench)
    asked = refusing(monkeypatch, words)
    bench.run("generate-labels", mode="act", process_ids=process_id)
    assert asked == ["DHL"]
    (hold,) = [hold for hold in bench.holds() if hold.process_id == process_id]
    assert (hold.rule, hold.evidence["reason"]) == ("label_refused", reason)
    assert labels(bench) == {}


def test_an_address_with_a_name_of_its_country_alone_gets_its_label(bench: Bench) -> None:
    process_id = spanish(bench)
    in_spain(bench, process_id, country="España", country_code="")
    bench.run("generate-labels", mode="act", process_ids=process_id)
    assert labels(bench) == {process_id: 1}
