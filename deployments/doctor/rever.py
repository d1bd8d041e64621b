"""REVER: reachable, the key, the rate, the clock. Each store: known, when it refunds, who pays. Only reads."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from pydantic import SecretStr

from deployments.doctor.examination import (
    Examination,
    Line,
    NotChecked,
    NotUsed,
    State,
    attention,
    broken,
    clock_line,
    ok,
)
from rever_api import (
    AsyncReverClient,
    ClientConfig,
    NotFound,
    NotSent,
    RefusedForNow,
    ReverError,
    Unauthorized,
    WrongRoute,
)
from rever_api.messages import Answer, sample
from rever_api.models import EcommerceSettings, RefundTiming, SearchQuery
from rever_api.shop import ShopClient
from tasks.desk import client_config
from tasks.gather_facts import reason
from tasks.policy.clocks import store_zone
from tasks.policy.store import RefundsBy
from tasks.reporting.report import MANY_STORES, stores_in_words
from tasks.settings import Settings

PATIENCE_S = 5.0
"""Seconds one read may take here; the desk itself waits longer (`REVER_TIMEOUT`)."""

READS = 10
"""So many reads tell the rate."""

_PAID_BY = {RefundsBy.US: "this desk pays", RefundsBy.REVER: "REVER pays by itself"}

_TABLE = (
    "check REVER_BASE_URL, and the endpoint table against REVER's own document: rever-returns doctor --openapi FILE"
)


async def reachable(examination: Examination) -> Line:
    """One read gets a response, whatever it says."""
    try:
        await _first_read(examination)
    except NotSent as error:
        return broken("REVER", str(error), "check REVER_BASE_URL, this machine's network, proxy and firewall")
    except RefusedForNow as error:
        examination.answered = True
        return attention(
            "REVER", str(error), "another program uses up the key's rate at this moment, or REVER_RATE is too high"
        )
    except ReverError as error:
        examination.answered, examination.refusal = error.status is not None, error
        if isinstance(error, Unauthorized):
            return ok("REVER", f"responds at {examination.settings.base_url}")
        return broken(
            "REVER", str(error), _TABLE if isinstance(error, WrongRoute) else "try again; ask REVER's support"
        )
    examination.answered = True
    return ok("REVER", f"responds at {examination.settings.base_url}")


async def api_key(examination: Examination) -> Line:
    """The key was accepted by that read."""
    _reached(examination)
    error = examination.refusal
    if isinstance(error, Unauthorized):
        return broken("API key", str(error), "set REVER_API_KEY to the key your REVER account manager gave you")
    if error is not None:
        raise NotChecked("REVER answered with an error that says nothing of the key")
    return ok("API key", "accepted")


async def rate(examination: Examination) -> Line:
    """How many reads REVER serves a second, and whether it refuses any as too fast."""
    _usable(examination)
    statuses: list[int] = []
    async with _client(examination, statuses) as client:
        query, started = _query(examination), time.monotonic()
        reads = (client.search_return_processes(query) for _ in range(READS))
        ended = await asyncio.gather(*reads, return_exceptions=True)
        took = max(time.monotonic() - started, 0.001)
    served = sum(not isinstance(each, BaseException) for each in ended)
    configured = examination.settings.rate
    limit = f"REVER_RATE is {configured:g} a second" if configured else "REVER_RATE is not set"
    seen = f"{served} of {READS} reads served in {took:.1f} s, {served / took:.1f} a second"
    if refused := statuses.count(429):
        to_do = f"set REVER_RATE to {max(1, int(served / took / 2))}, and raise it only while nothing is refused"
        return attention("rate", f"{seen}; {refused} refused as too fast (429); {limit}", to_do)
    if served < READS:
        failed = next(str(each) for each in ended if isinstance(each, BaseException))
        return attention("rate", f"{seen}; {limit}; {failed}", "try again: REVER is not answering well at this moment")
    return ok("rate", f"{seen}, none refused; {limit}")


async def clock(examination: Examination) -> Line:
    """REVER's clock against ours, by the dates of its responses."""
    _reached(examination)
    if not examination.samples:
        raise NotChecked("REVER's responses carry no date")
    return clock_line("clock of REVER", "REVER's", examination.samples)


async def _first_read(examination: Examination) -> None:
    settings = examination.settings
    async with _client(examination, []) as client:
        if settings.stores:
            await client.search_return_processes(_query(examination))
        else:
            examination.stores = tuple(each.ecommerce_id for each in await client.list_ecommerces(settings.group))


@asynccontextmanager
async def _client(examination: Examination, statuses: list[int]) -> AsyncIterator[AsyncReverClient]:
    """A client that notes the status of each response in `statuses`, and REVER's time in the examination."""
    asked_at = examination.clock()

    def watch(response: Answer) -> None:
        statuses.append(response.status)
        examination.samples += sample(response.headers.get("date"), asked_at, response.at)

    async with AsyncReverClient(config(examination), clock=examination.clock, watch=watch) as client:
        yield client


def config(examination: Examination) -> ClientConfig:
    """As the desk calls REVER, but with a short timeout and without retries."""
    settings = examination.settings
    desks = client_config(settings, examination.endpoints)
    return replace(desks, timeout=min(settings.timeout, PATIENCE_S), read_attempts=1, retry_after_cap=1.0)


