"""A file of deployments with something wrong in it: the sentence names the entry, what was found, what is right."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

from deployments.bootstrap.deployments import PREFECT_FILE, ScheduleEntry, read_entries
from deployments.bootstrap.objects import PrefectFileError
from flows.catalog import FLOWS

VARIABLES = {"rever_time_zone": "Europe/Madrid"}
ENTRY = """
deployments:
  - name: reconcile
    entrypoint: flows.reconcile.reconcile
    version: 0.1.0
    work_pool: {name: rever}
"""
SCHEDULE = "slug: s, interval: 60, anchor_date: 2026-01-01T00:00:00+00:00, timezone: UTC"


def problem(tmp_path: Path, text: str) -> str:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(PrefectFileError) as found:
        read_entries(file, VARIABLES)
    return str(found.value).removeprefix(f"{file}")


def test_every_flow_is_a_deployment_of_its_name_and_the_packages_version() -> None:
    entries = read_entries(PREFECT_FILE, VARIABLES)
    assert {entry.name for entry in entries} >= set(FLOWS)
    assert {entry.version for entry in entries} == {version("rever-returns")}


def test_each_entry_of_the_file_is_four_to_eight_lines() -> None:
    entries = PREFECT_FILE.read_text().partition("\ndeployments:\n")[2].strip("\n").split("\n\n")
    lines = [[line for line in entry.splitlines() if not line.strip().startswith("#")] for entry in entries]
    assert len(entries) >= len(FLOWS)
    assert [entry for entry in lines if not 4 <= len(entry) <= 8] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "cannot be read: while parsing"),
        ("name: x", "names no deployments: a list `deployments:` is needed"),
        (
            ENTRY + ENTRY.partition("deployments:\n")[2],
            "the name reconcile is there twice; each deployment needs its own",
        ),
        (ENTRY.replace("version", "versoin"), "deployment reconcile: version: Field required; versoin: Extra inputs"),
        (ENTRY.replace("reconcile.reconcile", "none.none"), "'flows.none.none' is not one of our flows; write it like"),
        (ENTRY + "    parameters: {parameters: {store: acme}}", "parameters: store: Extra inputs are not permitted"),
        (ENTRY + "    parameters: {parameters: {mode: go}}", "mode: Input should be 'plan' or 'act'"),
        (ENTRY + "    tags: ['{{ prefect.variables.x }}']", "the variable x is not known; there are rever_time_zone"),
        (ENTRY + "    concurrency_limit: {limit: 0}", "concurrency_limit.limit: Input should be greater than or equal"),
        (ENTRY + "    concurrency_limit: {limit: 1, collision_strategy: WAIT}", "collision_strategy: Input should be"),
        (
            ENTRY + "    parameters: {parameters: {stores: [acme]}}\n"
            f"    schedules: [{{{SCHEDULE}, parameters: {{parameters: {{mode: act}}}}}}]",
            "schedule s: its parameters replace the deployment's as a whole, so say stores there too",
        ),
        (
            ENTRY.replace("flows.reconcile.reconcile", "flows.process_return.process_return")
            + f"    schedules: [{{{SCHEDULE}}}]",
            "schedule s: parameters: process_id: Field required",
        ),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    assert said in problem(tmp_path, text)


def test_a_form_that_needs_a_persons_word_may_lack_it(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    entry = ENTRY.replace("flows.reconcile.reconcile", "flows.answer_holds.answer_holds")
    file.write_text(entry + "    parameters: {parameters: {stores: [acme]}}\n")
    assert read_entries(file, VARIABLES)[0].parameters.parameters == {"stores": ["acme"]}


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(PrefectFileError, match=r"cannot be read: .*No such file"):
        read_entries(tmp_path / "none.yaml", VARIABLES)


ZONE = "Europe/Madrid"
LOOP, AT_LEAST, AHEAD, AT_MOST = timedelta(minutes=1), 3, timedelta(hours=1), 100
"""How Prefect's scheduler goes about it: once a minute, from now on, three runs and an hour ahead or more."""
CHANGES = {
    "doubled hour of 2026": datetime(2026, 10, 25, 1, tzinfo=UTC),
    "missing hour of 2027": datetime(2027, 3, 28, 1, tzinfo=UTC),
    "doubled hour of 2027": datetime(2027, 10, 31, 1, tzinfo=UTC),
}
SCHEDULES = {
    f"{entry.name}/{schedule.slug}": schedule
    for entry in read_entries(PREFECT_FILE, {"rever_time_zone": ZONE})
    for schedule in entry.schedules
}


