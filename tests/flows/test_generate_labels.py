"""generate-labels: a label for each return that waits for one, once."""

from collections import Counter

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
