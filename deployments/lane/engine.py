"""Prefect's engine, run in this process for a run that was claimed: the one place that uses it below its surface.

`prefect.flow_engine` is not documented surface; the bound `prefect<3.9` and the tests against a real server hold it.
"""

from dataclasses import dataclass
from typing import Any

from prefect.client.schemas.objects import FlowRun, State
from prefect.flow_engine import AsyncFlowRunEngine


@dataclass
class LaneEngine(AsyncFlowRunEngine[..., Any]):
    """The engine of one run. Sends the run's heartbeats by itself, holds its limits' slots, and reports its states.

    `unwanted` says why its asyncio task was cancelled: by a person, who then finds it Cancelled; else it is Crashed.
    """

    unwanted: bool = False

    async def handle_crash(self, exc: BaseException) -> None:
        """Report the run as Cancelled where a person cancelled it; as Crashed otherwise."""
        if self.unwanted:
            await self.handle_cancellation(exc)
        else:
            await super().handle_crash(exc)

    async def execute(self) -> State[Any]:
        """Execute the run to its end; answers its last state. A run that fails is an answer, not an error.

        Raises `prefect.exceptions.Abort` where the server refuses to let it begin, whatever keeps its end from being
        reported, and `asyncio.CancelledError`.
        """
        async with self.start():
            while self.is_running():
                async with self.run_context():
                    _ = await self.call_flow_fn()
        return self.state


def engine_for(flow: Any, run: FlowRun) -> LaneEngine:
    """The engine of this run. `flow` is a Prefect flow; the parameters are the run's, its form's model and all."""
    return LaneEngine(flow=flow, flow_run=run, parameters=dict(run.parameters))
