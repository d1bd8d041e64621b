"""Try a candidate policy over past returns beside the policy in force. Nothing is written at REVER or in the ledger."""

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from rever_api.models import ReturnProcess
from tasks.desk import Desk, DeskError, open_shops
from tasks.fetch_returns import PendingReturn, since_at
from tasks.files.fact_tables import read_store_facts
from tasks.past_returns import ReadReturns, Window, read_export, search_past, with_records
from tasks.policy.backtest.backtest import Backtest, Replays, StorePolicies, backtest, summed_up, widest_history
from tasks.policy.backtest.past import PastReturn
from tasks.policy.backtest.shares import Share, packed, serve, shares, unpacked
from tasks.policy.condition_fields import FIELDS
from tasks.policy.conditions import AllOf, checks_of
from tasks.policy.facts import counted
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.policy_file import PolicyFile
from tasks.policy.shadow import Candidate
from tasks.steps import step

WORTH_A_PROCESS = 1500
"""Returns from which on a process more is worth its start: half a second of a processor."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when returns began that are replayed, and where they are read: an export, or REVER (None)."""

    since: date | datetime | None = None
    before: date | datetime | None = None
    export: Path | None = None


async def two_policies(
    desk: Desk, candidate: PolicyFile, file: Path, stores: Sequence[str]
) -> dict[str, StorePolicies]:
    """The policy in force and the candidate of each store, each with what its own tables tell.

    Raises `PolicyFileError` where a table cannot be read.
    """
    sides = await asyncio.to_thread(read_store_facts, candidate, file, stores)
    tried = Candidate(file, candidate, sides=sides)
    current = [replace(await desk.rules(store), side=desk.facts.side(store)) for store in stores]
    return {it.store: StorePolicies(it, tried.rules(it)) for it in current}


async def ask_shops(desk: Desk, policies: Mapping[str, StorePolicies], past: Sequence[PastReturn]) -> None:
    """Ask the shops for the orders of these returns, where a rule of either policy asks for what they tell.

    What comes in is in the policies' facts, as it is today. What a shop does not tell stays unknown.
    """
    rules = {
        store: _about_orders([*it.current.merchant_rules, *it.candidate.merchant_rules])
        for store, it in policies.items()
    }
    async with AsyncExitStack() as opened:
        further = {store: asking for store, asking in rules.items() if store not in desk.facts.shops}
        desk.facts.shops = {**desk.facts.shops, **await open_shops(opened, desk.settings, further)}
        for store, it in policies.items():
            mine = [PendingReturn(store, each.process) for each in past if each.store == store]
            await desk.facts.add(desk, replace(it.current, merchant_rules=rules[store]), mine)


def _about_orders(rules: Sequence[MerchantRule]) -> tuple[MerchantRule, ...]:
    """The rules without their days, and without what they ask about earlier returns: for what they ask of orders."""
    return tuple(
        MerchantRule(
            rule.name,
            AllOf(tuple(check for check in checks_of(rule.when) if FIELDS[check.field].counts is None)),
            rule.then,
        )
        for rule in rules
    )


async def backtest_policy(desk: Desk, candidate: PolicyFile, file: Path, stores: Sequence[str], span: Span) -> Backtest:
    """Replay the returns of these stores that began in the span under both policies, up to now."""
    policies = await two_policies(desk, candidate, file, stores)
    windows: dict[str, Window | None] = {
        store: Window(await since_at(desk, store, span.since), await since_at(desk, store, span.before))
        for store in stores
    }
    both = [rules for it in policies.values() for rules in (it.current, it.candidate)]
    reach = widest_history(rule for rules in both for rule in rules.merchant_rules)
    history = _from([window.since for window in windows.values() if window], reach)
    if reach != 0:  # a shopper's earlier returns are those at all stores
        windows = dict.fromkeys(desk.stores) | windows
    if span.export is not None:
        reads = await asyncio.to_thread(read_export, span.export, windows, desk.clock())
    else:
        reads = [await search_past(desk, store, window, history) for store, window in windows.items()]
    past = [each for read in reads for each in await with_records(desk, read)]
    others = [process for read in reads for process in read.others.values()]
    await ask_shops(desk, policies, past)
    found = await replay_returns(desk, past, policies, others)
    return replace(
        found,
        left_out={**{name: why for read in reads for name, why in read.unread.items()}, **found.left_out},
        unknown=(*(_reach_in_words(reads) if reach != 0 else ()), *found.unknown),
    )


@step("replay-returns")
async def replay_returns(
    desk: Desk, past: Sequence[PastReturn], policies: Mapping[str, StorePolicies], others: Sequence[ReturnProcess]
) -> Backtest:
    """Replay these returns beside whatever else the process does, many of them in further processes too."""
    until, many = desk.clock(), min(usable_cores(), max(1, len(past) // WORTH_A_PROCESS))
    return await replay_in_processes(past, policies, until, others, many)


async def replay_in_processes(
    past: Sequence[PastReturn],
    policies: Mapping[str, StorePolicies],
    until: datetime,
    others: Sequence[ReturnProcess],
    many: int,
) -> Backtest:
    """The backtest in so many processes, this one included. What comes out is the same as in one.

    Raises `DeskError` where a process ends before it has sent back its share.
    """
    if many < 2:
        return await asyncio.to_thread(backtest, past, policies, until, others)
    mine, *rest = shares(past, policies, until, others, many)
    elsewhere = [asyncio.create_task(_in_a_process(share)) for share in rest]
    gc.freeze()  # the returns that were read stay: looking through them for what could be freed takes its time
    try:
        found = await asyncio.gather(asyncio.to_thread(mine.replayed), *elsewhere)
    finally:
        gc.unfreeze()
        for each in elsewhere:
            each.cancel()
        await asyncio.gather(*elsewhere, return_exceptions=True)
    replays = {name: both for each in found for name, both in each.items()}
    return await asyncio.to_thread(summed_up, past, policies, until, replays)


async def _in_a_process(share: Share) -> Replays:
    """Replay a share in a process of its own."""
    words = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from {serve.__module__} import serve"
    program = (sys.executable, "-P", "-c", f"{words}; serve()")
    process = await asyncio.create_subprocess_exec(
        *program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        answer, errors = await process.communicate(await asyncio.to_thread(packed, share))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        # Of an error its kind alone: its text may hold a shopper's data.
        kind = errors.decode(errors="replace").rstrip().rpartition("\n")[2].partition(":")[0]
        how = f"ended by signal {-process.returncode}" if process.returncode < 0 else f"failed ({kind or 'no reason'})"
        raise DeskError(
            f"a process that replayed {counted(len(share.past), 'return')} {how} before it was done: there may be too"
            " little memory. Nothing was written; try again with a shorter window (started_since)"
        )
    return await asyncio.to_thread(unpacked, answer)


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _from(since: Sequence[datetime | None], days: int | None) -> datetime | None:
    """From when on returns are read, of windows with these beginnings: what is before them are shoppers' earlier ones.

    None: however old.
    """
    begins = [at for at in since if at is not None]
    if len(begins) < len(since) or days is None:
        return None
    return min(begins) - timedelta(days=days + 1 if days else 0)


def _reach_in_words(reads: Sequence[ReadReturns]) -> list[str]:
    """How far back the shoppers' earlier returns reach."""
    read = [process for each in reads for process in (*each.found.values(), *each.others.values())]
    began = [process.started_at for process in read if process.started_at]
    if not began:
        return []
    words = f"Shoppers' earlier returns are counted among {counted(len(read), 'return')}, the first of {min(began):%F}"
    return [f"{words}; what began before it was not read."]
