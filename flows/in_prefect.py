"""What every flow does around its work when Prefect runs it: its name, tags, artifacts, events and last state."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID

import httpx
from prefect import Flow, State, get_client, get_run_logger
from prefect.artifacts import Artifact, MarkdownArtifact, ProgressArtifact, TableArtifact, aupdate_progress_artifact
from prefect.client.orchestration import PrefectClient
from prefect.context import FlowRunContext
from prefect.exceptions import PrefectException
from prefect.runtime import deployment, flow_run
from prefect.states import Completed, Failed
from sqlalchemy import Connection

from flows.parameters import FlowParameters, StoresParameters
from flows.run import BEGUN, P, R, RunFailedError, Work, timed
from tasks.answer_hold import list_mark, of_cause
from tasks.desk import Desk, UnfitPolicyError, utc_now
from tasks.in_prefect.credentials import stated_by
from tasks.in_prefect.events import LATELY, hold_events, parcel_events, pause_events, policy_event, send, stale_events
from tasks.in_prefect.global_limits import standing_limits
from tasks.in_prefect.quiet import quiet_or_unknown
from tasks.in_prefect.ui_links import NO_LINKS, UiLinks, this_ui, ui_links, write_holds
from tasks.ledger import HoldRow, Pause, held_since, open_holds, opened_by, pauses_of
from tasks.policy.policy_file import PolicyFileError
from tasks.reporting.backtest_report import BacktestReport
from tasks.reporting.daily_report import DailyRun
from tasks.reporting.holds_page import Cause, holds_page
from tasks.reporting.parcels_report import ParcelsReport
from tasks.reporting.printable import markdown, printable
from tasks.reporting.report import MANY_STORES, Mode, ReturnsReport, RunReport
from tasks.reporting.report_page import report_page, returns_table, shadow_table, stale_table, stores_table
from tasks.reporting.stale_report import StaleReport
from tasks.reporting.story_report import StoryReport
from tasks.settings import load_settings
from tasks.steps import as_tasks, global_limits, limits_note, presentable, some

SHOWN_WITHIN_S = 20.0
"""Seconds in which the pages of open holds must be written; the run's end waits no longer for them."""

PROGRESS_EVERY_S = 5.0
"""Seconds between two looks at how far a run is, and how long one goes before it has a progress artifact."""

MOST_TIMES = 5
"""How often one page is written at a run's end while other runs change what it shows."""

LAST_WORDS_S = 8.0
"""A run that is told to end has this long to leave its artifacts: a worker kills it after 10 s and more."""

LAST_PAGES_S = 3.0
"""How much of that the pages of open holds may take; the next run writes them anew."""

PAGES_AT_ONCE = 4
"""Pages of open holds that are written at the same time."""

MOST_ROWS = 500
"""Rows of a table; the ledger has all."""

MANY = 3
"""Stores that a run's name lists; more are counted."""


def run_name() -> str:
    """The name a run starts with: flow, what it is about, and mode. Stores and count follow when they are known."""
    form = flow_run.parameters.get("parameters")
    values = form.model_dump() if isinstance(form, FlowParameters) else dict(form or {})
    one = values.get("process_id") or values.get("hold_id") or values.get("store")
    about = one or _stores(values.get("stores") or ()) or "all stores"
    context = FlowRunContext.get()
    planned = context is None or context.flow is None or _has_mode(context.flow)
    return f"{flow_run.flow_name} {about} {values.get('mode', Mode.PLAN) if planned else ''}".rstrip()


def _has_mode(flow: Flow[..., Any]) -> bool:
    """Whether a run of the flow can be a plan: a form that came over the API leaves out what stands at its default."""
    form = flow.fn.__annotations__["parameters"]
    return "mode" in form.model_fields


