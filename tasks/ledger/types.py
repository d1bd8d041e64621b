"""The values that go into the ledger's operations and come out of them. Plain: no connection, no row."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tasks.database import DatabaseError
from tasks.policy.clocks import clock_time
from tasks.policy.decision import Compensate, Decision
from tasks.policy.parcel import ParcelLine
from tasks.policy.record import Intent, LineTerms, LineUnits, OpenHold, PaidSeen, Record
from tasks.policy.store import Guards
from tasks.policy.tracking import ParcelView

NOTHING_SEEN: Mapping[str, PaidSeen] = MappingProxyType({})
"""Where a look says nothing new about what was paid."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: a flow by its name, or a person by the name they gave. Written to the audit, so never a shopper.

    `run_began_at` is when the run began, by the ledger's clock; None where a return is only noted or labelled, not
    taken as far as it can go.
    """

    name: str
    flow_run_id: str = ""
    run_began_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An intent that is mine to carry out, as long as its `token` is the one in the ledger.

    `content` is what the call says beyond the intent, as its kind has it: the goods of an exchange, a label's carrier.
    """

    intent: Intent
    token: str = field(repr=False)
    process_id: str
    store: str
    content: Any = None


@dataclass(frozen=True, slots=True)
class DecideRequest:
    """One return to decide about, in one transaction with others.

    `decide` is the rules, bound to the process as it was just read; it may be called more than once and must be pure.
    `lines` are the terms (total, quantity, currency) of the process's lines as read: the first intent of a line fixes
    them. `day` is the store's own date, for caps per day. `shopper_email` is only hashed, with the ledger's key, and
    never stored; empty where REVER names none. `next_look_at` is when a return is looked at again for which the
    decision itself says no time. `without_costs` are the lines off which no costs come: those to be exchanged, or that
    bear none by the merchant's rules; bound to the process, like `decide`.
    `received` is what the shopper has in all by then, per currency, and `ended` the open holds whose subject is gone,
    hold id -> why; both are bound to the process, like `decide`.
    `paid` says of the done refunds, by intent id, what the process shows as paid, where that is news. `parcel` is what
    a person who is asked about the return is told of its goods. `view` is where the process shows its parcels, None
    where it cannot be read. `after_payment` is for a plan where the rules may ask what was paid already: what they say
    once each effect of a payment is done and shown by REVER, one after another, by the record before it. None where
    they would only say the rest of what was due.
    """

    process_id: str
    store: str
    order_name: str
    day: date
    decide: Callable[[Record], Decision]
    guards: Guards
    shopper_email: str = field(repr=False)
    next_look_at: datetime
    lines: Mapping[str, LineTerms]
    without_costs: Callable[[Record], frozenset[str]] = lambda _: frozenset()
    received: Callable[[Record], Mapping[str, Decimal]] = lambda record: {}  # noqa: ARG005 - not told
    ended: Callable[[Record], Mapping[str, str]] = lambda record: {}  # noqa: ARG005 - none
    paid: Callable[[Record], Mapping[str, PaidSeen]] = lambda _: NOTHING_SEEN
    parcel: Callable[[], tuple[ParcelLine, ...]] = tuple
    view: ParcelView | None = None
    after_payment: Callable[[Record, Compensate], Iterator[Decision]] | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided about a return and, in the same transaction, written down.

    `decision` is the rules' answer, or a `Hold` of a guard, or a `Wait` where another run was first. `claim` is the
    first effect of it, to be carried out now. `hold` is the open hold that the decision stands for, `new_hold` whether
    it was opened just now.
    """

    process_id: str
    decision: Decision
    claim: Claim | None
    hold: OpenHold | None
    new_hold: bool = False


class Sending(StrEnum):
    """Whether a claim may be sent now."""

    SENT = "sent"
    LOST = "lost"
    STOPPED = "stopped"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class SendVerdict:
    """The answer to `mark_sent`. Only SENT allows the call, once. LOST: the claim is no longer mine.

    STOPPED and PAUSED leave the claim `intended` and mine; `until` is when a pause ends, `why` the reason in words.
    `attempt` counts the times this intent was marked as sent.
    """

    sending: Sending
    why: str = ""
    until: datetime | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """One claim for `mark_sent`: what settling will compare, and by when its outcome must be known.

    `snapshot` holds JSON values only and no personal data. After `deadline` the outcome counts as unknown; not seen at
    REVER after `settle_at`, it is held.
    """

    claim: Claim
    snapshot: Mapping[str, Any]
    deadline: datetime
    settle_at: datetime
    now: datetime
    actor: Actor


@dataclass(frozen=True, slots=True)
class Done:
    """One effect for `record_done`, which REVER confirmed. `paid` is how much of a refund its answer shows as paid."""

    claim: Claim
    evidence: Mapping[str, Any]
    now: datetime
    actor: Actor
    paid: PaidSeen | None = None


class Recorded(StrEnum):
    """What became of an outcome that was reported to the ledger."""

    TAKEN = "taken"
    """It changed the intent as asked."""
    KNOWN = "known"
    """The intent stood so already; nothing was changed."""
    NOT_MINE = "not mine"
    """The intent is another run's by now, or in another state; nothing was changed but the audit."""
    CONTRADICTS = "contradicts"
    """An effect was confirmed that the ledger held for something else; a hold was opened for a person."""


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """All that is needed to judge an intent whose outcome is still to come. `hold_id` is its open hold, if any.

    An intent that was never sent has an empty snapshot, and its lease's end as `settle_at`.
    """

    intent: Intent
    process_id: str
    store: str
    snapshot: Mapping[str, Any]
    token: str = field(repr=False)
    sent_at: datetime | None
    deadline: datetime | None
    settle_at: datetime
    lease_until: datetime
    hold_id: str = ""


