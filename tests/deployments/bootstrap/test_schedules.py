"""The schedules of prefect.yaml over the doubled and the missing hour, by Prefect's own code: none twice, none lost."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule

from deployments.bootstrap.deployments import PREFECT_FILE, ScheduleEntry, read_entries

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


def test_the_three_schedules_are_as_often_as_the_design_says_and_act_in_the_open() -> None:
    assert {name: entry.interval.total_seconds() / 60 for name, entry in SCHEDULES.items()} == {
        "process-pending-returns/every-10-minutes": 10,
        "generate-labels/every-15-minutes": 15,
        "reconcile/hourly": 60,
    }
    assert {str(entry.parameters.parameters["mode"]) for entry in SCHEDULES.values()} == {"act"}
