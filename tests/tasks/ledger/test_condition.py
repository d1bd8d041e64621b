"""The condition of a ledger's database, on SQLite and PostgreSQL: what is found, and that nothing is touched."""

from datetime import timedelta
from pathlib import Path

import pytest

from tasks.desk import utc_now
from tasks.ledger import Ledger, LedgerError, condition
from tasks.ledger.schema import REVISION


def test_it_tells_revision_account_and_the_databases_clock(url: str) -> None:
    assert condition(url).account == ""
    Ledger.open(url, account="acme", clock=utc_now).close()
    before = utc_now()
    found = condition(url)
    assert (found.account, found.revision, found.newest, found.writable) == ("acme", REVISION, REVISION, True)
    if url.startswith("sqlite"):
        assert found.now is None
        assert found.durable
    else:
        assert found.now is not None
        assert abs(found.now - before) < timedelta(seconds=30)
        assert not found.durable, "the tests' server does no fsync"


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    found = condition(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    assert (found.revision, found.account, found.writable) == ("", "", True)
    assert not condition(f"sqlite:///{tmp_path / 'none' / 'ledger.sqlite'}").writable
    assert list(tmp_path.iterdir()) == []


def test_another_file_is_no_ledger(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite"
    file.write_text("a text" * 1000)
    with pytest.raises(LedgerError, match="not a SQLite database"):
        condition(f"sqlite:///{file}")
