"""The sandbox's shops and shoppers, all invented: settings at REVER, warehouses, carriers, goods and prices.

Every e-mail is at example.com (RFC 2606), every phone number in a fictitious range.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from random import Random

from rever_api.models import (
    Address,
    Carrier,
    CompensationMethod,
    EcommerceSettings,
    Product,
    RefundSettings,
    RefundTiming,
    ReturnMethod,
    Shopper,
    Warehouse,
)

GROUP = "sandbox-group"
SHOPS = ("acme", "nordic", "autopay", "atlas")
_FURTHER = re.compile(r"shop-\d\d", re.ASCII)
OPS = "OPS"
SOLD_OUT = "XXL"
_SIZES = ("S", "M", "L", SOLD_OUT)
_GOODS = ("Linen shirt", "Wool jumper", "Rain jacket", "Denim jeans", "Canvas sneaker", "Leather belt", "Silk scarf")
_PICKUP, _DROP = ReturnMethod.HOME_PICK_UP, ReturnMethod.DROP_OFF_POINT
_DELIVERY = ReturnMethod.DELIVERY_PICKUP
_FIRST = ("Ada", "Bruno", "Carla", "Dario", "Elin", "Freja", "Gustav", "Ines", "Jonas", "Lucia")
_LAST = ("Almqvist", "Bergman", "Castro", "Dominguez", "Ek", "Ferrer", "Holm", "Iglesias", "Lund", "Navarro")
_CITIES = {"ES": "Valencia", "FR": "Nantes", "DE": "Kassel", "PT": "Porto", "SE": "Umeå", "DK": "Aarhus", "FI": "Oulu"}
_CITIES |= {"IT": "Torino", "BE": "Gent"}


@dataclass(frozen=True)
class Shop:
    """A store at REVER. `pays_itself_after` is set where REVER pays by itself so many seconds after the review.

    Its carriers may refuse what the settings promise: `refuses` are countries from which a carrier takes nothing though
    it is listed for them, `longest_line` is the most characters of a street that a label has room for (0: any), and on
    `days_off` none comes to fetch a parcel: an order of the day before is refused.
    """

    settings: EcommerceSettings
    name: str
    warehouses: tuple[Warehouse, ...]
    goods: dict[str, tuple[Product, Decimal]] = field(repr=False)
    countries: tuple[str, ...]
    pays_itself_after: float | None = None
    refuses: frozenset[tuple[str, str]] = frozenset()
    longest_line: int = 0
    days_off: frozenset[date] = frozenset()

    @property
    def id(self) -> str:
        """The e-commerce id."""
        return self.settings.ecommerce_id

    @property
    def timing(self) -> str:
        """When the shop refunds: REVER's refund.timing."""
        return str(self.settings.refund.timing)


def further(count: int) -> tuple[str, ...]:
    """So many shops more than those with names of their own, all like acme: shop-01, shop-02, ..."""
    return tuple(f"shop-{number:02}" for number in range(1, count + 1))


def catalogue(names: tuple[str, ...], pays_itself_after: float, timings: dict[str, str]) -> dict[str, Shop]:
    """Return the named shops by id. ValueError names a shop that there is not."""
    unknown = [name for name in (*names, *timings) if name not in SHOPS and not _FURTHER.fullmatch(name)]
    if unknown or not names:
        msg = f"there is no shop {unknown[0]!r}" if unknown else "no shop is named"
        raise ValueError(f"{msg}; choose among {', '.join(SHOPS)}, and shop-01 to shop-99")
    shops = {}
    for name in names:
        timing = timings.get(name, RefundTiming.ON_ITEM_VERIFIED)
        after = pays_itself_after if name == "autopay" else None
        made = {"nordic": _nordic, "atlas": _atlas}.get(name)
        shops[name] = made(timing) if made else _acme(name, timing, after)
    return shops


def _acme(shop: str, timing: str, pays_itself_after: float | None) -> Shop:
    refund = RefundSettings(timing=timing, methods=tuple(CompensationMethod))
    carriers = (
        Carrier(provider="SENDCLOUD", carrier="DHL", countries=("ES", "FR", "DE"), return_methods=(_PICKUP, _DROP)),
        Carrier(provider="SENDCLOUD", carrier="CORREOS", countries=("ES",), return_methods=(_PICKUP, _DROP, _DELIVERY)),
        Carrier(provider=OPS, carrier="CTT", countries=("PT",), return_methods=(_PICKUP, _DROP)),
    )
    settings = EcommerceSettings(
        ecommerce_id=shop, currency="EUR", timezone="Europe/Madrid", return_window_days=30, refund=refund,
        carriers=carriers,
    )  # fmt: skip
    warehouses = (
        _warehouse(shop, "Getafe", "ES", ("ES", "PT"), default=True),
        _warehouse(shop, "Lyon", "FR", ("FR", "DE"), default=False),
    )
    return Shop(
        settings,
        f"{shop.title()} Clothing",
        warehouses,
        _goods(shop, Decimal(1)),
        ("ES", "FR", "DE"),
        pays_itself_after,
    )