@dataclass(frozen=True, slots=True)
class Expired:
    """What the clock alone changed: intent ids that became unknown, and those that were withdrawn."""

    unknown: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()


class Answer(StrEnum):
    """What a person can say to a hold. Of the first four each hold takes the one that `HoldRow.answers` names.

    `RETRY` is the old word for whichever of the four is right; it goes on working everywhere.
    """

    APPROVE = "approve"
    """Let the rule or guard that held pass, once, for the amount that was seen."""
    SEND_AGAIN = "send_again"
    """Send an effect once more: one of unknown outcome (unless REVER shows it), or one that was refused."""
    LOOK_AGAIN = "look_again"
    """Decide again by what REVER shows now; nothing is waived."""
    TAKE_AS_IT_IS = "take_as_it_is"
    """Take what REVER or the ledger shows as right, and do not ask again."""
    DONE_BY_HAND = "done_by_hand"
    DROP = "drop"
    RETRY = "retry"

    @property
    def goes_on(self) -> bool:
        """Whether the rules go on with the return, rather than units being closed."""
        return self not in {Answer.DONE_BY_HAND, Answer.DROP}


@dataclass(frozen=True, slots=True)
class HoldRow:
    """An open hold as a person sees it. `answers` says in words what each answer would do, `items` are its units.

    `parcel` is what REVER showed of the goods when the hold was opened; empty where it was not read then, or where it
    was erased.
    """

    hold_id: str
    version: int
    process_id: str
    store: str
    order_name: str
    kind: str
    rule: str
    why: str
    evidence: Mapping[str, str]
    since: datetime
    amount: Decimal | None
    currency: str
    label: bool
    intent_id: str
    answers: Mapping[str, str]
    parcel: tuple[ParcelLine, ...] = ()
    items: tuple[LineUnits, ...] = ()

    def does(self, answer: Answer) -> str:
        """What this answer does, in words; the old word `retry` is the one that goes on."""
        going_on = next(iter(self.answers.values()), "")
        return self.answers.get(answer, going_on)


