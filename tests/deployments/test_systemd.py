"""The units: their commands are the project's, systemd takes them, and no part can do more than it must."""

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.known import INSTALLED, UNITS, check
from tests.docs.pages import ROOT

SERVICES = sorted(UNITS.glob("*.service"))
COMMON = UNITS / "rever-returns-.service.d" / "common.conf"


def lines(file: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", file.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_what_it_starts_is_a_command_that_could_run(unit: Path) -> None:
    started = lines(unit, "ExecStart")
    assert started
    for line in started:
        words = shlex.split(line.replace("%%", "%"))
        if words[0] == "/bin/sh":
            ((_, inner),) = [words[1:]]
            words = shlex.split(inner.removeprefix("exec "))
        if words[0].startswith(INSTALLED):
            check(tuple(words))
        else:
            assert words[0] in {"/bin/mkdir", "/usr/bin/find"}


def test_every_part_has_its_unit() -> None:
    started = " ".join(line for unit in SERVICES for line in lines(unit, "ExecStart"))
    for part in (
        "prefect_process server start",
        "prefect worker start",
        "rever-returns lane",
        "rever-returns receiver",
    ):
        assert part in started
    assert {timer.stem for timer in UNITS.glob("*.timer")} <= {unit.stem for unit in SERVICES}


def test_all_services_share_what_they_may_not_do() -> None:
    assert [unit.name for unit in SERVICES if not unit.name.startswith("rever-returns-")] == []
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(COMMON)
    service = dict(parser["Service"])
    assert service["UMask"] == "0077"
    assert service["User"] != "root"
    assert service["NoNewPrivileges"] == service["PrivateTmp"] == service["ProtectHome"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    # Of a variable that both name the last file's counts: the reader's own.
    ours, theirs = lines(COMMON, "EnvironmentFile")
    assert (ROOT / ours.removeprefix(INSTALLED)).is_file()
    assert theirs.endswith("/.env")


def test_workers_and_lane_end_before_the_server_and_get_the_time_that_they_need() -> None:
    for name in ("worker@", "lane", "receiver"):
        assert lines(UNITS / f"rever-returns-{name}.service", "After") == ["rever-returns-server.service"]
    (grace,) = re.findall(r"--grace (\d+)", "".join(lines(UNITS / "rever-returns-lane.service", "ExecStart")))
    (timeout,) = lines(UNITS / "rever-returns-lane.service", "TimeoutStopSec")
    assert int(timeout) > int(grace)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_them(tmp_path: Path) -> None:
    # Commands must be there to be taken for right, so the project stands where the units say: here.
    shutil.copytree(UNITS, tmp_path, dirs_exist_ok=True)
    bins = tmp_path / "srv" / ".venv" / "bin"
    bins.mkdir(parents=True)
    for name in ("python", "prefect", "rever-returns"):
        (bins / name).write_text("#!/bin/sh\n")
        (bins / name).chmod(0o755)
    for file in [path for path in tmp_path.rglob("rever-returns*") if path.is_file()] + [
        tmp_path / COMMON.relative_to(UNITS)
    ]:
        if not file.is_relative_to(bins):
            file.write_text(file.read_text("utf-8").replace(INSTALLED, f"{tmp_path}/srv/"))
    units = [str(tmp_path / file.name) for file in UNITS.iterdir() if file.is_file()]
    said = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    # And what is common is taken by each: without it systemd rates a service 9.6 of 10.
    rated = ["systemd-analyze", "security", "--offline=true", "--threshold=40"]
    for unit in units:
        if unit.endswith(".service") and "@" not in unit:
            assert subprocess.run([*rated, unit], capture_output=True, check=False).returncode == 0, unit