def _nordic(timing: str) -> Shop:
    methods = (
        CompensationMethod.ORIGINAL_PAYMENT_METHOD,
        CompensationMethod.GIFT_CARD,
        CompensationMethod.PROMO_CODE,
        CompensationMethod.EXCHANGE,
    )
    carriers = (
        Carrier(provider="NSHIFT", carrier="POSTNORD", countries=("SE", "DK"), return_methods=(_DROP, _PICKUP)),
        Carrier(provider="NSHIFT", carrier="BRING", countries=("SE", "NO"), return_methods=(_DELIVERY, _DROP)),
        Carrier(provider=OPS, carrier="MATKAHUOLTO", countries=("FI",), return_methods=(_PICKUP, _DROP)),
    )
    settings = EcommerceSettings(
        ecommerce_id="nordic", currency="SEK", timezone="Europe/Stockholm", return_window_days=60,
        refund=RefundSettings(timing=timing, methods=methods), carriers=carriers,
    )  # fmt: skip
    warehouses = (_warehouse("nordic", "Borås", "SE", (), default=True),)
    return Shop(settings, "Nordic Wear", warehouses, _goods("nordic", Decimal(11)), ("SE", "DK"))


def _atlas(timing: str) -> Shop:
    """A shop in six countries with four carriers, and one for which people make the labels."""
    refund = RefundSettings(timing=timing, methods=tuple(CompensationMethod))
    by_van, by_post = (_PICKUP, _DROP, _DELIVERY), (_DROP,)
    carriers = (
        Carrier(provider="SENDCLOUD", carrier="DHL", countries=("ES", "FR", "DE", "IT"), return_methods=by_van),
        Carrier(provider="SENDCLOUD", carrier="GLS", countries=("ES", "FR", "DE", "BE"), return_methods=by_van),
        Carrier(provider="SENDCLOUD", carrier="CORREOS", countries=("ES",), return_methods=by_post),
        Carrier(provider="SHIPPO", carrier="UPS", countries=("DE", "IT", "BE"), return_methods=by_van),
        Carrier(provider=OPS, carrier="CTT", countries=("PT", "BE"), return_methods=by_van),
    )
    settings = EcommerceSettings(
        ecommerce_id="atlas", currency="EUR", timezone="Europe/Paris", return_window_days=30, refund=refund,
        carriers=carriers,
    )  # fmt: skip
    warehouses = (
        _warehouse("atlas", "Zaragoza", "ES", ("ES", "PT"), default=True),
        _warehouse("atlas", "Venlo", "NL", ("FR", "DE", "IT", "BE"), default=False),
    )
    return Shop(
        settings,
        "Atlas Furniture",
        warehouses,
        _goods("atlas", Decimal(1)),
        ("ES", "FR", "DE", "IT", "BE", "PT"),
        refuses=frozenset({("DHL", "FR")}),
        longest_line=35,
    )


def _warehouse(shop: str, city: str, country: str, countries: tuple[str, ...], *, default: bool) -> Warehouse:
    address = Address(
        rever_id=f"addr_{shop}_{city.lower()}", company=f"{shop} returns", address_line_1="Dock 4", city=city,
        postcode="10000", country=country, country_code=country,
    )  # fmt: skip
    return Warehouse(
        id=f"wh_{shop}_{city.lower()}", name=city, is_default=default, countries=countries, address=address
    )


def _goods(shop: str, rate: Decimal) -> dict[str, tuple[Product, Decimal]]:
    goods: dict[str, tuple[Product, Decimal]] = {}
    for number, name in enumerate(_GOODS, start=1):
        price = (Decimal("14.95") + Decimal("7.35") * number) * rate
        for size in _SIZES:
            sku = f"{shop.upper()}-{number:03}-{size}"
            product = Product(
                product_id=f"prod_{shop}_{number:03}", variant_id=f"var_{shop}_{number:03}_{size}", sku=sku,
                ean=f"84{number:09}{_SIZES.index(size)}", name=name, variant_name=size,
            )  # fmt: skip
            goods[sku] = (product, price.quantize(Decimal("0.01")))
    return goods


def shopper(number: int, random: Random) -> Shopper:
    """Return the shopper of the `number`th return."""
    return Shopper(
        email=f"shopper.{number}@example.com",
        first_name=random.choice(_FIRST),
        last_name=random.choice(_LAST),
        phone_number=f"+34 900 000 {number % 1000:03}",
    )


def address(person: Shopper, number: int, country: str) -> Address:
    """Return where the goods are collected and replacements are sent."""
    return Address(
        rever_id=f"addr_shopper_{number}",
        first_name=person.first_name,
        last_name=person.last_name,
        address_line_1=f"Calle Inventada {number}",
        city=_CITIES.get(country, "Wellington"),
        state_province="Province",
        state_province_code="PR",
        postcode=f"{10000 + number % 90000}",
        country=country,
        country_code=country,
        email=person.email,
        phone=person.phone_number,
    )
