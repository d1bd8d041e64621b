"""The commands on the pages: each could run, and those of the readers' pages do run, in their order."""

import json
import re
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import prefect.settings
import pytest

from flows.run import UsageError
from rever_api.sandbox import RunningSandbox
from tasks.settings.load import variables
from tests.deployments.cli.conftest import Call
from tests.deployments.cli.conftest import call as call  # noqa: PLC0414 - the fixture
from tests.deployments.doctor.conftest import without_prefect  # noqa: F401 - a fixture
from tests.docs.known import PLACEHOLDER, check
from tests.docs.pages import PAGES, READERS, ROOT, Typed, blocks, commands, settings_named
from tests.hurry import hurry

RUN = {"run", "find", "why", "holds", "stop", "start", "resume", "ledger", "settings", "doctor", "inbox", "policy"}
"""Commands of `rever-returns` that end by themselves and need a sandbox alone."""

SETTLED_S = 4
"""REVER_SETTLE_AFTER on the page where a reader waits for it."""

BY_A_SERVER_THAT_RUNS = {"finance", "ops"}
"""Pages whose reader finds a desk that has worked already."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_of_its_commands_could_run(page: Path) -> None:
    wrong = []
    for typed in commands(page):
        try:
            check(typed.words)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others are told too
            wrong.append(f"{typed}: {error}")
    assert wrong == []


@pytest.mark.parametrize(
    "words",
    [
        ("rever-returns", "hold"),
        ("rever-returns", "holds", "--jsn"),
        ("rever-returns", "stop", "--by", "olga"),
        ("rever-returns", "holds", "acme"),
        ("rever-returns", "run", "process-pending"),
        ("rever-returns", "run", "reconcile", "hour=3"),
        ("rever-returns", "run", "reconcile", "hours=many"),
        ("make", "upp"),
        ("make", "up", "ARGS=--worker 2"),
        ("prefect", "worker", "start", "--pol", "rever"),
        ("prefect", "wrker", "start"),
        ("python", "-m", "deployments.prefect_proces", "server", "start"),
        ("pip", "install", "-c", "constraint.txt", "-e", "."),
        ("sudo", "-iu", "rever", "rever-returns", "ledgr"),
        ("systemctl", "start", "rever-returns-lan.service"),
        ("podman", "build", "-f", "deployments/Dockerfile", "."),
        ("podman", "run", "--env-file", "deployments/servers.env", "rever-returns", "rever-returns", "lane"),
        ("cp", "-r", "deployments/systemds/.", "/etc/systemd/system/"),
        ("frobnicate",),
    ],
    ids=" ".join,
)
def test_a_command_that_could_not_run_is_noticed(words: tuple[str, ...]) -> None:
    with pytest.raises((AssertionError, UsageError)):
        check(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_settings_it_sets_are_settings(page: Path) -> None:
    ours = {name for name in settings_named(page) if name.startswith("REVER_")}
    assert ours - set(variables()) == set()
    # Prefect's part for Redis keeps its own.
    theirs = {name for name in settings_named(page) if re.match(r"PREFECT_(?!REDIS_)", name)}
    assert [name for name in theirs if not hasattr(prefect.settings, name)] == []


@pytest.mark.parametrize("page", [*READERS, ROOT / "README.md", ROOT / "docs" / "live.md"], ids=lambda page: page.name)
@pytest.mark.usefixtures("without_prefect")
def test_its_commands_run_in_a_sandbox_in_their_order(
    page: Path, call: Call, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch.setattr)
    monkeypatch.setenv("REVER_BASE_URL", sandbox.base_url)
    monkeypatch.setenv("REVER_API_KEY", sandbox.api_key)
    monkeypatch.setenv("REVER_STORES", ",".join(sandbox.stores))
    if page.stem == "live":
        monkeypatch.setenv("REVER_TIMEOUT", str(SETTLED_S / 2))
        monkeypatch.setenv("REVER_SETTLE_AFTER", str(SETTLED_S))
    if page.stem in BY_A_SERVER_THAT_RUNS:
        assert call("run", "process-pending-returns", "mode=act", "--no-prefect").code == 0
    ran = 0
    printed = ""
    for typed in commands(page):
        if typed.words[0] == "curl":
            posted(typed, sandbox)
            ran += 1
        elif words := ours(typed):
            if page.stem == "live" and words[:2] == ["run", "reconcile"]:
                time.sleep(SETTLED_S)  # before that a new ledger does not let reconcile count, as the page says
            ended = call(*filled(words, call, sandbox, printed))
            assert ended.code == 0, f"{typed}: {ended.out}{ended.err}"
            printed, ran = ended.out, ran + 1
    assert ran >= 3


def ours(typed: Typed) -> list[str]:
    """The command as the test calls it, empty where it is not for a test to run. A run needs no server of Prefect's."""
    words = list(typed.words)
    while words and words[0] in {"sudo", "-iu", "rever"}:
        words.pop(0)
    if words.pop(0) != "rever-returns" or typed.piped or not words or words[0] not in RUN or "--help" in words:
        return []
    return [*words, *(["--no-prefect"] if words[0] == "run" and "--no-prefect" not in words else [])]


