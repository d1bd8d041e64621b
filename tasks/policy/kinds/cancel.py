"""A cancellation: one cancelReturnProcess, which ends a return that nothing was paid for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rever_api.models import ProcessStatus, ReturnProcess
from tasks.policy import decide
from tasks.policy.case import Case
from tasks.policy.decision import Cancellation, Decision
from tasks.policy.kinds.asked import AskedKind
from tasks.policy.kinds.kind import Held, Seen
from tasks.policy.record import Intent, IntentKind, Record
from tasks.policy.rules.cancel import why_not
from tasks.policy.rules.gates import ENDED
from tasks.policy.store import StoreRules


class CancelKind(AskedKind[Cancellation]):
    """A return is cancelled once. Nothing may be open then."""

    name = IntentKind.CANCEL
    noun = "cancellation"

    def stored(self, content: Cancellation) -> dict[str, Any]:
        """Return the reason, and the rule that wants it."""
        return {"reason": content.reason} | ({"policy_rule": content.policy_rule} if content.policy_rule else {})

    def restored(self, intent: Intent, details: Mapping[str, Any], rule: str, why: str) -> Cancellation:
        """Return the cancellation of `stored`."""
        return Cancellation(str(details["reason"]), str(details.get("policy_rule", "")))

    def decide(
        self, process: ReturnProcess, rules: StoreRules, record: Record, now: datetime, content: Cancellation
    ) -> Decision:
        """Decide whether it is still to be done; where a rule wants it, by the whole rules: a scan may have come."""
        if content.policy_rule:
            return decide.decide(process, rules, record, now)
        return super().decide(process, rules, record, now, content)

    def asked_for(self, wanted: Cancellation) -> str:
        """Say why, too."""
        return f"{super().asked_for(wanted)}: {wanted.reason}"

    def not_due(self, case: Case, wanted: Cancellation) -> str:
        """A return at its end cannot be cancelled; one that was paid, by anybody, must not be."""
        return why_not(case)

    def snapshot(self, intent: Intent, content: Cancellation, process: ReturnProcess) -> dict[str, Any]:
        """Note the status."""
        return {"status": str(process.rever_process_status)}

    def look(
        self, intent: Intent, before: Mapping[str, Any], process: ReturnProcess, now: datetime
    ) -> Seen | Held | str:
        """The return is cancelled: whoever did it, it is what was asked for."""
        status = process.rever_process_status
        if status == ProcessStatus.CANCELED:
            return Seen({"status": str(status), "status before": str(before.get("status", ""))})
        if status in ENDED:
            return Held(f"REVER shows the return as {status}, and not as cancelled", {"status": str(status)})
        return "REVER does not show the return as cancelled"


CANCEL = CancelKind()
