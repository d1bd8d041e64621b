"""The one decision for a return: money first, then its label."""

from datetime import datetime

from rever_api.models import ReturnProcess
from tasks.policy.decision import Decision
from tasks.policy.record import Record
from tasks.policy.rules import StoreRules


def decide(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
    """Decide what is to be done about a return now. Pure, deterministic, total: it never raises.

    Money comes first; where it waits, or is done without being final, and a label is due, the answer is `MakeLabel`.
    """
    raise NotImplementedError


def incomplete(process: ReturnProcess, rules: StoreRules) -> tuple[str, ...]:
    """Name the fields that this read left out and that no payment can do without; read again by id where any."""
    raise NotImplementedError
