"""The country of an address, by code or name."""

import pytest

from rever_api.models import Address
from tasks.policy.country import country_code, country_of


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ES", "ES"),
        (" es ", "ES"),
        ("ESP", "ES"),
        ("España", "ES"),
        ("espana", "ES"),
        ("Spain", "ES"),
        ("ESPAN\u0303A", "ES"),
        ("United Kingdom", "GB"),
        ("Reino Unido", "GB"),
        ("UK", "GB"),
        ("EL", "GR"),
        ("USA", "US"),
        ("EE.UU.", "US"),
        ("Países Bajos", "NL"),
        ("The Netherlands", "NL"),
        ("República Checa", "CZ"),
        ("Trinidad and Tobago", "TT"),
        ("Trinidad & Tobago", "TT"),
        ("Kosovo", "XK"),
        ("Côte d\u2019Ivoire", "CI"),
        ("Congo", ""),
        ("ZZ", ""),
        ("Atlantis", ""),
        ("34", ""),
        ("-", ""),
        ("", ""),
    ],
)
def test_codes_and_names_are_known_and_nothing_is_guessed(text: str, code: str) -> None:
    assert country_code(text) == code


def test_the_code_comes_first_then_the_country() -> None:
    assert country_of(Address(country_code="PT", country="Spain")) == "PT"
    assert country_of(Address(country_code="nowhere", country="Spain")) == "ES"
    assert country_of(Address(country="Spain")) == "ES"
    assert country_of(Address()) == country_of(None) == ""
