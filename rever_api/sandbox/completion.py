"""When a process is at its end: each unit has its outcome."""

from rever_api.models import ProcessStatus, ReturnProcess, ReturnStatus
from rever_api.sandbox.arithmetic import (
    approved_units,
    costs,
    fully_reviewed,
    is_exchange,
    line_value,
    minor,
    refund_gross,
)
from rever_api.sandbox.state import Sandbox, StoredProcess


def complete(sandbox: Sandbox, stored: StoredProcess) -> None:
    """End a running process all of whose units have their outcome, at once or after the sandbox's delay."""
    if not _has_all_outcomes(sandbox, stored):
        return

    def end() -> None:
        if stored.process.rever_process_status == ProcessStatus.RUNNING:
            sandbox.change(stored, rever_process_status=ProcessStatus.COMPLETED, return_status=ReturnStatus.COMPLETED)

    delay = sandbox.options.completion_delay
    if delay > 0:
        sandbox.later(delay, end)
    else:
        end()


def _has_all_outcomes(sandbox: Sandbox, stored: StoredProcess) -> bool:
    process, timing = stored.process, sandbox.shops[stored.process.ecommerce_id].timing
    if process.rever_process_status != ProcessStatus.RUNNING:
        return False
    if not all(fully_reviewed(process, line) for line in process.return_line_items):
        return False
    refunded_instead = 0
    for line in process.return_line_items:
        if not is_exchange(line):
            continue
        money, goods = stored.refunded.get(line.id, 0), stored.exchanged.get(line.id, 0)
        if money + goods < approved_units(process, line, timing):
            return False
        refunded_instead += line_value(line, min(money, line.quantity))
    gross = refund_gross(process, timing) + refunded_instead
    return _paid(process) >= max(0, gross - costs(process))


def _paid(process: ReturnProcess) -> int:
    refunds = (process.compensation.refunds if process.compensation else ()) or ()
    return sum(minor(refund.amount, refund.currency) for refund in refunds)
