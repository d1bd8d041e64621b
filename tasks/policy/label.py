"""When a return needs a label or pickup, and from which carrier and to which warehouse."""

from collections.abc import Iterable
from datetime import datetime

from rever_api.models import ReturnProcess, Warehouse
from tasks.policy.decision import Decision
from tasks.policy.record import Record
from tasks.policy.rules import StoreRules


def decide_label(process: ReturnProcess, rules: StoreRules, record: Record, now: datetime) -> Decision:
    """Decide the label alone: `MakeLabel`, `Wait`, `Hold(label=True)` or `Nothing`. Total and pure."""
    raise NotImplementedError


def warehouse_for(warehouses: Iterable[Warehouse], country: str) -> Warehouse | None:
    """Choose the warehouse goods go back to: one that serves the country, else the default, else the only one."""
    raise NotImplementedError