async def in_prefect(name: str, work: Work[P, R], parameters: P) -> State[R]:
    """Run a flow's work with Prefect's tasks around its steps, and leave name, tags, artifacts and events behind.

    The state says in a sentence what was done, and carries the report: who awaits the flow gets the report. Where the
    set-up is wrong, a store was given up, or too much failed of our own fault, the state is Failed, says so, and
    carries the error. A run that began leaves its artifacts however it ends; where it is cancelled or its process is
    told to end, as far as there is time.
    """
    ending = Ending(parameters)
    try:
        report = await _worked(name, work, parameters, ending)
    except Exception as error:  # noqa: BLE001 - Prefect would keep its text, which may quote a shopper
        shown = presentable(error)
        get_run_logger().error("%s", printable(str(shown)))
        await ending.tell()
        if ending.report is None:
            await _tell_of_policy(shown)
            return Failed(message=printable(f"{name} stopped: {shown}"), data=shown)
        await _show(ending.report, parameters)
        return Failed(message=printable(f"{name} stopped: {shown} ({ending.report.sentence()})"), data=shown)
    except BaseException:
        if ending.report is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S - LAST_PAGES_S):
                    await _show(ending.report, parameters)
                    await ending.tell()
        raise
    await ending.tell()
    await _show(report, parameters)
    if report.failed:
        failed = RunFailedError(report)
        return Failed(message=printable(f"{failed} ({report.sentence()})"), data=failed)
    return Completed(message=printable(report.sentence()), data=report)


async def _tell_of_policy(error: Exception) -> None:
    """Emit an event where a run did not begin because of the policy file: each run reads it anew, and none goes on
    without it.
    """
    if isinstance(error, PolicyFileError | UnfitPolicyError):
        problems = error.problems if isinstance(error, PolicyFileError) else (str(error),)
        await send([policy_event(problems, utc_now(), flow_run_id=flow_run.id or "")])


async def _worked(name: str, work: Work[P, R], parameters: P, ending: "Ending") -> R:
    stated = await stated_by(parameters.credentials)
    settings = load_settings(overrides=stated, source=f"credentials block {parameters.credentials!r}" if stated else "")
    limits = await standing_limits(global_limits()) if deployment.id else {}
    begun = BEGUN.get()
    begun = [] if begun is None else begun
    token = BEGUN.set(begun)
    try:
        async with _progress_shown(name, begun):
            with as_tasks(limits):
                return await timed(
                    name,
                    work,
                    parameters,
                    flow_run.id or "",
                    settings=settings,
                    at_end=ending.look,
                    limits=limits_note(limits),
                )
    finally:
        BEGUN.reset(token)


@asynccontextmanager
async def _progress_shown(flow: str, begun: Sequence[RunReport]) -> AsyncIterator[None]:
    """Keep a progress artifact of a run that takes longer than `PROGRESS_EVERY_S`; a shorter one needs none."""
    made: list[UUID] = []
    watching = asyncio.create_task(_keep_progress(flow, begun, made))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    if made:
        with suppress(TimeoutError):
            async with asyncio.timeout(PROGRESS_EVERY_S):
                await _tell_progress(flow, begun[0], made)


async def _keep_progress(flow: str, begun: Sequence[RunReport], made: list[UUID]) -> None:
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        if begun and begun[0].progress.found:
            await _tell_progress(flow, begun[0], made)


async def _tell_progress(flow: str, report: RunReport, made: list[UUID]) -> None:
    """Write how far the run is; one that cannot be written is left to the next time, for it only shows."""
    percent = round(100 * report.progress.share, 1)
    words = f"{flow}: {markdown(report.progress.words)}"
    try:
        async with get_client() as client:
            if made:
                await aupdate_progress_artifact(made[0], percent, words, client=client)
            else:
                artifact = ProgressArtifact(progress=percent, key=f"{flow}-progress", description=words)
                made.append((await artifact.acreate(client=client)).id)
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().debug("Prefect did not keep the progress: %s", type(error).__name__)


