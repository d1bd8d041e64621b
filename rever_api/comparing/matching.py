"""Which of their operations is which of ours: by operationId, then by what path and method have in common.

A match by path is a guess. It is made only where nothing else comes near, and a read is never matched with a call that
changes something, nor the other way round.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from rever_api.comparing.operations import Operation
from rever_api.comparing.values import plain
from rever_api.endpoints import Endpoint
from rever_api.requests import EFFECTS

_LIKELY = 0.8
_NEAR = 0.05
_VERSION = re.compile(r"v\d+(_\d+)?")


@dataclass(frozen=True)
class Matched:
    """Their operation for one of ours, or those that might be it."""

    theirs: Operation | None = None
    by_name: bool = False
    perhaps: tuple[Operation, ...] = field(default=())


def match(ours: Iterable[Endpoint], theirs: Iterable[Operation]) -> Mapping[str, Matched]:
    """One `Matched` for each of ours, by operationId. None of theirs is given to two of ours."""
    ours, left = list(ours), list(theirs)
    found: dict[str, Matched] = {}
    for spelt in (plain, _last_part):
        for endpoint in ours:
            same = [each for each in left if each.id and spelt(each.id) == plain(endpoint.operation)]
            if endpoint.operation not in found and len(same) == 1:
                found[endpoint.operation] = Matched(same[0], by_name=True)
                left.remove(same[0])
    return found | _by_path([each for each in ours if each.operation not in found], left)


def _by_path(ours: list[Endpoint], theirs: list[Operation]) -> dict[str, Matched]:
    scores = {(mine.operation, each): likeness(mine, each) for mine in ours for each in theirs}
    likely = {pair: score for pair, score in scores.items() if score >= _LIKELY}
    sure = {operation: each for operation, each in likely if not _rivals(operation, each, likely)}
    return {
        mine.operation: Matched(sure[mine.operation])
        if mine.operation in sure
        else Matched(
            perhaps=tuple(each for name, each in likely if name == mine.operation and each not in sure.values())
        )
        for mine in ours
    }


def _rivals(operation: str, each: Operation, likely: Mapping[tuple[str, Operation], float]) -> bool:
    """Whether one of the two is as likely, or nearly so, to belong to another."""
    least = likely[operation, each] - _NEAR
    return any(((name == operation) != (other == each)) and score > least for (name, other), score in likely.items())


def likeness(mine: Endpoint, other: Operation) -> float:
    """How much path and method have in common, 0 to 1."""
    if (mine.operation in EFFECTS) == (other.method == "GET"):
        return 0.0
    ours, theirs = _segments(mine.path), _segments(other.path)
    pairs = list(zip(reversed(ours), reversed(theirs), strict=False))
    if not pairs or [left == "{}" for left, _ in pairs] != [right == "{}" for _, right in pairs]:
        return 0.0
    alike = [SequenceMatcher(None, left, right).ratio() for left, right in pairs if left != "{}"]
    if not alike:
        return 0.0
    # The last word says what is done, so it counts twice.
    path = (sum(alike) + alike[0]) / (len(alike) + 1) - 0.1 * abs(len(ours) - len(theirs))
    return max(0.0, 0.8 * path + (0.2 if mine.method == other.method else 0.0))


def _segments(path: str) -> list[str]:
    words = ["{}" if word.startswith("{") else word.lower() for word in path.strip("/").split("/")]
    return [word for word in words if not _VERSION.fullmatch(word)]


def _last_part(operation_id: str) -> str:
    """What a gateway writes behind its service's name: ProcessesAPI_SearchReturnProcesses."""
    return plain(re.split(r"[_./:-]", operation_id)[-1])
