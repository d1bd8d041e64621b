"""What the kinds have in common that no rule asks for: a person or a file does, and says exactly what."""

from abc import abstractmethod
from dataclasses import replace
from datetime import datetime

from rever_api.models import ReturnProcess
from tasks.policy.case import Case
from tasks.policy.decision import AskedEffect, Decision, Nothing, RefundDue
from tasks.policy.kinds.kind import Content, Kind, Side
from tasks.policy.record import Intent, IntentKind, IntentState, LineUnits, Record
from tasks.policy.rules.gates import held_already, told_no_until
from tasks.policy.store import StoreRules


class AskedKind(Kind[AskedEffect, Content]):
    """An effect is done where what was asked for is still to be done by what REVER shows, and nothing is held."""

    def intent(self, due: AskedEffect) -> Intent:
        """Return the intent of what was asked for, with the money that is at stake."""
        intent = Intent(
            id="",
            kind=self.name,
            state=IntentState.INTENDED,
            items=self.items(due.wanted),
            generation=self.generation(due.wanted),
        )
        if due.stake is None:
            return intent
        return replace(intent, currency=due.stake.currency, amount=due.stake.amount, gross=due.stake.gross)

    def items(self, wanted: Content) -> tuple[LineUnits, ...]:
        """The units of lines that it is about; by default none."""
        return ()

    def generation(self, wanted: Content) -> int:
        """Its number among the effects of its kind for the return; by default the only one."""
        return 1

    def content(self, due: AskedEffect) -> Content:
        """What was asked for."""
        wanted: Content = due.wanted
        return wanted

    def decide(
        self, process: ReturnProcess, rules: StoreRules, record: Record, now: datetime, content: Content
    ) -> Decision:
        """Decide whether what was asked for is still to be done, and what money goes out because of it.

        A hold of its side of the return holds it too, and so does what its own rules find. After a "no" that a proxy
        may have given, to it or to what it may not stand beside, it waits until REVER would show that effect.
        """
        case = Case(process, rules, record, now)
        if self.side is Side.MONEY and (held := held_already(case)) is not None:
            return held
        until = told_no_until(record.intents, set(IntentKind) - self.beside, rules, now)
        if until is not None:
            why = f"an effect was sent, and REVER or a proxy said that it was not done; the {self.noun} waits for it"
            return case.wait("told_no", why, until)
        if (held := self.held(case, content)) is not None:
            return held
        why = self.not_due(case, content)
        if why:
            return Nothing(f"{self.name}_not_due", f"the {self.noun} is not to be done: {why}")
        return AskedEffect(f"{self.name}_asked", self.asked_for(content), self.name, content, self.stake(case, content))

    def held(self, case: Case, wanted: Content) -> Decision | None:
        """The hold or wait that stands against it; by default none."""
        return None

    @abstractmethod
    def not_due(self, case: Case, wanted: Content) -> str:
        """Say why it is not, or no longer, to be done by what REVER shows; empty where it is."""

    def asked_for(self, wanted: Content) -> str:
        """Say what was asked for, for the report and the ledger: no personal data."""
        return f"a {self.noun} was asked for"

    def stake(self, case: Case, wanted: Content) -> RefundDue | None:
        """The money that goes out because of it though this desk does not send it; by default none."""
        return None

    def covers(self, decision: Decision, intent: Intent, content: Content) -> bool:
        """Say whether just this is still asked for, and no more money is at stake than the guards let pass."""
        if not isinstance(decision, AskedEffect) or decision.kind is not self.name or decision.wanted != content:
            return False
        stake = decision.stake
        return stake is None or (stake.currency == intent.currency and stake.amount <= intent.amount)
