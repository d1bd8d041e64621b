"""`stop` and `start` tell Prefect where one is configured, and never wait long, nor fail, for it."""

import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from tasks.desk import utc_now
from tasks.ledger import Ledger
from tasks.ledger.stops import not_answered
from tasks.settings import load_settings
from tests.deployments.cli.conftest import ENVIRONMENT, Call


def make_ledger() -> None:
    Ledger.open("sqlite:///rever-returns.sqlite", account=ENVIRONMENT["REVER_BASE_URL"], clock=utc_now).close()


def test_the_switch_is_thrown_at_once_though_prefect_cannot_be_told(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    make_ledger()
    began = time.monotonic()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        stopped = call("stop", "--by", "olga", "--why", "wrong prices")
    assert stopped.code in {0, None}
    assert "All effects are stopped" in stopped.out
    assert "could not be sent to Prefect" in stopped.err
    assert time.monotonic() - began < 12


@pytest.mark.prefect
def test_prefect_hears_of_a_switch_that_was_thrown_and_of_no_other(
    call: Call, prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_ledger()
    sent: list[str] = []
    from prefect.events import Event
    from prefect.settings import PREFECT_API_URL

    from tasks.in_prefect import events

    taken = events.send

    async def told(happened: list[Event]) -> bool:
        sent.extend(event.payload["sentence"] for event in happened)
        return await taken(happened)

    monkeypatch.setattr(events, "send", told)
    monkeypatch.setenv("PREFECT_API_URL", PREFECT_API_URL.value() or "")
    for arguments in (("stop", "--why", "wrong prices"), ("stop", "--why", "again"), ("start",), ("start",)):
        ended = call(arguments[0], "--by", "olga", *arguments[1:])
        assert ended.code in {0, None}
        assert ended.err == ""
    assert sent == ["All effects were stopped by olga: wrong prices", "All effects were let go again by olga"]


def test_a_pause_is_ended_by_hand(call: Call) -> None:
    def fail(conn: Connection) -> None:
        for number in range(5):
            not_answered(conn, "acme", f"effect {number}", datetime.now(UTC))

    settings = load_settings()
    ledger = Ledger.open(settings.ledger_url.get_secret_value(), account=settings.account, clock=utc_now)
    ledger.write(fail)
    ledger.close()
    resumed = call("resume", "acme", "--by", "olga")
    assert resumed.code in {0, None}
    assert "Store acme was paused until" in resumed.out
    assert "Nothing changed: store acme is not paused." in call("resume", "acme", "--by", "olga").out
    assert call("resume", "amce", "--by", "olga").code == 2
    assert call("resume", "acme", "--by", " ").code == 2
