"""`rever-returns find`, `why` and `policy explain`: returns by whatever a person knows of them, the whole story of
each, and what the merchant's own rules say of it.

REVER is asked where it answers. In its outages the ledger alone finds returns by id, order number or hold, and tells.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from deployments.cli.ledger import opened_ledger
from deployments.console.errors import CommandError, UsageError, print_error
from rever_api import AsyncReverClient
from rever_api.errors import ReverError
from tasks.desk import Desk, DeskError, client_config, open_desk, stores_of
from tasks.explain_return import MOST_STORIES, Explainer
from tasks.find_returns import Finder, FoundReturn, Match, find_returns, found_in_ledger
from tasks.ledger import Actor, Ledger, LedgerError
from tasks.lookup import Lookup, WrongKeyError, read_key
from tasks.policy.facts import counted
from tasks.policy.policy_file import PolicyFileError, read_policy
from tasks.reporting.printable import json_text, printable
from tasks.reporting.report import RunReport
from tasks.reporting.story import story_lines
from tasks.settings import Settings, load_settings

_PATIENCE_S = 10.0
"""REVER is asked no longer than about this: somebody is waiting, and the ledger can tell without it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and by whom: `client` is None where REVER could not be asked, and `note` says so."""

    match: Match
    ledger: Ledger
    client: AsyncReverClient | None
    note: str = ""


def why_text(what: str) -> str:
    """The story of each return that is found. Raises `UsageError` and `NothingFoundError` where there is none."""
    return asyncio.run(_stories(load_settings(), typed_key(what)))


def find_text(what: str, *, as_json: bool) -> str:
    """Which returns are found: id, order, store, state and amount of each. Raises as `why_text` does."""
    return asyncio.run(_listed(load_settings(), typed_key(what), as_json=as_json))


def rules_text(what: str) -> str:
    """What the merchant's rules say of each return that is found, and why. Raises as `why_text` does, and
    `CommandError` where REVER cannot be asked: without the return there is nothing to say.
    """
    return asyncio.run(_rules_of_each(load_settings(), typed_key(what)))


def ids_named(what: str) -> tuple[str, ...]:
    """The ids of the returns that are named, to change something of them; for REVER's own id nobody is asked.

    Raises as `why_text` does, and `UsageError` where the returns are of several stores: one order is meant.
    """
    key = typed_key(what)
    return (key.text,) if key.is_id else asyncio.run(_ids(load_settings(), key))


async def _ids(settings: Settings, key: Lookup) -> tuple[str, ...]:
    async with finding(settings, key) as found:
        match = found.match
        if len(match.stores) > 1:
            which = "; ".join(each.words for each in match.returns)
            raise UsageError(f"{match.by}: returns of several stores. Name one of them by its id: {which}")
        return tuple(each.process_id for each in match.returns)


def typed_key(what: str) -> Lookup:
    """The key that was typed; `-` reads it from stdin, so that an e-mail is in no shell's history.

    Raises `UsageError` where it can name no return.
    """
    text = sys.stdin.readline() if what == "-" else what
    try:
        return read_key(text)
    except WrongKeyError as problem:
        raise UsageError(f"{problem}; or an e-mail address (`-` reads it from stdin)") from None


async def _stories(settings: Settings, key: Lookup) -> str:
    async with finding(settings, key) as found, _rules_desk(settings, found) as (desk, wrong):
        explainer = Explainer(
            found.client, found.ledger, back_office=settings.back_office, desk=desk, wrong_rules=wrong
        )
        returns = found.match.returns
        parts = [found.note] if found.note else []
        if len(returns) > 1:
            parts.append(printable(f"{counted(len(returns), 'return')} {found.match.by}."))
        parts += ["\n".join(story_lines(await explainer.story(each))) for each in returns[:MOST_STORIES]]
        parts += _not_told(returns)
    return "\n\n".join(parts)


async def _rules_of_each(settings: Settings, key: Lookup) -> str:
    async with open_desk(settings, RunReport("policy explain"), Actor("policy explain"), begins=True) as desk:
        (match,) = await find_returns(desk, [key], desk.stores)
        explainer = Explainer(desk.client, desk.ledger, back_office=settings.back_office, desk=desk)
        parts = [await _rules_part(explainer, found) for found in match.returns[:MOST_STORIES]]
        parts += _not_told(match.returns)
    return "\n\n".join(parts)


def _not_told(returns: Sequence[FoundReturn]) -> list[str]:
    """The line about the returns past the first `MOST_STORIES`, if there are any."""
    left = ", ".join(found.process_id for found in returns[MOST_STORIES:])
    return [f"Not shown here, ask for them one by one: {left}"] if left else []


async def _rules_part(explainer: Explainer, found: FoundReturn) -> str:
    """One return, as a heading and the lines of the rules."""
    lines = await explainer.rules(found) or ("no rules of the policy file hold at this store (REVER_POLICY)",)
    return "\n".join(map(printable, [found.words, *(f"  {line}" for line in lines)]))


@asynccontextmanager
async def _rules_desk(settings: Settings, found: Finding) -> AsyncIterator[tuple[Desk | None, str]]:
    """The desk that is asked for the label's choice and for the merchant's rules; or why those could not be asked.

    What is wrong with the policy file or its tables does not keep a story from being told.
    """
    async with AsyncExitStack() as opened:
        desk, wrong, rules = None, "", True
        try:
            if found.client is not None:
                rules = bool(read_policy(settings.policy).rules)
                actor = Actor("why")
                desk = await opened.enter_async_context(open_desk(settings, RunReport("why"), actor, begins=True))
        except (DeskError, LedgerError, PolicyFileError, ReverError) as error:
            wrong = f"not asked: {error}" if rules else ""
        yield desk, wrong


async def _listed(settings: Settings, key: Lookup, *, as_json: bool) -> str:
    async with finding(settings, key) as found:
        if as_json:
            if found.note:
                print_error(found.note)
            return json_text([_as_json(each) for each in found.match.returns])
        lines = [found.note] if found.note else []
        return "\n".join([*lines, *(printable(each.words) for each in found.match.returns)])


def _as_json(found: FoundReturn) -> dict[str, object]:
    """One return as `find --json` lists it: amounts are decimal strings, per currency."""
    return {
        "process_id": found.process_id,
        "order_name": found.order_name,
        "store": found.store,
        "state": found.state,
        "worth": {currency: str(amount) for currency, amount in sorted(found.worth.items())},
    }


@asynccontextmanager
async def finding(settings: Settings, key: Lookup) -> AsyncIterator[Finding]:
    """Find the returns of a key, and keep ledger and client open for their stories."""
    config = replace(client_config(settings), read_attempts=2, read_patience=_PATIENCE_S)
    with opened_ledger(settings, read_only=True) as ledger:
        async with AsyncReverClient(config) as client:
            try:
                stores = await stores_of(settings, client)
                found = Finding(await Finder(client, ledger, stores).find(key), ledger, client)
            except ReverError as error:
                found = _without_rever(ledger, key, error)
            yield found


def _without_rever(ledger: Ledger, key: Lookup, error: ReverError) -> Finding:
    """What the ledger finds in an outage. Raises `CommandError` where that is nothing: REVER may well know it."""
    match = found_in_ledger(ledger, key, problem=f"REVER could not be asked: {error}")
    if match is None:
        raise CommandError(f"{key.shown} is not in the ledger, and REVER could not be asked: {error}")
    note = (
        f"REVER could not be asked ({error}): this is what the ledger knows; there may be more returns. Times are UTC."
    )
    return Finding(match, ledger, None, printable(note))