class Ending:
    """What the ledger says at the end of a run: the holds it opened, the stores it paused, and what is open there."""

    def __init__(self, parameters: FlowParameters) -> None:
        self._whole_stores = isinstance(parameters, StoresParameters)
        self._credentials = parameters.credentials
        self.links = NO_LINKS
        self.opened: list[HoldRow] = []
        self.recent: list[HoldRow] = []
        self.paused: list[Pause] = []
        self.refused: dict[str, tuple[str, ...]] = {}
        self.report: RunReport | None = None

    async def look(self, desk: Desk, report: RunReport) -> None:
        """Read it. Raises `LedgerError`."""
        self.report = report
        self.refused = {store: why for store in report.stores if (why := desk.policies.refused.get(store))}
        if desk.mode is Mode.ACT and flow_run.id:
            self.opened = await desk.ledger.aread(opened_by, flow_run.id)
            if self.opened:
                stores, since = {hold.store for hold in self.opened}, desk.clock() - LATELY
                self.recent = [it for it in await desk.ledger.aread(open_holds, stores) if it.since >= since]
            began, pauses = desk.began_at, await desk.ledger.aread(pauses_of, desk.stores, desk.clock())
            self.paused = [pause for pause in pauses if began is not None and pause.since >= began]
        within = LAST_PAGES_S if report.cut_off else SHOWN_WITHIN_S
        await self._show_open_holds(desk, report.stores if self._whole_stores else (), within)
        links = self.links if self.links.ui else this_ui()
        report.holds_pages = {store: page for store in report.stores if (page := links.page(store))}

    async def _show_open_holds(self, desk: Desk, gone_through: Sequence[str], within_s: float) -> None:
        """Write the page of open holds anew for these stores, and for those at which one changed since the run began.

        The latter come first, where there are more stores than there is time for.
        """
        changed: set[str] = set()
        if desk.mode is Mode.ACT and desk.began_at is not None:
            changed = await desk.ledger.aread(held_since, desk.began_at)
        stores = [*sorted(changed), *sorted(set(gone_through) - changed)]
        if not stores:
            return
        try:
            async with asyncio.timeout(within_s), get_client() as client:
                self.links = links = await ui_links(client, (), self._credentials)
                quiet = await quiet_or_unknown(client, desk.clock()) if links.ui else []

                async def show(store: str) -> None:
                    silent = [it.words for it in quiet if it.concerns(store)]
                    if (written := await _write_page(client, desk, store, links, silent)) is not None:
                        self.links = replace(self.links, pages={**self.links.pages, store: written})

                await some(PAGES_AT_ONCE, stores, show)
        except (httpx.HTTPError, PrefectException, TimeoutError) as error:
            get_run_logger().warning("Prefect did not keep the page of open holds: %s", type(error).__name__)

    async def tell(self) -> None:
        """Emit the events of the holds that were opened and of the stores that were paused."""
        run, back_office = flow_run.id or "", self.report.back_office if self.report else ""
        zones = self.report.zones if self.report else {}
        held = hold_events(self.opened, self.recent, flow_run_id=run, back_office=back_office, links=self.links)
        stopped = self.report.told if isinstance(self.report, ParcelsReport) else ()
        told = parcel_events(stopped, utc_now(), zones=zones, flow_run_id=run)
        if isinstance(self.report, StaleReport):
            told += stale_events(self.report.told, utc_now(), zones=zones, flow_run_id=run, back_office=back_office)
        if self.refused:
            problems = list(dict.fromkeys(problem for why in self.refused.values() for problem in why))
            told.append(policy_event(problems, utc_now(), flow_run_id=run, stores=list(self.refused)))
        await send([*held, *pause_events(self.paused, zones=zones, flow_run_id=run), *told])


async def _write_page(
    client: PrefectClient, desk: Desk, store: str, links: UiLinks, silent: Sequence[str]
) -> UUID | None:
    """Write a store's page of open holds; where it is.

    It is read again once it is written: of two runs that end at the same time, the one that writes last has read last.
    """
    written: UUID | None = None
    shown = None
    for _ in range(MOST_TIMES):
        now = desk.clock()
        found = await desk.ledger.aread(_waits, store, now)
        if found == shown:
            break
        shown = found
        page = open_holds_page(store, *found, links, desk.settings.back_office, now, silent, desk.report.zone(store))
        written = await write_holds(client, store, page)
    return written


def _waits(conn: Connection, store: str, now: datetime) -> tuple[list[HoldRow], list[Pause]]:
    return open_holds(conn, [store]), pauses_of(conn, [store], now)


