"""Start children in order, wait until each does its work, keep them alive, and end them in the opposite order."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from deployments.console.errors import CommandError
from deployments.up.child import Child, Spec

LOOK_EVERY_S = 0.1
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
STEADY_S = 60.0
"""A child that has run this long is no longer held to have just failed."""


class UpError(CommandError):
    """Something did not come up, or ended on its own; the sentence says what, why and where its log is."""


class StoppedError(Exception):
    """A person has asked for the end."""


@dataclass(slots=True)
class _Kept:
    """A child that is kept alive, and when it is started again after it has died."""

    child: Child
    pause_s: float = field(default_factory=lambda: FIRST_PAUSE_S / 2)
    again_at: float | None = None


class Supervisor:
    """The children, in the order in which they were started. `say` tells a person what happens to them."""

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self._logs, self._say = logs, say
        self._stages: list[list[_Kept]] = []
        self._signals = 0

    def stop(self) -> None:
        """Ask for the end; asked again, what still runs is killed at once. Safe to call from a signal."""
        self._signals += 1

    def start(self, specs: Iterable[Spec]) -> None:
        """Start these side by side, and return once all do their work. Raises `UpError`, `StoppedError`."""
        stage = [_Kept(Child(spec, self._logs)) for spec in specs]
        self._stages.append(stage)
        for kept in stage:
            kept.child.start()
        for kept in stage:
            self._until_healthy(kept.child)

    def run(self, spec: Spec) -> None:
        """Run this one to its end, which must be a good one. Raises `UpError`, `StoppedError`."""
        child = Child(spec, self._logs)
        self._stages.append([_Kept(child)])
        child.start()
        until = time.monotonic() + spec.patience_s
        while child.running:
            self._look(child, until)
        if child.ended:
            raise UpError(f"{spec.name} failed: {child.why_it_ended()} (log: {child.log})")
        self._stages.pop()

    def watch(self) -> NoReturn:
        """Keep all alive. Raises `StoppedError` when the end is asked for, `UpError` where a needed child has died."""
        while True:
            for kept in self._kept():
                self._keep(kept)
            if self._signals:
                raise StoppedError
            time.sleep(LOOK_EVERY_S)

    def end(self) -> None:
        """End all, the last started first; what does not end by itself in its time is killed."""
        for stage in reversed(self._stages):
            children = [kept.child for kept in stage]
            for child in children:
                child.tell_to_end()
            self._wait_for(children)
            for child in children:
                if child.running and self._signals <= 1:
                    self._say(f"{child.spec.name} did not end within {child.spec.grace_s:.0f} s and was killed")
                child.kill()
        self._stages.clear()

    def _wait_for(self, children: Sequence[Child]) -> None:
        asked, began = self._signals, time.monotonic()
        while any(c.running and time.monotonic() < began + c.spec.grace_s for c in children):
            if self._signals > max(asked, 1):
                return
            time.sleep(LOOK_EVERY_S)

    def _until_healthy(self, child: Child) -> None:
        until = time.monotonic() + child.spec.patience_s
        while not child.healthy():
            if child.ended is not None:
                raise UpError(f"{child.spec.name} did not come up: {child.why_it_ended()} (log: {child.log})")
            self._look(child, until)

    def _look(self, child: Child, until: float) -> None:
        if self._signals:
            raise StoppedError
        for kept in self._kept():
            if kept.child.spec.needed and kept.child.ended is not None:
                self._keep(kept)
        if time.monotonic() > until:
            raise UpError(f"{child.spec.name} took longer than {child.spec.patience_s:.0f} s (log: {child.log})")
        time.sleep(LOOK_EVERY_S)

    def _kept(self) -> list[_Kept]:
        return [kept for stage in self._stages for kept in stage]

    def _keep(self, kept: _Kept) -> None:
        child, now = kept.child, time.monotonic()
        if child.ended is None:
            return
        if child.spec.needed:
            raise UpError(f"{child.spec.name} has ended: {child.why_it_ended()} (log: {child.log})")
        if kept.again_at is None:
            kept.pause_s = self._pause(kept)
            kept.again_at = now + kept.pause_s
            child.kill()
            again = f"started again in {kept.pause_s:.0f} s"
            self._say(f"{child.spec.name} has ended: {child.why_it_ended()}; {again} (log: {child.log})")
        elif now >= kept.again_at:
            kept.again_at = None
            child.start()

    @staticmethod
    def _pause(kept: _Kept) -> float:
        steady = time.time() - kept.child.began > STEADY_S + kept.pause_s
        return FIRST_PAUSE_S if steady else min(2 * kept.pause_s, LONGEST_PAUSE_S)