def scheduled(schedule: IntervalSchedule | CronSchedule, since: datetime, until: datetime) -> list[datetime]:
    """The runs that the scheduler makes. A date it meets again is the same run: the date's text is the run's key."""
    runs: dict[str, datetime] = {}
    now = since
    while now < until:
        for made, date in enumerate(
            schedule._get_dates_generator(n=AT_MOST, start=now, end=now + timedelta(days=100)), start=1
        ):
            at = date.astimezone(UTC)
            if at >= now:  # what is found too late has its run too, but nobody would call it on time
                runs.setdefault(str(date), datetime.fromtimestamp(at.timestamp(), UTC))
            if made >= AT_LEAST and at >= now + AHEAD:
                break
        now += LOOP
    return sorted(at for at in runs.values() if at < until)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", SCHEDULES)
def test_no_slot_is_lost_and_none_comes_twice_when_clocks_change(name: str, change: str) -> None:
    entry: ScheduleEntry = SCHEDULES[name]
    assert entry.timezone == ZONE
    since, until = CHANGES[change] - timedelta(hours=2), CHANGES[change] + timedelta(hours=2)
    schedule = IntervalSchedule(interval=entry.interval, anchor_date=entry.anchor_date, timezone=entry.timezone)
    slots = int((until - since) / entry.interval)
    assert scheduled(schedule, since, until) == [since + entry.interval * count for count in range(slots)]


def test_cron_would_leave_out_an_hour() -> None:
    """Why the schedules are intervals. Where this fails, Prefect has changed, and cron would do."""
    change = CHANGES["doubled hour of 2026"]
    cron = CronSchedule(cron="*/10 * * * *", timezone=ZONE)
    met = scheduled(cron, change - timedelta(hours=2), change + timedelta(hours=2))
    assert [at for at in met if change < at < change + timedelta(hours=1)] == []


def test_the_schedules_are_as_often_as_the_docs_say_and_act_in_the_open() -> None:
    assert {name: entry.interval.total_seconds() / 60 for name, entry in SCHEDULES.items()} == {
        "process-pending-returns/every-10-minutes": 10,
        "generate-labels/every-15-minutes": 15,
        "import-inspections/every-10-minutes": 10,
        "track-parcels/hourly": 60,
        "chase-stale-returns/daily": 24 * 60,
        "reconcile/hourly": 60,
        "import-returns/every-10-minutes": 10,
        "archive-ledger/monthly": 30 * 24 * 60,
        "daily-report/daily": 24 * 60,
    }
    assert [name for name, entry in SCHEDULES.items() if not entry.active] == [
        "import-returns/every-10-minutes",
        "archive-ledger/monthly",
    ]
    acting = [entry for name, entry in SCHEDULES.items() if name != "daily-report/daily"]
    assert {str(entry.parameters.parameters["mode"]) for entry in acting} == {"act"}


def test_the_daily_report_comes_at_six_by_the_stores_clock_all_year() -> None:
    entry = SCHEDULES["daily-report/daily"]
    schedule = IntervalSchedule(interval=entry.interval, anchor_date=entry.anchor_date, timezone=entry.timezone)
    made = schedule._get_dates_generator(n=400, start=datetime(2026, 1, 1, tzinfo=UTC))
    assert {f"{date.astimezone(ZoneInfo(ZONE)):%H:%M}" for date in made} == {"06:00"}
