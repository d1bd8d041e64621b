"""Which exit code an error leads to: decided by its class, wherever that is defined."""

from importlib import import_module

import pytest

from deployments.bootstrap import BootstrapError, PrefectFileError
from deployments.console.errors import _RUN_ERRORS, _USAGE_ERRORS, FAILED, USAGE, UsageError, explained
from deployments.up.supervisor import UpError
from rever_api import Unauthorized
from tasks.ledger import LedgerError, NoLedgerError
from tasks.settings import SettingsError


@pytest.mark.parametrize(("module", "name"), [*_USAGE_ERRORS, *_RUN_ERRORS])
def test_every_expected_error_is_there(module: str, name: str) -> None:
    assert issubclass(getattr(import_module(module), name), Exception)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("one"), USAGE),
        (SettingsError(["one"]), USAGE),
        (NoLedgerError("one"), USAGE),
        (PrefectFileError("one"), USAGE),
        (LedgerError("one"), FAILED),
        (BootstrapError("one"), FAILED),
        (UpError("one"), FAILED),
    ],
)
def test_an_expected_error_is_its_own_sentence(error: Exception, code: int) -> None:
    assert explained(error) == (code, "one")


def test_a_subclass_counts_as_its_class() -> None:
    assert explained(Unauthorized("one", status=401))[0] == FAILED


def test_an_unforeseen_error_shows_its_kind_and_not_its_text() -> None:
    with pytest.raises(LookupError) as raised:
        raise LookupError("ana@example.com")
    code, words = explained(raised.value)
    assert code == FAILED
    assert "LookupError at test_errors.py:" in words
    assert "ana@" not in words


def test_a_class_of_the_same_name_is_not_taken_for_the_expected_one() -> None:
    class LedgerError(Exception):
        pass

    with pytest.raises(LedgerError) as raised:
        raise LedgerError("ana@example.com")
    assert "ana@" not in explained(raised.value)[1]