async def _show(report: RunReport, parameters: FlowParameters) -> None:
    """Name, tags and artifacts of the run. What was done is done: where they cannot be kept, the log says so."""
    about = [str(getattr(parameters, "process_id", "")) or report.counted]
    tags = {*flow_run.tags, *(f"store:{store}" for store in _tagged(report))}
    if isinstance(report, ReturnsReport):
        about.insert(0, report.mode)
        tags.add(f"mode:{report.mode}")
        if any(row.hold_open for row in report.rows.values()):
            tags.add("held")
    name = " ".join([report.flow, _stores(report.stores), *about])
    try:
        async with get_client() as client:
            for artifact in artifacts_of(report):
                await artifact.acreate(client=client)
            await client.update_flow_run(flow_run.id, name=name, tags=sorted(tags))
    except (httpx.HTTPError, PrefectException) as error:
        get_run_logger().warning("Prefect did not keep all of the report: %s", type(error).__name__)


def _tagged(report: RunReport) -> Sequence[str]:
    """The stores after which a run is tagged: its own; of many those at which something went wrong, as far as can be
    read.
    """
    if len(report.stores) <= MANY_STORES:
        return report.stores
    wrong = [store for store in report.ordered_stores() if report.state_of(store) or report.told_of(store).failures]
    return wrong[:MANY_STORES]


def _stores(stores: list[str] | tuple[str, ...]) -> str:
    return "+".join(stores) if len(stores) <= MANY else f"{len(stores)} stores"


def artifacts_of(report: RunReport) -> list[Artifact]:
    """The artifacts of a run itself: what was done, and of a run over returns also return by return.

    Keys are stable, so that the UI shows under each the newest and those before it. Prefect renders the cells of a
    table as markdown.
    """
    flow = report.flow
    page = MarkdownArtifact(markdown=report_page(report), key=f"{flow}-report", description=f"{flow}: what was done")
    made: list[Artifact] = [page]
    if len(report.stores) > 1 and report.by_store:
        told = f"{flow}: store by store, those first at which something went wrong"
        made.append(_table(stores_table(report), f"{flow}-stores", told))
    if isinstance(report, StoryReport) and report.stories:
        told = f"{flow}: what REVER says, what was decided, sent and held, and what comes next"
        made.append(MarkdownArtifact(markdown=report.page, key=f"{flow}-story", description=told))
    if isinstance(report, BacktestReport) and report.found is not None:
        told = f"{flow}: what the candidate would have paid otherwise, and by which rule"
        made.append(MarkdownArtifact(markdown=report.page, key=f"{flow}-result", description=told))
    if isinstance(report, DailyRun) and report.found is not None:
        told = f"{flow}: what was paid, what waits and how long it took"
        made.append(MarkdownArtifact(markdown=report.page, key=f"{flow}-tables", description=told))
    if isinstance(report, StaleReport):
        made.append(_table(stale_table(report, MOST_ROWS), f"{flow}-list", f"{flow}: what stands still, oldest first"))
    elif isinstance(report, ReturnsReport):
        made.append(_table(returns_table(report, MOST_ROWS), f"{flow}-returns", f"{flow}: return by return"))
        if report.shadow and report.shadow.differing:
            told = f"{flow}: what the shadow policy {report.shadow.name} decides otherwise"
            made.append(_table(shadow_table(report, MOST_ROWS), f"{flow}-shadow", told))
    for name, rows in report.tables.items():
        cells = [{column: markdown(value) for column, value in row.items()} for row in rows]
        made.append(_table(cells, f"{flow}-{name}", f"{flow}: {name}"))
    return made


def open_holds_page(
    store: str,
    holds: Sequence[HoldRow],
    pauses: Sequence[Pause],
    links: UiLinks,
    back_office: str,
    now: datetime,
    quiet: Sequence[str] = (),
    zone: tzinfo = UTC,
) -> str:
    """What waits for a person at one store, with the forms of the answers, and above it what went quiet.

    Times are those of the store's zone.
    """
    forms = {hold.hold_id: form for hold in holds if (form := links.answers(hold))}
    causes = []
    for rule, many in Counter(hold.rule for hold in holds).most_common():
        if many > 1:
            alike = of_cause(holds, rule)
            causes.append(Cause(rule, len(alike), links.cause(rule, store, list_mark(alike))))
    stopped = [*quiet, *(it.words(zone) for it in pauses)]
    return holds_page(store, holds, forms, causes, stopped, back_office, now, zone)


def _table(rows: Iterable[dict[str, str]], key: str, description: str) -> TableArtifact:
    return TableArtifact(table=[dict(row) for row in rows], key=key, description=description)
