"""The shops' own orders, where any are asked: each shop responds, and accepts the key. Only reads."""

from dataclasses import replace

from pydantic import SecretStr

from deployments.doctor.examination import Examination, Line, NotUsed, attention, broken, ok
from deployments.doctor.rever import PATIENCE_S
from rever_api.errors import ReverError
from rever_api.shop import ShopClient
from tasks.desk import client_config
from tasks.gather_facts import reason
from tasks.reporting.report import stores_in_words

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
