"""On which days a carrier comes to a shopper's door: not at weekends, nor on bank holidays of their country or region.

REVER's order of a pickup names hours and no day, so the day is the carrier's: it comes `lead_days` after it is ordered,
or later. All that can be done here is to order on a day from which that leads to a working day. Pure.
"""

from collections.abc import Collection
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from rever_api.models import Address
from tasks.policy.country import country_of

if TYPE_CHECKING:
    from holidays import HolidayBase

_LONGEST_DAYS = 31
"""No run of days off is longer; where it seems so, the pickup is ordered all the same."""


def day_off(day: date, address: Address | None) -> str:
    """What makes a day one off at an address: the holiday's name, or the weekday; empty for a working day.

    A holiday of a region counts where the address names the region as the `holidays` package does (code or name). Of a
    country that the package does not know, Saturday and Sunday are off.
    """
    country, region = country_of(address), _region(address)
    known = _days_off(country, region, day.year)
    if known is None:
        return f"{day:%A}" if day.weekday() in _WEEKEND else ""
    if day in known:
        return str(known[day])
    return f"{day:%A}" if day.weekday() in known.weekend else ""


def order_on(today: date, lead_days: int, address: Address | None) -> tuple[date, str]:
    """The first day, from today on, on which a pickup is ordered that comes on a working day; and what today leads to.

    The second is empty where today is that day, else it names the day off to which an order of today would lead.
    """
    lead = timedelta(days=lead_days)
    why = day_off(today + lead, address)
    if not why:
        return today, ""
    days = (today + timedelta(days=ahead) for ahead in range(1, _LONGEST_DAYS))
    first = next((day for day in days if not day_off(day + lead, address)), None)
    return (today, "") if first is None else (first, f"{today + lead:%F} is {why}")


_WEEKEND: Collection[int] = frozenset({5, 6})


@lru_cache(maxsize=256)
def _days_off(country: str, region: str, year: int) -> "HolidayBase | None":
    """The holidays of a year and its neighbours, as a mapping of days to names; None for a country not known there."""
    from holidays import country_holidays  # noqa: PLC0415 - loads a module for each country; most runs ask for none

    try:
        return country_holidays(country, subdiv=region or None, years=(year - 1, year, year + 1), language="en_US")
    except NotImplementedError:
        return None


def _region(address: Address | None) -> str:
    """The region of an address as the `holidays` package knows it; empty where it does not."""
    if address is None:
        return ""
    country = country_of(address)
    code = address.state_province_code.strip().upper().removeprefix(f"{country}-")  # ISO 3166-2 writes ES-CT
    return _known_region(country, code, address.state_province.strip())


@lru_cache(maxsize=1024)
def _known_region(country: str, code: str, name: str) -> str:
    from holidays import country_holidays  # noqa: PLC0415 - as above

    try:
        known = country_holidays(country)
    except NotImplementedError:
        return ""
    aliases = {alias.casefold(): short for alias, short in known.subdivisions_aliases.items()}
    found = (code if code in known.subdivisions else "", aliases.get(name.casefold()), aliases.get(code.casefold()))
    return next((region for region in found if region), "")
