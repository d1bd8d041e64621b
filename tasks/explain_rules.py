"""What the merchant's own rules say of a return now, and by which facts: for `policy explain`, and in its story."""

import re

from rever_api.errors import ReverError
from rever_api.models import ReturnProcess
from tasks.desk import Desk, DeskError
from tasks.find_returns import FoundReturn
from tasks.gather_facts import gather_facts
from tasks.ledger import load_records
from tasks.policy.case import ruling_of
from tasks.policy.verdict import explain
from tasks.returns import PendingReturn


async def explain_rules(desk: Desk, found: FoundReturn) -> tuple[str, ...]:
    """The verdict of the rules on a return as lines: what is decided by which rule, then each rule with what it asked
    for and found. None where no rules hold at its store. Nothing of the shopper is in them.
    """
    if not desk.policies.rules.for_store(found.store):
        return ()
    if found.process is None:
        return (f"not asked: {found.problem or 'REVER does not show the return'}",)
    try:
        rules = await desk.rules(found.store)
        await gather_facts(desk, [PendingReturn(found.store, found.process)])
    except (DeskError, ReverError) as error:
        return (f"not asked: {error}",)
    records = await desk.ledger.aread(load_records, [found.process_id])
    ruling = ruling_of(found.process, rules, records[found.process_id], desk.clock())
    return tuple(_with_names(line, found.process) for line in explain(ruling.verdict))


def _with_names(text: str, process: ReturnProcess) -> str:
    """A sentence with the goods beside the ids of lines."""
    for line in process.return_line_items:
        name = line.product.name if line.product else ""
        text = re.sub(rf"(?<![\w-]){re.escape(line.id)}(?![\w-])", f"{line.id} ({name})", text) if name else text
    return text
