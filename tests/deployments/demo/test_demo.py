"""`make demo` as a newcomer runs it: a process of its own in an empty folder, once, and what it then says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.crash, pytest.mark.timeout(300), pytest.mark.xdist_group("demo")]

_STORE = re.compile(r"^  (acme|nordic) +(EUR|SEK) +([\d,.]+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$", re.MULTILINE)
_SUM = re.compile(r"^    kept +sums in (EUR|SEK) +(.+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> "subprocess.CompletedProcess[str]":
    """The demo, in the presence of settings of a real desk, which it must not touch."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / ".env").write_text("REVER_BASE_URL=http://127.0.0.1:9\nREVER_API_KEY=a-real-key\nREVER_STORES=mine\n")
    own = {"REVER_GROUP": "my-group", "PREFECT_API_URL": "http://127.0.0.1:9/api", "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "deployments.demo"],
        env={**os.environ, **own},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_every_promise_is_kept(demo: "subprocess.CompletedProcess[str]") -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "BROKEN" not in demo.stdout
    for name in ("double refunds", "over-paid", "forgotten", "anything else wrong", "due and not paid"):
        assert len(re.findall(rf"^    kept +{name} +0$", demo.stdout, re.MULTILINE)) == 2, name


def test_the_sums_are_those_of_the_table_in_every_book(demo: "subprocess.CompletedProcess[str]") -> None:
    paid = {currency: amount for _, currency, amount, *_ in _STORE.findall(demo.stdout)}
    assert set(paid) == {"EUR", "SEK"}
    sums = _SUM.findall(demo.stdout)
    assert len(sums) == 4
    for currency, equation in sums:
        assert re.findall(r"[\d,]+\.\d\d", equation) == [paid[currency]] * 3, equation


def test_something_became_of_returns_in_every_way(demo: "subprocess.CompletedProcess[str]") -> None:
    for _, _, _, *counts in _STORE.findall(demo.stdout):
        assert all(int(count) > 0 for count in counts), counts
    for head in ("Paid", "Exchanged", "Labelled", "Waits", "Held for a person"):
        assert f"  {head}\n    retp_" in demo.stdout


def test_the_killed_workers_refund_is_settled_by_evidence(demo: "subprocess.CompletedProcess[str]") -> None:
    assert "was killed with SIGKILL" in demo.stdout
    assert "that one is sent, without an answer" in demo.stdout
    assert re.search(r"kept +unanswered refund +sent once, then found done at REVER", demo.stdout)
    assert re.search(r"kept +return by return +(\d+) of \1 effects, the same ones", demo.stdout)


def test_a_candidate_is_tried_and_the_one_wrong_payment_is_named(demo: "subprocess.CompletedProcess[str]") -> None:
    found = re.search(r"kept +paid wrongly +(#AC\d+): ([\d.]+) for what the warehouse never found", demo.stdout)
    assert found
    assert f"    {found[1]}: {found[2]} EUR more, which the rules in force never pay" in demo.stdout
    assert re.search(r"kept +really done +[\d,.]+ EUR, [\d,.]+ SEK, as in the ledger", demo.stdout)
    assert re.search(r"kept +done by the trial +0 effects", demo.stdout)


def test_the_candidate_in_shadow_decides_otherwise_and_changes_nothing(
    demo: "subprocess.CompletedProcess[str]",
) -> None:
    _, _, shadow = demo.stdout.partition("What the candidate in shadow would have done otherwise")
    found = re.search(r"^    (#AC\d+): earlier ([\d.]+) EUR\n +in force: .+\n +candidate: ", shadow, re.MULTILINE)
    assert found
    assert f"    {found[1]}: {found[2]} EUR earlier" in demo.stdout, "the trial in part 2 names it too"
    assert re.search(r"kept +policy in shadow +1 return decided otherwise; the books are those without it", shadow)


def test_one_parcel_is_followed_from_its_label_to_the_refund(demo: "subprocess.CompletedProcess[str]") -> None:
    told = demo.stdout.partition("4. One parcel")[2]
    days = [
        told.index(words)
        for words in (
            "the shopper started the return",
            "done: the label",
            "parcel 1 (DHL) is collected",
            "parcel 1 (DHL) is in warehouse, was collected",
            "the warehouse's inspection of 1 unit",
            "a refund of 22.30 EUR",
        )
    ]
    assert days == sorted(days)
    assert re.search(r"kept +one parcel +one label, one review, one refund", told)


def test_it_is_plain_and_quiet(demo: "subprocess.CompletedProcess[str]") -> None:
    assert demo.stderr == ""
    assert "\x1b" not in demo.stdout
    assert "Traceback" not in demo.stdout
    assert max(map(len, demo.stdout.splitlines())) <= 100


def test_no_process_of_it_is_left(demo: "subprocess.CompletedProcess[str]") -> None:
    found = re.search(r"Worker (\d+) was killed", demo.stdout)
    assert found
    assert not Path(f"/proc/{found[1]}").exists()
