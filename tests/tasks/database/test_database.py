"""Group commit: those that wait share one transaction, who fails sinks only itself, and nobody is answered early."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from sqlalchemy import Connection, event, func, select, text

from tasks.ledger import LedgerError
from tasks.ledger.audit import append, audit_row
from tasks.ledger.schema import audit
from tests.tasks.ledger.desk import FLOW, NOON, LedgerDesk


def note(conn: Connection, words: str) -> str:
    append(conn, [audit_row(FLOW, NOON, words, "p1")])
    return words


def fail(conn: Connection, words: str) -> str:
    note(conn, words)
    raise ValueError(words)


def events(desk: LedgerDesk) -> list[str]:
    return list(desk.ledger.read(lambda conn: conn.execute(select(audit.c.event)).scalars().all()))


class Gate:
    """Keeps the writer busy until it is let go, so that others gather."""

    def __init__(self, desk: LedgerDesk) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        self.desk = desk

    def __call__(self, conn: Connection) -> None:
        self.entered.set()
        self.open.wait(10)


async def gathered(desk: LedgerDesk, *ops: Callable[[Connection], str]) -> list[object]:
    """Run these so that they certainly wait at the same time."""
    gate = Gate(desk)
    first = asyncio.ensure_future(desk.ledger.awrite(gate))
    await asyncio.to_thread(gate.entered.wait, 10)
    waiting = [asyncio.ensure_future(desk.ledger.awrite(op)) for op in ops]
    await asyncio.sleep(0)
    gate.open.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_those_that_wait_share_one_commit(desk: LedgerDesk) -> None:
    assert desk.ledger._writer is not None
    commits: list[object] = []
    event.listen(desk.ledger._writer._engine, "commit", commits.append)
    answers = await gathered(desk, *(lambda conn, n=n: note(conn, f"n{n}") for n in range(20)))
    assert answers == [f"n{n}" for n in range(20)]
    assert len(commits) == 2
    assert events(desk) == answers


async def test_who_fails_sinks_only_itself(desk: LedgerDesk) -> None:
    ops = [lambda conn: note(conn, "a"), lambda conn: fail(conn, "b"), lambda conn: note(conn, "c")]
    first, second, third = await gathered(desk, *ops)
    assert (first, third) == ("a", "c")
    assert isinstance(second, ValueError)
    assert events(desk) == ["a", "c"]


async def test_a_broken_statement_sinks_only_itself(desk: LedgerDesk) -> None:
    def broken(conn: Connection) -> str:
        return str(conn.execute(text("SELECT nothing FROM nowhere")).scalar())

    first, second, third = await gathered(desk, lambda conn: note(conn, "a"), broken, lambda conn: note(conn, "c"))
    assert (first, third) == ("a", "c")
    assert isinstance(second, LedgerError)
    assert events(desk) == ["a", "c"]


class Noting:
    """An operation on many, which remembers what it was called for; it fails where one item is bad."""

    def __init__(self) -> None:
        self.calls: list[Sequence[str]] = []

    def __call__(self, conn: Connection, items: Sequence[str]) -> list[str]:
        self.calls.append(items)
        told = [note(conn, words) for words in items]
        if "bad" in items:
            raise ValueError("bad")
        return [words.upper() for words in told]


async def joined(desk: LedgerDesk, op: Callable[[Connection, Sequence[str]], list[str]], *items: str) -> list[object]:
    """Let these items wait at the same time; `-` is another operation between them."""
    gate = Gate(desk)
    first = asyncio.ensure_future(desk.ledger.awrite(gate))
    await asyncio.to_thread(gate.entered.wait, 10)
    waiting = [
        asyncio.ensure_future(desk.ledger.awrite(note, "-") if item == "-" else desk.ledger.awrite_joined(op, item))
        for item in items
    ]
    await asyncio.sleep(0)
    gate.open.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_an_operation_on_many_is_called_once_for_those_side_by_side(desk: LedgerDesk) -> None:
    op = Noting()
    assert await joined(desk, op, "a", "b", "c") == ["A", "B", "C"]
    assert op.calls == [["a", "b", "c"]]
    assert events(desk) == ["a", "b", "c"]


async def test_operations_on_many_keep_the_order_of_all(desk: LedgerDesk) -> None:
    op = Noting()
    assert await joined(desk, op, "a", "b", "-", "c") == ["A", "B", "-", "C"]
    assert op.calls == [["a", "b"], ["c"]]
    assert events(desk) == ["a", "b", "-", "c"]


async def test_of_an_operation_on_many_who_fails_sinks_only_itself(desk: LedgerDesk) -> None:
    op = Noting()
    first, second, third = await joined(desk, op, "a", "bad", "c")
    assert (first, third) == ("A", "C")
    assert isinstance(second, ValueError)
    assert op.calls == [["a", "bad", "c"], ["a"], ["bad"], ["c"]]
    assert events(desk) == ["a", "c"]


async def test_an_answer_too_few_answers_nobody_and_commits_nothing(desk: LedgerDesk) -> None:
    def short(conn: Connection, items: Sequence[str]) -> list[str]:
        return [note(conn, words) for words in items][1:]

    assert [type(answer) for answer in await joined(desk, short, "a", "b")] == [ValueError, ValueError]
    assert events(desk) == []


async def test_the_answer_comes_after_the_commit(desk: LedgerDesk) -> None:
    for number in range(5):
        await desk.ledger.awrite(note, f"n{number}")
        seen = await desk.ledger.aread(lambda conn: conn.execute(select(func.count()).select_from(audit)).scalar())
        assert seen == number + 1


async def test_a_cancelled_caller_does_not_stop_its_step(desk: LedgerDesk, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate(desk)
    first = asyncio.ensure_future(desk.ledger.awrite(gate))
    await asyncio.to_thread(gate.entered.wait, 10)
    kept = asyncio.ensure_future(desk.ledger.awrite(note, "kept"))
    failing = asyncio.ensure_future(desk.ledger.awrite(fail, "lost"))
    await asyncio.sleep(0)
    kept.cancel()
    failing.cancel()
    with caplog.at_level(logging.ERROR, "tasks.ledger"):
        gate.open.set()
        await first
        await asyncio.wait([kept, failing])
        await desk.ledger.awrite(note, "after")
    assert events(desk) == ["kept", "after"]
    assert "failed: lost" in caplog.text


def test_what_was_given_is_finished_at_close(desk: LedgerDesk, url: str) -> None:
    assert desk.ledger._writer is not None
    answers = [desk.ledger._writer.submit(partial(note, words=f"n{n}")) for n in range(30)]
    desk.ledger.close()
    assert [answer.result(0) for answer in answers] == [f"n{n}" for n in range(30)]
    with pytest.raises(LedgerError, match="is closed"):
        desk.ledger.write(note, "too late")


def test_threads_may_write_at_the_same_time(desk: LedgerDesk) -> None:
    threads = [threading.Thread(target=desk.ledger.write, args=(note, f"n{n}")) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(events(desk)) == sorted(f"n{n}" for n in range(20))
