"""Ask the candidate policy about the returns that the live one has decided, and tell and keep where they differ.

Nothing that the candidate says is done: it is asked after the live decision was carried out, by pure rules, and all
that this writes is the ledger's table `shadow`. What fails here is told, and stops nothing.
"""

import logging
from collections.abc import Sequence

from tasks.decide_returns import DecidedReturn, decided_by
from tasks.desk import Desk
from tasks.ledger import note_shadow, open_differences
from tasks.policy.case import Case
from tasks.policy.facts import counted
from tasks.policy.rules.reissue import label_or_reissue
from tasks.policy.shadow import Candidate, Differs, capped, difference, leaves_units, without_questions
from tasks.reporting.report import Mode, ReturnsReport
from tasks.steps import presentable

log = logging.getLogger(__name__)


async def compare_with_candidate(desk: Desk, report: ReturnsReport, decided: Sequence[DecidedReturn]) -> None:
    """Compare the two policies about a batch, count the differences, and in `act` write them down."""
    candidate, tally = desk.candidate, report.shadow
    if candidate is None or candidate.policies is None or tally is None:
        return
    await _gather(desk, candidate, decided)
    differing: list[Differs] = []
    alike: list[str] = []
    failed: list[Exception] = []
    for item in decided:
        if item.asked is None:
            continue
        try:
            differs = _compared(candidate, item)
        except Exception as error:
            log.debug("the shadow of %s failed", item.process_id, exc_info=error)
            failed.append(error)
            continue
        if differs is None:
            alike.append(item.process_id)
        else:
            differing.append(differs)
    tally.count(len(differing) + len(alike), differing)
    if failed:
        first = presentable(failed[0])
        report.notes.append(f"the shadow could not be asked about {counted(len(failed), 'return')}: {first}")
    labels = any(item.asked and item.asked.rule is label_or_reissue for item in decided)
    if desk.mode is Mode.ACT and not await _kept(desk, candidate, differing, alike, labels_alone=labels):
        report.notes.append("differences of the shadow were not written down: the ledger did not take them")


async def _gather(desk: Desk, candidate: Candidate, decided: Sequence[DecidedReturn]) -> None:
    """Learn what the candidate's rules ask for beyond the live ones: now, so that no payment has waited for it."""
    known = {item.asked.rules.store: item.asked.rules for item in decided if item.asked}
    for store, rules in known.items():
        pending = [it.pending for it in decided if it.asked and it.pending.store == store and it.pending.unread is None]
        try:
            await desk.facts.add(desk, candidate.rules(rules), pending)
        except Exception as error:
            log.debug("facts for the shadow of store %r were not gathered", store, exc_info=error)


def _compared(candidate: Candidate, item: DecidedReturn) -> Differs | None:
    """How the candidate differs about one return: both are asked anew, with what the live policy was asked with."""
    assert item.asked is not None  # noqa: S101 - the caller has looked
    rules, record, now, rule = item.asked.rules, without_questions(item.asked.record), item.asked.now, item.asked.rule
    process, both = item.pending.process, (rules, candidate.rules(rules))
    live, other = (
        capped(decided_by(item.pending, each, record, now, rule), each.policy.guards, record) for each in both
    )
    return difference(
        live,
        other,
        process_id=item.process_id,
        order=process.order_name,
        rules=rules,
        now=now,
        leave=(
            leaves_units(Case(process, both[0], record, now), live),
            leaves_units(Case(process, both[1], record, now), other),
        ),
    )


async def _kept(
    desk: Desk, candidate: Candidate, differing: Sequence[Differs], alike: Sequence[str], *, labels_alone: bool
) -> bool:
    """Write the differences down; whether the ledger took them. Nothing is written where there is nothing to write.

    A run that decided about `labels_alone` knows nothing of the money: what stands of a return goes on standing.
    """
    try:
        names = [it.process_id for it in differing] if labels_alone else alike
        known = await desk.ledger.aread(open_differences, candidate.digest, names)
        ended = set() if labels_alone else known
        if labels_alone:
            differing = [it for it in differing if it.process_id not in known]
        if differing or ended:
            await desk.ledger.awrite(note_shadow, candidate.digest, differing, ended, now=desk.clock())
    except Exception as error:  # noqa: BLE001 - what is only told stops no effect; where the ledger fails, effects say so
        log.warning("the differences of the shadow were not written down (%s)", type(error).__name__)
        return False
    return True