def filled(words: list[str], call: Call, sandbox: RunningSandbox, printed: str) -> list[str]:
    """The words with what a reader puts in: a return, a hold that takes the answer, the mark of the list before."""
    answer = next((word.removeprefix("answer=") for word in words if word.startswith("answer=")), "drop")
    made = []
    for word in words:
        if word == "hold_id=HOLD":
            listed = json.loads(call("holds", "--json").out)
            # What was paid by hand must be the hold's own amount, as the reader of the page sees it.
            wanted = [hold for hold in listed if answer in hold["answers"] and (answer != "done_by_hand" or fits(hold))]
            word = f"hold_id={wanted[0]['hold_id']}"  # noqa: PLW2901
        elif word == "listed=MARK":
            found = re.search(r"listed=(\d+-[0-9a-f]+)", printed)
            assert found, printed
            word = found[0]  # noqa: PLW2901
        elif word.endswith("retp_..."):
            word = word.replace("retp_...", sandbox.process_ids("approved_one")[0])  # noqa: PLW2901
        assert not PLACEHOLDER.search(word.partition("=")[2]), f"what is {word}?"
        made.append(word)
    return made


def fits(hold: dict[str, str]) -> bool:
    return hold["amount"] == "37.00"


def posted(typed: Typed, sandbox: RunningSandbox) -> None:
    """What curl would send, sent to the test's own sandbox; any answer but 200 fails."""
    words = [word for word in typed.words[1:] if word != "-s"]
    data, headers = None, {}
    while len(words) > 1:
        option, value = words.pop(0), words.pop(0)
        if option == "-d":
            data = value
        else:
            assert option == "-H", f"{typed}: {option}"
            headers = dict([value.split(": ", 1)])
    url = urlsplit(words[0])
    assert (url.hostname, url.port) == ("127.0.0.1", 8765), typed
    target = f"{sandbox.base_url}{url.path}?{url.query}"
    answer = httpx.post(target, content=data) if data else httpx.get(target, headers=headers)
    assert answer.status_code == 200, f"{typed}: {answer.text}"


def test_the_example_of_the_developers_page_prints_what_it_says(
    start_sandbox: Callable[..., RunningSandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ROOT / "docs" / "developer.md"
    ((_, code),) = blocks(page, "python")
    ((_, output),) = blocks(page, "text")
    assert "http://127.0.0.1:8765" in code
    with redirect_stdout(StringIO()) as printed:
        exec(code.replace("http://127.0.0.1:8765", start_sandbox().base_url), {"__name__": "__main__"})
    assert printed.getvalue() == output


def test_the_acts_and_reads_of_the_developers_page_are_those_of_the_sandbox(sandbox: RunningSandbox) -> None:
    text = (ROOT / "docs" / "developer.md").read_text("utf-8")
    rows = text.split("| action |")[1].split("\n\n")[0]
    named = {
        name for cell in re.findall(r"^\| (`[^|]+) \|", rows, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)
    }
    refused = httpx.post(f"{sandbox.base_url}/_sandbox/act", json={"action": "none"}).text
    listed = re.search(r"one of ([\w, ]+)", refused)
    assert listed
    assert named == set(listed[1].split(", "))
    for path in re.findall(r"`GET (/_sandbox/\w+)`", text):
        assert httpx.get(sandbox.base_url + path).status_code == 200
    for path, body in re.findall(r"`POST (/_sandbox/\w+)` \|[^`]*`(\{[^`]+\})`", text):
        assert httpx.post(sandbox.base_url + path, content=body).status_code == 200
