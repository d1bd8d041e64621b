"""The tables that `make bench` prints."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from tests.benchmarks.figures import BASES, AtLimit, Row, Team

_NO = "-"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table as in Markdown, its columns aligned."""
    widths = [max(len(str(row[place])) for row in (head, *rows)) for place in range(len(head))]
    for row in (head, ["-" * width for width in widths], *rows):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"


def throughput_lines(rows: Sequence[Row], absent: Mapping[str, str]) -> Iterator[str]:
    """Returns per second, and how many times each peer's."""
    bases = [base for base in BASES if any(base in row.ratios or row.name == base for row in rows)]
    head = [
        "contender",
        "returns",
        "returns/s",
        "all rounds",
        "cores",
        "CPU ms/return",
        *(f"x {base}" for base in bases),
    ]
    yield from table(head, [_cells(row, bases) for row in rows])
    for name, why in absent.items():
        yield f"{name}: not measured, {why}"


def _cells(row: Row, bases: Sequence[str]) -> list[str]:
    rounds = " ".join(f"{rate:.0f}" for rate in row.rates)
    ratios = [f"{row.ratios[base]:.2f}" if base in row.ratios else _NO for base in bases]
    own = [f"{row.rate:.1f}", rounds, f"{row.cores:.2f}", f"{1000 * row.cores / row.rate:.1f}"]
    return [row.words, str(row.returns), *own, *ratios]


def share_lines(told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Shares of the CPU time, and calls per return."""
    if not told:
        return
    layers = list(next(iter(told.values()))["shares"])
    head = ["run", *layers, "Prefect calls/return", "REVER calls/return"]
    rows = []
    for name, each in told.items():
        shares = [f"{100 * each['shares'][layer]:.0f} %" for layer in layers]
        calls = [f"{each[kind] / each['returns']:.3f}" for kind in ("prefect_calls", "rever_calls")]
        rows.append([name, *shares, *calls])
    yield from table(head, rows)


def claim_lines(told: Mapping[str, Mapping[int, float]]) -> Iterator[str]:
    """Claims per second by database and writers."""
    writers = list(next(iter(told.values())))
    head = ["claims/s", *(f"{count} writers" for count in writers)]
    yield from table(head, [[name, *(f"{rates[count]:.0f}" for count in writers)] for name, rates in told.items()])


def growth_lines(told: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Time and memory by size, and both beside the smallest."""
    first = told[0]
    rows = []
    for each in told:
        per_return = each["seconds"] / each["returns"]
        rows.append(
            [
                f"{each['returns']}",
                f"{each['seconds']:.1f}",
                f"{1000 * per_return:.2f}",
                f"{per_return * first['returns'] / first['seconds']:.2f}",
                f"{each['max_rss_mib']:.0f}",
                f"{each['max_rss_mib'] / first['max_rss_mib']:.2f}",
            ]
        )
    yield from table(["returns", "s", "ms/return", "x first", "peak MiB", "x first"], rows)


def team_lines(made: Sequence[Team]) -> Iterator[str]:
    """Returns per second by the number of workers, and beside one."""
    first = made[0]
    rows = [
        [
            str(team.workers),
            str(team.returns),
            f"{team.seconds:.1f}",
            f"{team.rate:.1f}",
            f"{team.rate / first.rate:.2f}",
            f"{1000 * team.cpu / team.returns:.1f}",
        ]
        for team in made
    ]
    yield from table(["workers", "returns", "s", "returns/s", "x first", "CPU ms/return, all workers"], rows)


def limit_lines(told: AtLimit) -> Iterator[str]:
    """The share of the ideal."""
    head = ["requests/s served", "returns", "s", "ideal s", "share of the ideal", "answers 429"]
    row = [f"{told.rate:g}", str(told.returns), f"{told.seconds:.1f}", f"{told.ideal:.1f}"]
    yield from table(head, [[*row, f"{100 * told.share:.1f} %", f"{told.refused} of {told.requests}"]])


def event_lines(told: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Median and worst of what the test of the webhooks measured."""
    rows = [[name, str(len(s)), f"{median(s):.3f}", f"{max(s):.3f}"] for name, s in told.items()]
    yield from table(["", "events", "median", "worst"], rows)


def start_lines(told: Mapping[str, float]) -> Iterator[str]:
    """Seconds until something starts."""
    yield from table(["start", "s"], [[name, f"{seconds:.2f}"] for name, seconds in told.items()])
