"""What we meant to do and what came of it: intents, outcomes, holds, audit. SQLite by default, PostgreSQL when shared.

The protocol is *claim, look again and send, settle, audit*: each effect is done at most once without a person's say,
and never silently lost. `Ledger` opens it and runs the operations, plain functions over a connection.
"""

from tasks.ledger.answers import answer_hold
from tasks.ledger.backup import back_up, restore
from tasks.ledger.checking import Checked, Finding, check
from tasks.ledger.condition import Condition, condition
from tasks.ledger.deciding import decide
from tasks.ledger.errors import AnswerError, LedgerError, NoLedgerError, OutdatedAnswer
from tasks.ledger.export import Format, export
from tasks.ledger.forgetting import Forgotten, forget_email, forget_return
from tasks.ledger.holds import find_hold, held_since, open_holds, opened_by
from tasks.ledger.ledger import Ledger
from tasks.ledger.outcomes import record_done, record_refused, record_unknown
from tasks.ledger.pausing import Pause, lift_pause, paused, pauses_of
from tasks.ledger.reading import (
    done_between,
    ended,
    final_returns,
    held_by,
    history,
    last_run,
    runs_began,
    unfinished,
)
from tasks.ledger.records import load_records
from tasks.ledger.rehearsing import Rehearsal, rehearse
from tasks.ledger.restored import Restored, catch_up, mark_restored, restored
from tasks.ledger.sending import mark_sent, mark_sent_many, put_back, release, withdraw
from tasks.ledger.settling import close_readable, expire, open_intents, settle_done, settle_hold, touch
from tasks.ledger.switch import stop_switch, switch
from tasks.ledger.two_desks import note_paid_elsewhere, paid_elsewhere
from tasks.ledger.types import (
    Actor,
    Answer,
    Answered,
    AuditRow,
    Claim,
    Decided,
    DecideRequest,
    Expired,
    History,
    HoldRow,
    IntentRow,
    KeptWords,
    OpenIntent,
    PastHold,
    Recorded,
    RecordRow,
    Sending,
    SendVerdict,
    Sent,
    Switch,
    Unfinished,
)
from tasks.ledger.words import NOTHING_SAID, Said

__all__ = [
    "NOTHING_SAID",
    "Actor",
    "Answer",
    "AnswerError",
    "Answered",
    "AuditRow",
    "Checked",
    "Claim",
    "Condition",
    "DecideRequest",
    "Decided",
    "Expired",
    "Finding",
    "Forgotten",
    "Format",
    "History",
    "HoldRow",
    "IntentRow",
    "KeptWords",
    "Ledger",
    "LedgerError",
    "NoLedgerError",
    "OpenIntent",
    "OutdatedAnswer",
    "PastHold",
    "Pause",
    "RecordRow",
    "Recorded",
    "Rehearsal",
    "Restored",
    "Said",
    "SendVerdict",
    "Sending",
    "Sent",
    "Switch",
    "Unfinished",
    "answer_hold",
    "back_up",
    "catch_up",
    "check",
    "close_readable",
    "condition",
    "decide",
    "done_between",
    "ended",
    "expire",
    "export",
    "final_returns",
    "find_hold",
    "forget_email",
    "forget_return",
    "held_by",
    "held_since",
    "history",
    "last_run",
    "lift_pause",
    "load_records",
    "mark_restored",
    "mark_sent",
    "mark_sent_many",
    "note_paid_elsewhere",
    "open_holds",
    "open_intents",
    "opened_by",
    "paid_elsewhere",
    "paused",
    "pauses_of",
    "put_back",
    "record_done",
    "record_refused",
    "record_unknown",
    "rehearse",
    "release",
    "restore",
    "restored",
    "runs_began",
    "settle_done",
    "settle_hold",
    "stop_switch",
    "switch",
    "touch",
    "unfinished",
    "withdraw",
]