def _query(examination: Examination) -> SearchQuery:
    return SearchQuery(ecommerce_id=examination.stores[0] if examination.stores else "", limit=1)


def _reached(examination: Examination) -> None:
    _ = examination.settings
    if not examination.answered:
        raise NotChecked("REVER does not respond")


def _usable(examination: Examination) -> None:
    _reached(examination)
    if examination.refusal is not None:
        raise NotChecked("REVER refuses the first read")


async def stores(examination: Examination) -> list[Line]:
    """One line for each store."""
    settings = examination.settings
    _usable(examination)
    if not examination.stores:
        found = f"REVER shows no store in group {settings.group!r} for this key"
        return [broken("stores", found, "correct REVER_GROUP")]
    try:
        settings.check_stores(examination.stores)
    except ValueError as problem:
        return [broken("stores", str(problem), "correct REVER_REFUNDS_BY")]
    async with AsyncReverClient(config(examination)) as client:
        return together(await asyncio.gather(*(_store(client, settings, each) for each in examination.stores)))


def together(lines: Sequence[Line]) -> list[Line]:
    """The lines of stores, one each; of many those that say the same in one. What is to be done comes first. Pure."""
    if len(lines) <= MANY_STORES:
        return list(lines)
    alike: dict[Line, list[str]] = {}
    for line in lines:
        alike.setdefault(replace(line, name=""), []).append(line.name.removeprefix("store "))
    folded = [
        replace(
            line, name=f"store {stores[0]}" if len(stores) == 1 else f"{len(stores)} stores", found=_whose(line, stores)
        )
        for line, stores in alike.items()
    ]
    order = (State.BROKEN, State.ATTENTION, State.OK)
    return sorted(folded, key=lambda line: order.index(line.state))


def _whose(line: Line, stores: Sequence[str]) -> str:
    """What was found, and of several stores at which, where something is to be done about it."""
    if len(stores) == 1 or not line.to_do:
        return line.found
    more = f" and {len(stores) - MANY_STORES} more" if len(stores) > MANY_STORES else ""
    return f"{line.found} ({', '.join(stores[:MANY_STORES])}{more})"


async def _store(client: AsyncReverClient, settings: Settings, store: str) -> Line:
    name = f"store {store}"
    try:
        rules = await client.get_ecommerce_settings(store)
    except NotFound:
        mend = "correct REVER_STORES" if settings.stores else "ask REVER: its own group names this store"
        return broken(name, "REVER knows no such store for this key", mend)
    except ReverError as error:
        return broken(name, str(error), "nothing is decided for a store whose settings cannot be read; try again")
    return store_line(name, rules, settings.refunds_by(store))


def store_line(name: str, rules: EcommerceSettings, payer: RefundsBy) -> Line:
    """What the store's settings mean for the desk. Pure."""
    timing = rules.refund.timing or "no timing said, taken as ON_ITEM_VERIFIED"
    found = f"refund timing {timing}; {_PAID_BY.get(payer, 'who pays is not stated')}"
    if payer is RefundsBy.UNSTATED:
        mend = (
            "ask REVER whether it pays by itself at this store, then state REVER_REFUNDS_BY; until then nothing is paid"
        )
        return attention(name, found, mend)
    if timing == RefundTiming.NO_TIMING or (rules.refund.timing and rules.refund.timing not in set(RefundTiming)):
        return attention(name, found, "what is due at this store is held: ask REVER to set the store's refund timing")
    if problem := store_zone(rules.timezone).problem:
        mend = "ask REVER to set the store's time zone (such as Europe/Madrid): its days, for caps per day, are UTC's"
        return attention(name, f"{found}; {problem}", mend)
    return ok(name, found)


# The shops' own orders, where any are asked: each shop responds, and accepts the key. Only reads.

NO_ORDER = "rever-returns-doctor"
"""The id of an order that no shop has: a shop that takes the key says so, and tells nothing of anybody."""


async def shops(examination: Examination) -> list[Line]:
    """One line for each shop. Not used where no shop is set."""
    settings = examination.settings
    if not settings.shop_url:
        raise NotUsed
    of_shop: dict[tuple[str, str], list[str]] = {}
    for store in examination.stores or tuple(settings.shop_url):
        if (shop := settings.shop(store)) is not None:
            of_shop.setdefault((shop[0], shop[1].get_secret_value()), []).append(store)
    return [await _shop(examination, url, key, stores) for (url, key), stores in of_shop.items()]


async def _shop(examination: Examination, url: str, key: str, stores: list[str]) -> Line:
    """One read of an order that is not there."""
    settings, name = examination.settings, f"shop of {stores_in_words(stores)}"
    desks = client_config(settings, examination.endpoints)
    short = replace(
        desks, base_url=url, api_key=SecretStr(key), timeout=min(settings.timeout, PATIENCE_S), read_attempts=1
    )
    try:
        async with ShopClient(short) as shop:
            await shop.get_order(NO_ORDER)
    except ReverError as error:
        if error.status == 404:
            return ok(name, f"{url} responds, and accepts the key")
        if error.status in {401, 403}:
            return broken(name, reason(error), "set REVER_SHOP_KEY to the key that the shop and REVER have agreed on")
        mend = "check REVER_SHOP_URL; until the shop answers, what rules need of its orders is unknown, and they hold"
        return attention(name, f"{url}: {reason(error)}", mend)
    return ok(name, f"{url} responds, and accepts the key")
