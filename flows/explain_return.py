"""explain-return: the story of a return, found by whatever a person knows of it, as a page in Prefect's UI."""

from typing import ClassVar

from prefect import State, flow
from pydantic import Field

from flows.in_prefect import in_prefect, run_name
from flows.parameters import KEYS, FlowParameters, ReturnKey
from rever_api.errors import ReverError
from tasks.desk import Desk
from tasks.explain_return import MOST_STORIES, explain_returns
from tasks.find_returns import Match, find_returns, found_in_ledger
from tasks.lookup import Lookup, read_key
from tasks.policy.facts import counted
from tasks.reporting.story_report import StoryReport
from tasks.steps import about

NAME = "explain-return"


class Parameters(FlowParameters):
    """Explain a return: what REVER says, what was decided and sent and why, what it waits for, when it is looked at."""

    begins: ClassVar[bool] = True

    process_id: ReturnKey = Field(title="Return", description=f"{KEYS} Not an e-mail: Prefect would keep it.")

    def new_report(self, flow: str) -> StoryReport:
        """The report with which a run of the flow begins."""
        return StoryReport(flow)


async def work(desk: Desk, parameters: Parameters, report: StoryReport) -> None:
    """Find the return, or all of an order, and tell each story. Raises `NothingFoundError` where there is none."""
    key = read_key(parameters.process_id)
    with about(key.text):
        match = await _found(desk, report, key)
    report.stores = tuple(dict.fromkeys(found.store for found in match.returns))
    with about(counted(len(match.returns), "return")):
        report.stories = await explain_returns(desk, match.returns[:MOST_STORIES])
    report.seen = len(report.stories)
    if not key.is_id:
        report.notes.append(match.words)
    if left := match.returns[MOST_STORIES:]:
        report.notes.append(f"not shown here, ask for them one by one: {', '.join(found.process_id for found in left)}")


async def _found(desk: Desk, report: StoryReport, key: Lookup) -> Match:
    """What the key finds; where REVER cannot be asked, in the ledger alone. Raises the `ReverError` where it is not."""
    try:
        (match,) = await find_returns(desk, [key], desk.stores)
    except ReverError as error:
        known = found_in_ledger(desk.ledger, key, problem=f"REVER could not be asked: {error}")
        if known is None:
            raise
        report.notes.append(f"REVER could not be asked ({error}): the ledger alone tells; there may be more returns")
        return known
    return match


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def explain_return(parameters: Parameters) -> State[StoryReport]:
    """Tell the whole story of a return: a timeline of what REVER says and of all that this desk decided and sent.

    Writes nothing. The story is in the artifact `explain-return-story`.
    """
    return await in_prefect(NAME, work, parameters)
