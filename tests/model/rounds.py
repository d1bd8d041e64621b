"""Rounds of both machines, each from a seed of its own, until enough steps are done."""

import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.model.counts import COUNTS
from tests.model.machine import Liveness, Safety

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


def rounds(steps: int, first: int, which: str, *, shrink: bool = False) -> int:
    """Run rounds until so many steps are done; print what was run. Returns an exit code.

    What is broken is shown as it was found. With `shrink` a smaller example is looked for after that, which can take an
    hour.

    After each round it says on stderr how far it is: 10,000 steps take a quarter of an hour on a busy machine.
    """
    began, number, since = time.monotonic(), first, datetime.now(UTC)
    chosen = list(MACHINES) if which == "both" else [which]
    broken = False
    try:
        while COUNTS.steps < steps:
            for name in chosen:
                number += 1
                round_of(MACHINES[name], number, examples=EXAMPLES, steps=STEPS, shrink=False)
                took = time.monotonic() - began
                left = took / COUNTS.steps * max(0, steps - COUNTS.steps)
                far = f"{COUNTS.steps:,} of {steps:,} steps in {took:.0f} s, about {left:.0f} s left"
                print(f"{far} ({name}, seed {number})", file=sys.stderr, flush=True)
    except (AssertionError, ExceptionGroup) as problem:
        broken = True
        _show(problem, f"BROKEN in {name}, seed {number}")
    except KeyboardInterrupt:
        print("ended by hand")
    took = time.monotonic() - began
    said = [f"of {revision()}, {since:%F %H:%M} UTC, seeds {first + 1} to {number}, {took:.0f} s", *COUNTS.lines()]
    if broken and shrink:
        print("looking for a smaller example", file=sys.stderr, flush=True)
        try:
            round_of(MACHINES[name], number, examples=EXAMPLES, steps=STEPS, shrink=True)
        except (AssertionError, ExceptionGroup) as problem:
            _show(problem, "the same, made smaller")
    print(*said, sep="\n")
    return int(broken)


def _show(problem: Exception, title: str) -> None:
    print(title)
    traceback.print_exception(problem, file=sys.stdout, limit=-3)
    sys.stdout.flush()


def revision() -> str:
    """The commit that is run, and whether files differ from it."""
    try:
        told = subprocess.run(
            ("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"),
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "no known commit"
    return f"commit {told.stdout.strip()}"
