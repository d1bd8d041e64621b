"""Many returns as runs of a deployment that both workers of `up` take from, and what became of them."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dotenv import dotenv_values
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError

from flows.process_pending_returns import NAME
from tasks.desk import utc_now
from tasks.ledger import Ledger
from tasks.settings.addresses import account_of
from tests.books import LedgerState
from tests.ui.running_up import Up

LAST_LINES = 15
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass
class Work:
    """The runs of one deployment at this `up`."""

    up: Up
    client: SyncPrefectClient
    deployment: UUID

    def run(self, mode: str = "act", **form: Any) -> FlowRun:
        """Make a run, for whichever worker takes it first."""
        parameters = {"parameters": {"mode": mode, **form}}
        return self.client.create_flow_run_from_deployment(self.deployment, parameters=parameters)

    def states(self, runs: Sequence[FlowRun]) -> Counter[str]:
        """How many runs are in which state; nothing while a busy server does not answer."""
        these = FlowRunFilter(id=FlowRunFilterId(any_=[run.id for run in runs]))
        try:
            found = self.client.read_flow_runs(flow_run_filter=these)
        except PrefectHTTPStatusError as error:
            if error.response.is_server_error:
                return Counter()
            raise
        return Counter(run.state.type.value for run in found if run.state)

    def ended(self, runs: Sequence[FlowRun]) -> bool:
        """Whether all of them have come to an end."""
        states = self.states(runs)
        return states.total() == len(runs) and set(states) <= ENDED

    def seen(self, runs: Sequence[FlowRun]) -> str:
        """What is known of the runs that have not ended, and the last lines of every log."""
        lines: list[str] = []
        for run in runs:
            states = self.client.read_flow_run_states(run.id)
            if states[-1].type.value not in ENDED:
                told = [f"  {state.timestamp:%H:%M:%S} {state.name} {state.message or ''}" for state in states]
                lines += [f"{run.id}", *told]
        for log in sorted((self.up.folder / ".up" / "logs").glob("*.log")):
            lines += [f"-- {log.name}", *log.read_text(errors="replace").splitlines()[-LAST_LINES:]]
        return "\n".join(lines)

    def takers(self, runs: Sequence[FlowRun]) -> Counter[str]:
        """Worker -> how many of the runs it took, by the workers' own logs."""
        taken: Counter[str] = Counter()
        for log in sorted((self.up.folder / ".up" / "logs").glob("worker-*.log")):
            text = log.read_text(errors="replace")
            taken[log.stem] = sum(bool(re.search(rf"submitt\w+.*{run.id}", text, re.IGNORECASE)) for run in runs)
        return taken

    def ledger(self) -> LedgerState:
        """What this desk's ledger holds."""
        desk = self.variables()
        url, account = desk["REVER_LEDGER_URL"], account_of(desk["REVER_BASE_URL"])
        with closing(Ledger.open(url, account=account, clock=utc_now, read_only=True)) as ledger:
            return ledger.read(LedgerState.read)

    def variables(self) -> dict[str, str]:
        """What another process needs to work at this desk."""
        written = dotenv_values(self.up.folder / ".up" / "sandbox" / "desk.env")
        return {name: value for name, value in written.items() if value is not None}


@contextmanager
def work_at(up: Up) -> Iterator[Work]:
    """A deployment of process-pending-returns without schedule and limit, taken away at the end of the block."""
    with up.client() as client:
        like = client.read_deployment_by_name(f"{NAME}/{NAME}")
        made = client.create_deployment(
            like.flow_id, "scale", work_pool_name=like.work_pool_name, work_queue_name=like.work_queue_name,
            entrypoint=like.entrypoint, path=like.path, pull_steps=like.pull_steps, job_variables=like.job_variables,
            tags=like.tags, parameter_openapi_schema=like.parameter_openapi_schema,
        )  # fmt: skip
        yield Work(up, client, made)
        client.delete_deployment(made)
