"""Returns per second, contender beside contender: interleaved rounds, medians, and ratios within a round."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.benchmarks.children import Surroundings, answer_of, environment
from tests.benchmarks.contenders import CONTENDERS, Contender
from tests.benchmarks.served import WrongBooksError, served

BASES = ("plain", "plain-ours", "dbos", "dbos-postgres", "tutorial")


@dataclass(frozen=True, slots=True)
class Row:
    """One contender over all rounds. `ratios`: base -> median of the ratios to that base in the same round."""

    name: str
    words: str
    returns: int
    rates: tuple[float, ...]
    cores: float
    max_rss_mib: float
    ratios: dict[str, float]

    @property
    def rate(self) -> float:
        """The median of the rounds, in returns per second."""
        return median(self.rates)


def once(contender: Contender, returns: int, around: Surroundings) -> dict[str, Any]:
    """Let one contender do the job against a fresh sandbox, and audit it. Raises `WrongBooksError`."""
    count = min(returns, contender.most or returns)
    with served(count) as target:
        with environment(contender, target, around) as (env, folder):
            told = answer_of(["tests.benchmarks.contenders", contender.name], env, folder)
        try:
            target.audit()
        except WrongBooksError as wrong:
            raise WrongBooksError(f"{contender.name}: {wrong}") from None
    return told | {"rate": count / told["seconds"], "returns": count}


def throughput(
    names: Sequence[str], returns: int, rounds: int, around: Surroundings
) -> tuple[list[Row], dict[str, str]]:
    """All contenders in each round, each round in another order; and those that could not take part, and why."""
    absent = {name: why for name in names if (why := around.missing(CONTENDERS[name]))}
    there = [name for name in names if name not in absent]
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in there}
    for number in range(rounds):
        for place in range(len(there)):
            name = there[(place + number) % len(there)]
            told[name].append(once(CONTENDERS[name], returns, around))
            print(f"  round {number + 1}: {name:16} {told[name][-1]['rate']:8.1f} returns/s", flush=True)
    rates = {name: [each["rate"] for each in rounds_of] for name, rounds_of in told.items()}
    return [_row(name, told[name], rates) for name in there], absent


def _row(name: str, told: list[dict[str, Any]], rates: dict[str, list[float]]) -> Row:
    return Row(
        name=name,
        words=CONTENDERS[name].words,
        returns=told[0]["returns"],
        rates=tuple(rates[name]),
        cores=median(each["cpu"] / each["seconds"] for each in told),
        max_rss_mib=median(each["max_rss_mib"] for each in told),
        ratios=ratios(rates[name], {base: rates[base] for base in BASES if base in rates and base != name}),
    )


def ratios(mine: Sequence[float], others: dict[str, list[float]]) -> dict[str, float]:
    """Base -> the median over rounds of my rate by that of the base in the same round."""
    return {base: median(a / b for a, b in zip(mine, theirs, strict=True)) for base, theirs in others.items()}
