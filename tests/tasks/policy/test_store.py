"""What people type as a number is plain digits or refused with a sentence; numbers stay numbers."""

from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from flows.answer_hold import Parameters as Answering
from flows.parameters import SearchParameters
from tasks.policy.policy_file import PolicyFileError, read_policy
from tasks.policy.store import Guards
from tasks.settings import SettingsError, load_settings
from tests.tasks.policy.test_policy_file import written

FULL_WIDTH = "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT ZERO}"
ODD = ["1_000", FULL_WIDTH, "1e2", "1E2", " 10 ", "10\n", "+10", "10.", ".5", "1,000", "1.00000", "NaN", "9" * 5000, ""]


@pytest.mark.parametrize("odd", [*ODD, True])
def test_an_odd_amount_is_refused_by_field(odd: object) -> None:
    forms: list[tuple[type[BaseModel], str, object]] = [
        (SearchParameters, "max_amount", odd),
        (Answering, "amount", odd),
        (Guards, "max_refund", {"EUR": odd}),
        (Guards, "max_per_day", {"EUR": odd}),
    ]
    for form, field, value in forms:
        with pytest.raises(ValidationError, match=r"plain digits, such as 24\.00") as failed:
            form.model_validate({field: value})
        assert field in {error["loc"][0] for error in failed.value.errors()}


@pytest.mark.parametrize("odd", [*ODD, "1.0", True])
def test_an_odd_whole_number_is_refused(odd: object) -> None:
    for form, field in ((SearchParameters, "max_returns"), (Answering, "version")):
        with pytest.raises(ValidationError, match="whole number in plain digits"):
            form.model_validate({field: odd})


@pytest.mark.parametrize("good", ["10", "10.50", 10, 10.5, Decimal("10.50")])
def test_plain_digits_and_numbers_are_taken_exactly(good: object) -> None:
    assert SearchParameters.model_validate({"max_amount": good}).max_amount == Decimal(str(good))
    assert SearchParameters.model_validate({"max_returns": "10"}).max_returns == 10


def test_a_policy_files_numbers_are_exact_and_its_texts_plain(tmp_path: Path) -> None:
    text = "[default.guards.max_refund]\nEUR = 0.10\nSEK = 5e2\nNOK = 1_000\nDKK = '12.30'\n"
    assert read_policy(written(tmp_path, text)).default.guards.max_refund == {
        "EUR": Decimal("0.10"),
        "SEK": 500,
        "NOK": 1000,
        "DKK": Decimal("12.30"),
    }
    with pytest.raises(PolicyFileError, match=r'max_refund\.EUR is "1_000"; right would be .*plain digits'):
        read_policy(written(tmp_path, "[default.guards.max_refund]\nEUR = '1_000'\n"))


@pytest.mark.parametrize("name", ["REVER_RATE", "REVER_MAX_IN_FLIGHT", "REVER_LEASE", "REVER_ON_ITS_WAY_AFTER"])
@pytest.mark.parametrize("odd", ["1_0", FULL_WIDTH, "1e1"])
def test_an_odd_number_in_a_setting_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, odd: str) -> None:
    monkeypatch.setenv("REVER_API_KEY", "key")
    monkeypatch.setenv("REVER_STORES", "acme")
    monkeypatch.setenv("REVER_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv(name, odd)
    with pytest.raises(SettingsError, match=f"{name} .*a number in plain digits is needed"):
        load_settings(None)
