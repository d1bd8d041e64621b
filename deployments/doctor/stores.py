"""Each store: known at REVER, when it refunds, and who pays."""

import asyncio

from deployments.doctor.examination import Examination, NotChecked
from deployments.doctor.line import Line, attention, broken, ok
from deployments.doctor.rever import config
from rever_api import AsyncReverClient, NotFound, ReverError
from rever_api.models import EcommerceSettings, RefundTiming
from tasks.policy.store import RefundsBy
from tasks.settings import Settings
from tasks.store_zone import store_zone

_PAID_BY = {RefundsBy.US: "this desk pays", RefundsBy.REVER: "REVER pays by itself"}


async def stores(examination: Examination) -> list[Line]:
    """One line for each store."""
    settings = examination.settings
    if not examination.answered or examination.refusal is not None:
        raise NotChecked("REVER does not answer" if not examination.answered else "REVER refuses the first read")
    if not examination.stores:
        found = f"REVER shows no store in group {settings.group!r} for this key"
        return [broken("stores", found, "correct REVER_GROUP")]
    try:
        settings.check_stores(examination.stores)
    except ValueError as problem:
        return [broken("stores", str(problem), "correct REVER_REFUNDS_BY")]
    async with AsyncReverClient(config(examination)) as client:
        return list(await asyncio.gather(*(_store(client, settings, each) for each in examination.stores)))


async def _store(client: AsyncReverClient, settings: Settings, store: str) -> Line:
    name = f"store {store}"
    try:
        rules = await client.get_ecommerce_settings(store)
    except NotFound:
        mend = "correct REVER_STORES" if settings.stores else "ask REVER: its own group names this store"
        return broken(name, "REVER knows no such store for this key", mend)
    except ReverError as error:
        return broken(name, str(error), "nothing is decided for a store whose settings cannot be read; try again")
    return told(name, rules, settings.refunds_by(store))


def told(name: str, rules: EcommerceSettings, payer: RefundsBy) -> Line:
    """What the store's settings mean for the desk. Pure."""
    timing = rules.refund.timing or "no timing said, taken as ON_ITEM_VERIFIED"
    found = f"refund timing {timing}; {_PAID_BY.get(payer, 'nobody has said who pays')}"
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
