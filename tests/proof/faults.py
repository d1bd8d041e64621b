"""The columns of the matrix: every fault by itself, all of them mixed, and none."""

from dataclasses import replace

from rever_api.sandbox.faults import Fault, FaultPlan
from rever_api.sandbox.state import Options

NONE, MIXED, REFUSED, CLOCK = "none", "mixed", "connection_refused", "clock_jumps"
UNPAID, LEGS = "accepted_unpaid", "paid_in_legs"

APART = {
    Fault.HANG_AFTER_ACTING,
    Fault.SET_UP_AFTER,
    Fault.TOO_MANY_AFTER,
    Fault.CONFLICT_409_AFTER,
    Fault.FORBIDDEN_403,
}
"""Not columns. What a proxy denied and REVER did shows as another's: adopted or held, not in the ledger's own books, by
which a cell is judged. `tests/flows/test_answered_no.py` plays these, also with stale reads. A key that is
refused for one store has a case of its own (`stores`)."""

COLUMNS = (
    NONE,
    MIXED,
    REFUSED,
    *(fault.value for fault in Fault if fault not in APART),
    CLOCK,
    UNPAID,
    LEGS,
)
"""`connection_refused` closes the server's port for real, `clock_jumps` is in the worker, the others on the wire.
REVER pays late, or shows each refund as two, in the last two, and loses answers as well.
"""

LATE_S = 86_400.0
"""When what was accepted is paid: after a cell is over."""

_RATES = {Fault.UNAUTHORIZED_401.value: 0.15}
_RATE, _MIXED_RATE = 0.4, 0.3


def fault_plan(column: str, seed: int) -> FaultPlan:
    """The sandbox's part of a column: one kind of fault on four of ten calls that can have it, or a mix on three."""
    quick = FaultPlan(seed=seed, later=60.0, slow=0.03, silent=0.02)
    if column in {NONE, REFUSED, CLOCK}:
        return quick
    if column in {UNPAID, LEGS}:
        return replace(quick, rate=_RATE, weights={Fault.ACTS_ANSWER_LOST: 1})
    if column == MIXED:
        return FaultPlan(_MIXED_RATE, seed, later=60.0, slow=0.03, silent=0.02)
    rate = _RATES.get(column, _RATE)
    return FaultPlan(rate, seed, {Fault(column): 1}, later=60.0, slow=0.03, silent=0.02)


def options(column: str) -> Options:
    """How the column's REVER behaves all the time: whether it pays at once and in one."""
    return Options(pays_out_after=LATE_S if column == UNPAID else 0.0, pays_in_legs=column == LEGS)
