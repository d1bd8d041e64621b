"""One return's data never stops another: whatever stands in any field of one, the others are paid in the same run."""

from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.models import ReturnProcess
from rever_api.models.base import ApiModel
from rever_api.sandbox import RunningSandbox, responses, running_sandbox
from tests.flows.test_answer_hold import known
from tests.hurry import hurry
from tests.postgres import empty, postgres_database, postgres_server  # noqa: F401 - a fixture is found by its name
from tests.world import PATIENT, Start, World, told

Path_ = tuple[str | int, ...]
RETURNS = 13


def fields(model: type[ApiModel], before: Path_ = ()) -> Iterator[Path_]:
    """The path of every field of a return, and of what is in it."""
    for name, info in model.model_fields.items():
        path: Path_ = (*before, info.alias or name)
        yield path
        kinds = list(_kinds(info.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, ApiModel)), None)
        if inner is not None:
            yield from fields(inner, (*path, 0) if tuple in kinds else path)


def _kinds(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    yield origin if origin not in {None, Union, UnionType} else annotation
    for part in get_args(annotation):
        yield from _kinds(part)


FIELDS = sorted(fields(ReturnProcess), key=str)
POISONS = [
    *(
        b'"a\\u0000b"',
        b'"\\ud800"',
        b'"a\x00\x1b[2Jb"',
        b'"\xff\xfe\xed\xa0\x80"',
        b'"' + b"x" * 200_000 + b'"',
        b'"   "',
    ),
    *(
        b'"1E+999999999"',
        b"1E+999999999",
        b"1E-999999999",
        b"1e99999999999999999999",
        b"9" * 5000,
        b'"' + b"9" * 6000 + b'"',
    ),
    *(b"NaN", b"-Infinity", b'"NaN"', b"-1", b'"-1"', b"0", b"1e400", b"9223372036854775808", b"0.1234567890123456789"),
    *(b"null", b'""', b"{}", b"[]", b"[{}]", b"[null]", b"true", b"[[[]]]", b'{"a":{"b":[]}}', b'"text"', b"[1,2]"),
    *(
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
        b"[" + b"{}," * 12_000 + b"{}]",
        b'{"a":1,"a":2}',
    ),
    *(
        b'"0001-01-01T00:00:00Z"',
        b'"9999-12-31T23:59:59-14:00"',
        b'"2026-11-01t10:00:60z"',
        b'"20261101"',
        b"1793520000",
    ),
    *(b'"1_000.00"', b'"\xef\xbc\x9110.50"', b'" 10.50 "', b'"+5"', b'"1_0"', b'"RUNNING\\u0000"', b'"\\u202eGNINNUR"'),
]


def poison_one(sandbox: RunningSandbox, path: Path_, value: bytes) -> set[str]:
    """Poison the first return; the others' ids."""
    first, *others = sandbox.process_ids()
    sandbox.poison(first, path, value)
    return set(others)


def paid_in_full(sandbox: RunningSandbox) -> set[str]:
    """The returns that got a refund in REVER's books."""
    return {entry.process_id for entry in sandbox.books}


def try_one(path: Path_, value: bytes, ledger_url: str) -> None:
    """One shop, one poisoned field, one run that acts, and another for what the first left."""
    with running_sandbox(returns=RETURNS, shops=("acme",), scenarios=("approved_one",)) as sandbox, ExitStack() as undo:
        patch = pytest.MonkeyPatch()
        undo.callback(patch.undo)
        hurry(patch.setattr)
        world = World(sandbox, ledger_url, PATIENT)
        for name, told_value in world.environment.items():
            patch.setenv(name, told_value)
        others = poison_one(sandbox, path, value)
        report = world.act()
        assert others <= paid_in_full(sandbox)
        assert all("a fault of this software" not in failure.why for failure in report.failures), report.failures
        assert not any(failure.ours for failure in report.failures)
        audit = sandbox.audit()
        assert audit.violations == ()
        (poisoned,) = set(sandbox.process_ids()) - others
        if poisoned not in paid_in_full(sandbox):
            told_of = {hold.process_id for hold in world.holds()} | {failure.process_id for failure in report.failures}
            another = path == ("rever_process_id",) and told_of - others  # it goes by the id that stands there
            assert told_of & {poisoned, ""} or poisoned in report.rows or report.failures or another
        world.run("reconcile", mode="act")


CASES = {"path": st.sampled_from(FIELDS), "value": st.sampled_from(POISONS)}


def on_sqlite(path: Path_, value: bytes) -> None:
    with TemporaryDirectory() as folder:
        try_one(path, value, f"sqlite:///{folder}/ledger.sqlite")


def on_postgres(database: str, path: Path_, value: bytes) -> None:
    empty(database)
    try_one(path, value, database)


@given(**CASES)
@settings(max_examples=6, deadline=None, derandomize=True)
def test_a_poisoned_field_stops_no_other_return(path: Path_, value: bytes) -> None:
    on_sqlite(path, value)


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
@given(**CASES)
@settings(max_examples=3, deadline=None, derandomize=True)
def test_a_poisoned_field_stops_no_other_return_on_postgres(
    postgres_database: str,  # noqa: F811
    path: Path_,
    value: bytes,
) -> None:
    on_postgres(postgres_database, path, value)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@given(**CASES)
@settings(max_examples=150, deadline=None)
def test_150_poisoned_fields_on_sqlite(path: Path_, value: bytes) -> None:
    on_sqlite(path, value)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
@given(**CASES)
@settings(max_examples=60, deadline=None)  # only what a database takes of a text is another matter here
def test_60_poisoned_fields_on_postgres(
    postgres_database: str,  # noqa: F811
    path: Path_,
    value: bytes,
) -> None:
    on_postgres(postgres_database, path, value)


def the_first(world: World) -> str:
    return world.sandbox.process_ids()[0]


@pytest.fixture
def shop(start_world: Start) -> World:
    return start_world(returns=5, shops=("acme",), scenarios=("approved_one",))


TOTAL: Path_ = ("return_line_items", 0, "total_price")


@pytest.mark.parametrize("flow", ["process-pending-returns", "process-return", "reconcile"])
def test_a_return_that_cannot_be_read_is_held_told_and_paid_once_it_can_be_read(shop: World, flow: str) -> None:
    process_id = the_first(shop)
    shop.sandbox.poison(process_id, TOTAL, b'"1_000.00"')
    report = shop.run(flow, mode="act", **({"process_id": process_id} if flow == "process-return" else {}))
    (hold,) = shop.holds()
    assert (hold.process_id, hold.kind, hold.rule, hold.store) == (process_id, "unreadable", "unreadable", "acme")
    assert "return_line_items.0.total_price: an amount such as 24.00 expected, found '1_000.00'" in hold.why
    assert "1 held" in report.sentence()
    assert "look_again" in hold.answers
    assert "cannot be read" in told(known(shop, process_id))
    assert shop.act().outcomes["held"] == 0  # the same hold, not another
    assert len(shop.holds()) == 1
    shop.sandbox.cure()
    shop.act()
    assert shop.holds() == []
    assert process_id in paid_in_full(shop.sandbox)
    assert shop.sandbox.audit().violations == ()
    closed = [row.evidence["why"] for row in known(shop, process_id).audit if row.event == "hold_closed"]
    assert closed == ["the return can be read again"]


def test_plan_says_what_would_be_held_and_writes_nothing(shop: World) -> None:
    shop.sandbox.poison(the_first(shop), ("return_line_items", 0, "quantity"), b'"1_0"')
    report = shop.run("process-pending-returns", mode="plan")
    assert report.decisions["hold"] == 1
    assert not shop.ledger_file.exists()


def test_a_return_that_the_list_alone_spoils_is_paid_by_its_own_read(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = responses.with_poisons

    def only_lists(body: Any, poisons: Any) -> Any:
        return original(body, poisons if "processes" in body else {})

    monkeypatch.setattr(responses, "with_poisons", only_lists)
    shop.sandbox.poison(the_first(shop), TOTAL, b'"1_000.00"')
    shop.act()
    assert the_first(shop) in paid_in_full(shop.sandbox)
    assert shop.holds() == []


def test_a_return_that_its_own_read_alone_spoils_is_held_and_never_paid(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = responses.with_poisons

    def only_reads(body: Any, poisons: Any) -> Any:
        return original(body, {} if "processes" in body else poisons)

    monkeypatch.setattr(responses, "with_poisons", only_reads)
    shop.sandbox.poison(the_first(shop), TOTAL, b'"1_000.00"')
    for _ in range(3):
        shop.act()
        (hold,) = shop.holds()
        assert (hold.process_id, hold.rule) == (the_first(shop), "unreadable")
        assert the_first(shop) not in paid_in_full(shop.sandbox)


def test_what_search_shows_and_read_denies_is_held_once_and_ends_with_the_denial(shop: World) -> None:
    process_id = the_first(shop)
    shop.sandbox.deny(process_id)
    for _ in range(3):
        report = shop.act()
        (hold,) = shop.holds()
        assert (hold.process_id, hold.kind, hold.rule) == (process_id, "unreadable", "read_denied")
    assert report.decisions["hold"] == 1
    shop.sandbox.cure()
    shop.act()
    assert shop.holds() == []
    assert process_id in paid_in_full(shop.sandbox)


@pytest.mark.parametrize("spoiled", [b'"retp_\\u0000"', b'"   "', b"{}", b"-0.5"])
def test_a_hold_of_a_return_without_a_readable_id_cannot_be_so_it_is_told_as_not_worked_on(
    shop: World, spoiled: bytes
) -> None:
    shop.sandbox.poison(the_first(shop), ("rever_process_id",), spoiled)
    report = shop.act()
    assert len(paid_in_full(shop.sandbox)) == 4
    assert [failure.why for failure in report.failures if "rever_process_id" in failure.why]
    assert "not worked on" in report.sentence()
