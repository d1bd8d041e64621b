"""What ends a run at every store."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from rever_api.messages import OtherClock
from tasks.desk import Desk, DeskError
from tasks.reporting.report import Mode, RunReport


async def test_a_clock_that_is_right_at_a_second_look_does_not_lift_what_ended_the_run_meanwhile() -> None:
    clocks = SimpleNamespace(ahead=timedelta(hours=1))

    async def asked_again(store: str) -> None:
        desk.halted, clocks.ahead = DeskError(f"another store ended the run while {store} was asked"), timedelta(0)

    rever: Any = SimpleNamespace(get_ecommerce_settings=asked_again)
    unused: Any = None
    report = RunReport("x")
    desk = Desk(unused, rever, unused, unused, Mode.ACT, unused, ("acme", "nordic"), report, cast("OtherClock", clocks))
    await desk._check_clock("acme")
    assert isinstance(desk.halted_at("nordic"), DeskError)
