"""Bodies go after thirty days, or at once on an erasure request; hashes stay and tell repeats."""

from pathlib import Path

import pytest
from sqlalchemy import select

from deployments.receiver.inbox import events
from deployments.receiver.inbox_care import remove_old, remove_return, remove_shopper
from tests.deployments.receiver.conftest import Desk, body
from tests.deployments.receiver.test_delivery import SPOILED


def kept(desk: Desk) -> list[str]:
    query = select(events.c.process_id).where(events.c.body.is_not(None)).order_by(events.c.seq)
    return desk.inbox.read(lambda conn: [row.process_id for row in conn.execute(query)])


def test_bodies_are_kept_thirty_days(desk: Desk) -> None:
    desk.store(body("p1"))
    desk.clock.forward(days=1)
    desk.store(body("p2"))
    desk.clock.forward(days=28, hours=23)
    assert desk.inbox.write(remove_old, now=desk.clock()) == 0
    desk.clock.forward(hours=2)
    assert desk.inbox.write(remove_old, now=desk.clock()) == 1
    assert kept(desk) == ["p2"]
    assert not desk.store(body("p1")).new


def test_the_dispatcher_removes_all_that_are_old(local: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.receiver.inbox_care.AT_ONCE", 3)
    for number in range(10):
        local.store(body(f"p{number}"))
    local.clock.forward(days=31)
    local.step()
    assert kept(local) == []


def test_a_shoppers_bodies_go_wherever_the_address_stands(desk: Desk) -> None:
    desk.store(body("p1", email="Ann@Example.com"))
    desk.store(body("p2", email="bob@example.com"))
    desk.store(body("p3", email="bob@example.com", pickup_address={"email": "ANN@example.com"}))
    desk.store(body("p4").replace(b"ann@", b"ann\\u0040"))
    assert desk.inbox.write(remove_shopper, " ann@example.com") == 3
    assert kept(desk) == ["p2"]


def test_a_returns_shopper_takes_the_other_returns_along(desk: Desk) -> None:
    desk.store(body("p1"))
    desk.store(body("p1", shipping="COLLECTED", email=""))
    desk.store(body("p2"))
    desk.store(body("p3", email="bob@example.com"))
    assert desk.inbox.write(remove_return, "p1") == 3
    assert kept(desk) == ["p3"]
    assert desk.inbox.write(remove_return, "p9") == 0


@pytest.mark.parametrize("spoiled", SPOILED)
def test_what_spoils_a_field_keeps_no_body_from_being_removed(desk: Desk, spoiled: bytes) -> None:
    desk.store(body("p1").replace(b"{", b"{" + spoiled + b", ", 1))
    desk.store(body("p2", email="bob@example.com").replace(b"{", b"{" + spoiled + b", ", 1))
    desk.store(body("p3"))
    assert desk.inbox.write(remove_shopper, "bob@example.com") == 1
    assert desk.inbox.write(remove_return, "p1") == 2
    assert kept(desk) == []


def test_an_address_is_found_in_a_field_that_could_not_be_read(desk: Desk) -> None:
    deep = b"[" * 500 + b'"ann@example.com"' + b"]" * 500
    desk.store(b'{"rever_process_id": "p1", "deep": %s}' % deep)
    desk.store(b'{"rever_process_id": "p2", "mail": "ann\\u0040example.com", "mail": "bob@example.com"}')
    assert desk.inbox.write(remove_shopper, "ann@example.com") == 2


def test_nothing_of_it_is_left_in_the_files(local: Desk, tmp_path: Path) -> None:
    for number in range(20):
        local.store(body(f"p{number}", email="ann@example.com", note="x" * 5000))
        local.store(body(f"p{number}", email="bob@example.com"))
    assert any(b"ann@example.com" in path.read_bytes() for path in tmp_path.iterdir())
    local.inbox.write(remove_shopper, "ann@example.com")
    local.inbox.trim()
    assert [path for path in tmp_path.iterdir() if b"ann@example.com" in path.read_bytes()] == []