@dataclass(frozen=True, slots=True)
class Answered:
    """A hold that was answered just now. `claim` is given where an effect of unknown outcome is sent again.

    Such a claim is carried out like any other, but REVER is read and judged first: seen there, it is done.
    """

    hold_id: str
    process_id: str
    store: str
    answer: Answer
    claim: Claim | None = None
    intent_id: str = ""


@dataclass(frozen=True, slots=True)
class Switch:
    """The stop switch: while it is `stopped`, no effect is sent."""

    stopped: bool
    since: datetime | None = None
    by: str = ""
    why: str = ""

    @property
    def words(self) -> str:
        """That all effects are stopped, since when, by whom and why, in one sentence; "" if they are not."""
        since = f" since {clock_time(self.since)}" if self.since else ""
        return f"All effects are stopped{since} by {self.by}: {self.why}" if self.stopped else ""

    @property
    def sentence(self) -> str:
        """The same, with the command that lets them go again."""
        return f"{self.words} (`rever-returns start --by NAME` lets them go again)" if self.stopped else ""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One step, as it was written down. `amount` is a decimal string."""

    id: int
    process_id: str
    at: datetime
    actor: str
    event: str
    rule: str
    evidence: Mapping[str, Any]
    amount: str | None
    currency: str
    intent_id: str
    hold_id: str
    flow_run_id: str


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A return as it was last looked at. `decision` is a word of `decision_name`."""

    process_id: str
    store: str
    order_name: str
    decision: str
    rule: str
    why: str
    looked_at: datetime | None
    next_look_at: datetime | None
    final: bool


@dataclass(frozen=True, slots=True)
class IntentRow:
    """An intent with what is told to people about it: which rule meant it, why, and on what evidence it ended."""

    intent: Intent
    process_id: str
    store: str
    rule: str
    why: str
    evidence: Mapping[str, Any]
    attempt: int
    closed_at: datetime | None
    day: date


@dataclass(frozen=True, slots=True)
class PastHold:
    """A hold with its end: `state` is open, answered or closed (by itself, `closed_why`)."""

    hold: HoldRow
    state: str
    answer: str = ""
    answered_by: str = ""
    answered_at: datetime | None = None
    closed_why: str = ""


@dataclass(frozen=True, slots=True)
class KeptWords:
    """What REVER said of an effect in its own words; `text` is empty where it was `forgotten` on request."""

    intent_id: str
    at: datetime
    text: str = field(repr=False)
    forgotten: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """All that the ledger knows of one return, for a person who asks why."""

    record: RecordRow
    intents: tuple[IntentRow, ...] = ()
    holds: tuple[PastHold, ...] = ()
    audit: tuple[AuditRow, ...] = ()
    words: tuple[KeptWords, ...] = ()


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A return that is not at its end and has no open effect: it must be looked at again."""

    process_id: str
    store: str
    decision: str
    rule: str
    why: str
    next_look_at: datetime | None
    held: bool


NO_EVIDENCE: Mapping[str, str] = MappingProxyType({})
"""Where there is nothing to say beyond the words."""


# What can go wrong with the ledger, each with a sentence that says which ledger and how to mend it.

LedgerError = DatabaseError
"""The ledger cannot be used. What its database raises and what the ledger itself raises are caught alike."""


class NoLedgerError(LedgerError):
    """There is no ledger where one was expected: a wrong `REVER_LEDGER_URL`, an unmounted volume, a first start.

    None was made: it would know nothing of what was paid.
    """


class AnswerError(LedgerError):
    """An answer to a hold that cannot be carried out: no such hold, or something that it needs is missing."""


class OutdatedAnswer(AnswerError):  # noqa: N818 - it is the answer's fault, and says so
    """An answer to a hold that has changed or been answered since it was listed. Nothing was done.

    `state` is the hold's present state (`open`, `answered` or `closed`) and `version` its present version.
    """

    def __init__(self, sentence: str, *, state: str, version: int) -> None:
        super().__init__(sentence)
        self.state = state
        self.version = version
