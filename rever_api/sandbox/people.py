"""Invented shoppers. Every e-mail is at example.com (RFC 2606), every phone number in a fictitious range."""

from random import Random

from rever_api.models import Address, Shopper

_FIRST = ("Ada", "Bruno", "Carla", "Dario", "Elin", "Freja", "Gustav", "Ines", "Jonas", "Lucia")
_LAST = ("Almqvist", "Bergman", "Castro", "Dominguez", "Ek", "Ferrer", "Holm", "Iglesias", "Lund", "Navarro")
_CITIES = {"ES": "Valencia", "FR": "Nantes", "DE": "Kassel", "PT": "Porto", "SE": "Umeå", "DK": "Aarhus", "FI": "Oulu"}


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
