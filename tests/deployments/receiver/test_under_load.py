"""The receiver killed in the middle of a load: every event is there once, every bad one was refused."""

import os
import threading
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from deployments.prefect_server import without_own_settings
from deployments.receiver.inbox import Inbox, events
from tests.deployments.receiver.load import Load, send
from tests.deployments.receiver.processes import receiving

SECRET = SecretStr("a-shared-s3cr3t")


@pytest.mark.crash
async def test_a_receiver_that_is_killed_loses_nothing_and_takes_nothing_twice(tmp_path: Path) -> None:
    env = {
        **without_own_settings(os.environ),
        "REVER_BASE_URL": "http://127.0.0.1:9",
        "REVER_API_KEY": "key",
        "REVER_STORES": "acme",
        "REVER_WEBHOOK_SECRETS": SECRET.get_secret_value(),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
    }
    load = Load.of([f"retp_{number}" for number in range(40)], 200, repeats=0.3, bad=0.05, seed=7)
    with receiving(tmp_path, env) as receiver:

        def killed(number: int) -> None:
            if number == 100:
                receiver.kill()
                threading.Thread(target=receiver.start).start()

        sent = await send(receiver.url, load, SECRET, on=killed)
        print(f"200 deliveries, {sent.unanswered} without an answer; {sent.times()}")
        assert receiver.end() == 0
        assert "ann@" not in receiver.log
    assert sent.unanswered > 0
    assert sent.refused == {401: 10}
    assert set(sent.answers) == load.events
    assert all(statuses.count(202) <= 1 for statuses in sent.answers.values())
    with closing(Inbox.open(f"sqlite:///{tmp_path}/rever-returns-inbox.sqlite")) as inbox:
        stored = inbox.read(lambda conn: [bytes(row.body) for row in conn.execute(select(events.c.body))])
    assert len(stored) == len(load.events) == 130
    assert set(stored) == load.events
