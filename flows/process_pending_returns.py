"""process-pending-returns: search, decide, act, for all returns that can move."""

from prefect import State, flow

from flows.in_prefect import in_prefect, run_name
from flows.parameters import SearchParameters
from flows.sub_flows import (
    end_approvals,
    ending_approvals,
    fetch_some,
    named_ids,
    named_through,
    pay_from_the_rest,
    searched_through,
    settle,
    settle_own,
    settling,
)
from rever_api import share_of
from tasks.budget import Budget
from tasks.desk import Desk
from tasks.reporting.report import ReturnsReport

NAME = "process-pending-returns"


class Parameters(SearchParameters):
    """Process pending returns: refund, exchange or label every return that can move."""


async def work(desk: Desk, parameters: Parameters, report: ReturnsReport) -> None:
    """Settle what is open, end approvals that nobody gave in time, then take the returns as far as they can go now.

    These are the stores' running returns, the stores side by side, or those named, which go before others in their
    stores' shares of the rate.
    """
    report.stores = stores = desk.chosen(parameters.stores)
    named = await named_ids(desk, report, parameters.process_ids, parameters.stores)
    if named:
        with share_of("", urgent=True):
            await settle(desk, report, stores, named)
            await end_approvals(desk, report, stores, named)
            found = await fetch_some(desk, report, named[: parameters.max_returns])
            if parameters.max_amount is not None:
                desk.budget = Budget(parameters.max_amount, len({pending.store for pending in found}) or 1)
            await named_through(desk, report, found, f"{len(found)} by id")
            await pay_from_the_rest(desk, report)
    else:
        if parameters.max_amount is not None:
            desk.budget = Budget(parameters.max_amount, len(stores))
        before = await settling(desk, report, stores), await ending_approvals(desk, report, stores)
        await searched_through(desk, report, parameters, *before)
        await pay_from_the_rest(desk, report)
    await settle_own(desk, report, report.stores)


@flow(name=NAME, flow_run_name=run_name, retries=0, validate_parameters=True)
async def process_pending_returns(parameters: Parameters = Parameters()) -> State[ReturnsReport]:  # noqa: B008 - Prefect's form
    """Refund, exchange or label every pending return that can move now.

    Money moves only with mode `act`. A return that a machine should not decide about is held for a person.
    """
    return await in_prefect(NAME, work, parameters)
