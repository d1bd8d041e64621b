"""What REVER says of a shopper in its own words gets nowhere but where an erasure request reaches it."""

import json
import logging
from pathlib import Path

import pytest

from deployments.cli.ledger_care import forgotten
from rever_api.sandbox.state import Refusal
from tasks.ledger import Format, check, export, history
from tests.world import World, told

NAME, STREET = "Zebedee", "Quillon Lane"
WORDS = f"{NAME} of 7 {STREET} asks to wait"


@pytest.fixture
def talkative(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """REVER refuses each refund in words that name a shopper whom the request did not."""

    def refuse(*_: object) -> None:
        raise Refusal(400, 3, WORDS)

    monkeypatch.setattr("rever_api.sandbox.operations.pay", refuse)
    return world


def test_words_that_name_a_shopper_are_in_no_report_log_export_or_audit_and_can_be_erased(
    talkative: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    report = talkative.act()
    assert report.outcomes["refused"] > 3
    process_id = next(hold.process_id for hold in talkative.holds() if hold.kind == "refused")
    known = talkative.read(history, process_id)
    talkative.read(export, tmp_path / "out", Format.CSV)
    assert known is not None
    assert WORDS in told(known)
    shown = [json.dumps(report.as_json()), *report.lines(), caplog.text, str(known.audit), str(talkative.holds())]
    story = talkative.tell("explain-return", process_id=process_id)
    shown += [json.dumps(story.as_json()), *story.lines(), story.sentence()]
    shown += [file.read_text() for file in (tmp_path / "out").iterdir()]
    assert not [text for text in shown if NAME in text or STREET in text]
    assert "(code 3)" in told(known)

    process_ids = sorted({hold.process_id for hold in talkative.holds()})
    answers = [forgotten(each, "", "olga") for each in process_ids]
    assert "1 text in REVER's own words" in "".join(answers)
    assert not [path for path in tmp_path.glob("ledger*") if path.is_file() and NAME.encode() in path.read_bytes()]
    assert talkative.read(check, now=talkative.clock()).findings == ()
    after = talkative.read(history, process_id)
    assert after is not None
    assert "(removed on request)" in told(after)
