"""A cancellation: one cancelReturnProcess, which ends a return that nothing was paid for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rever_api.models import ProcessStatus, ReturnProcess
from tasks.policy.case import Case
from tasks.policy.facts import quoted, refunds_shown
from tasks.policy.kinds.asked import AskedKind
from tasks.policy.kinds.kind import Held, Seen
from tasks.policy.record import Intent, IntentKind, money_intents

_ENDED = frozenset({ProcessStatus.COMPLETED, ProcessStatus.FAILED, ProcessStatus.CANCELED})


class CancelKind(AskedKind[str]):
    """A return is cancelled once, for a reason that REVER shows (it must name no shopper). Nothing may be open then."""

    name = IntentKind.CANCEL
    noun = "cancellation"

    def stored(self, content: str) -> dict[str, Any]:
        """Return the reason."""
        return {"reason": content}

    def restored(self, intent: Intent, details: Mapping[str, Any], rule: str, why: str) -> str:
        """Return the reason of `stored`."""
        return str(details["reason"])

    def not_due(self, case: Case, wanted: str) -> str:
        """A return at its end cannot be cancelled; one that was paid, by anybody, must not be."""
        status = case.process.rever_process_status
        if status in _ENDED:
            return f"the return is {quoted(str(status))} at REVER"
        if refunds_shown(case.process) or money_intents(case.record):
            return "money or goods went out for it"
        return ""

    def snapshot(self, intent: Intent, content: str, process: ReturnProcess) -> dict[str, Any]:
        """Note the status."""
        return {"status": str(process.rever_process_status)}

    def look(
        self, intent: Intent, before: Mapping[str, Any], process: ReturnProcess, now: datetime
    ) -> Seen | Held | str:
        """The return is cancelled: whoever did it, it is what was asked for."""
        status = process.rever_process_status
        if status == ProcessStatus.CANCELED:
            return Seen({"status": str(status), "status before": str(before.get("status", ""))})
        if status in _ENDED:
            return Held(f"REVER shows the return as {status}, and not as cancelled", {"status": str(status)})
        return "REVER does not show the return as cancelled"


CANCEL = CancelKind()
