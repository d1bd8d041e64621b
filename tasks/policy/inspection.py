"""How far the inspection of a return has come: per line, and how many units count as approved."""

from collections import Counter
from dataclasses import dataclass

from rever_api.models import NOT_RECEIVED, CompensationMethod, ReturnLineItem, ReturnProcess, ReviewStatus
from tasks.policy.facts import contradictions, counts_unreviewed
from tasks.policy.store import StoreRules

_STATUSES = frozenset(ReviewStatus)


@dataclass(frozen=True, slots=True)
class LineInspection:
    """The units of one line, counted by the outcome of their inspection.

    `counted` is how many count as approved (`k`), given the store's timing and NOT_RECEIVED: units 1..k are to be
    compensated. `assumed` of them were not inspected. `unknown` are review statuses that this project does not know.

    By the merchant's rules `ruled_out` units are not compensated, whatever their review, and `later` units at another
    moment, which has not come.
    """

    line_id: str
    quantity: int
    approved: int
    declined: int
    missing: int
    uninspected: int
    counted: int
    assumed: int
    not_received: bool
    unknown: tuple[str, ...] = ()
    ruled_out: int = 0
    later: int = 0

    @property
    def not_turned_down(self) -> int:
        """Units that no review has declined or found missing."""
        return max(0, self.quantity - self.declined - self.missing)

    @property
    def reviewed(self) -> bool:
        """Whether nothing of the line is left to inspect. A line that was never received has nothing to inspect."""
        return self.not_received or self.uninspected == 0


@dataclass(frozen=True, slots=True)
class Inspection:
    """The inspection of a return. Where there are `contradictions` the counts are no ground to act on."""

    lines: tuple[LineInspection, ...]
    contradictions: tuple[str, ...] = ()

    @property
    def uninspected(self) -> int:
        """Units that a warehouse has still to look at."""
        return sum(line.uninspected for line in self.lines if not line.not_received)

    def line(self, line_id: str) -> LineInspection | None:
        """The inspection of one line, None where the return has no such line."""
        return next((line for line in self.lines if line.line_id == line_id), None)


def inspect(process: ReturnProcess, rules: StoreRules) -> Inspection:
    """Count the reviews of every line, and say what in the process contradicts itself."""
    return Inspection(inspected_lines(process, rules), contradictions(process))


def inspected_lines(process: ReturnProcess, rules: StoreRules) -> tuple[LineInspection, ...]:
    """Count the reviews of every line."""
    before_review = counts_unreviewed(process, rules)
    found: dict[str, Counter[str]] = {}
    for review in process.reviews or ():
        found.setdefault(review.line_item_id, Counter())[str(review.status)] += 1
    none = Counter[str]()
    return tuple([_line(item, found.get(item.id, none), before_review) for item in process.return_line_items])


def _line(item: ReturnLineItem, found: Counter[str], before_review: bool) -> LineInspection:
    """Count one line. An exchange always waits for the inspection: the timing is one of refunds."""
    approved = found[ReviewStatus.APPROVED]
    not_received = item.return_reason == NOT_RECEIVED
    early = before_review and item.compensation_method != CompensationMethod.EXCHANGE
    uninspected = max(0, item.quantity - found.total())
    assumed = uninspected if not_received or early else 0
    return LineInspection(
        line_id=item.id,
        quantity=item.quantity,
        approved=approved,
        declined=found[ReviewStatus.DECLINED],
        missing=found[ReviewStatus.MISSING],
        uninspected=uninspected,
        counted=approved + assumed,
        assumed=assumed,
        not_received=not_received,
        unknown=tuple([status for status in found if status not in _STATUSES]),
    )
