"""Rounds of both machines, each from a seed of its own, until enough steps are done."""

import sys
import time
import traceback

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.model.counts import COUNTS
from tests.model.liveness import Liveness
from tests.model.machine import Safety

MACHINES: dict[str, type[RuleBasedStateMachine]] = {"safety": Safety, "liveness": Liveness}
EXAMPLES, STEPS = 10, 40


def round_of(machine: type[RuleBasedStateMachine], number: int, *, examples: int, steps: int, shrink: bool) -> None:
    """Run so many examples of so many steps. Raises what was broken."""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    how = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=phases,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    named = type(machine.__name__, (machine,), {})
    run_state_machine_as_test(seed(number)(named), settings=how)


def rounds(steps: int, first: int, which: str, *, shrink: bool = True) -> int:
    """Run rounds until so many steps are done; print what was run. Answers an exit code."""
    began, number = time.monotonic(), first
    chosen = list(MACHINES) if which == "both" else [which]
    broken = False
    try:
        while COUNTS.steps < steps:
            for name in chosen:
                number += 1
                round_of(MACHINES[name], number, examples=EXAMPLES, steps=STEPS, shrink=shrink)
    except (AssertionError, ExceptionGroup) as problem:
        broken = True
        print(f"BROKEN in {name}, seed {number}")
        traceback.print_exception(problem, file=sys.stdout, limit=-3)
    print(f"seeds {first + 1} to {number}, {time.monotonic() - began:.0f} s")
    print(*COUNTS.lines(), sep="\n")
    return int(broken)
