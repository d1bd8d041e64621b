"""The supervisor with small real processes: started in order, kept alive, and ended so that nothing is left."""

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deployments.up import supervisor as supervising
from deployments.up.supervisor import Spec, StoppedError, Supervisor, UpError

FOREVER = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w'); time.sleep(60)"
WITH_A_CHILD_APART = (
    "import subprocess, sys, time\n"
    f"child = subprocess.Popen([sys.executable, '-c', {FOREVER!r}], start_new_session=True)\n"
    "open('apart', 'w').write(str(child.pid)); time.sleep(60)"
)

Make = Callable[..., Spec]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def spec(name: str, code: str, **more: object) -> Spec:
        how: dict[str, object] = {"healthy": lambda _began: True, "patience_s": 10.0, "grace_s": 5.0, **more}
        return Spec(name, [sys.executable, "-S", "-c", code], {}, tmp_path, **how)  # type: ignore[arg-type]

    return spec


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervising, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(supervising, "LOOK_EVERY_S", 0.01)
    supervisor = Supervisor(tmp_path, said.append)
    yield supervisor
    supervisor.end()


@pytest.fixture(autouse=True)
def others() -> Iterator[None]:
    """What other tests of this process have running (a Prefect server, say) is not the supervisor's."""
    OTHERS.update(child.pid for child in psutil.Process().children(recursive=True))
    yield
    OTHERS.clear()


OTHERS: set[int] = set()


def _children() -> list[psutil.Process]:
    found = [child for child in psutil.Process().children(recursive=True) if child.pid not in OTHERS]
    return [child for child in found if child.status() != psutil.STATUS_ZOMBIE]


def _watch_for(supervisor: Supervisor, reached: Callable[[], bool]) -> None:
    def stop() -> None:
        until = time.monotonic() + 20
        while not reached() and time.monotonic() < until:
            time.sleep(0.01)
        supervisor.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(StoppedError):
        supervisor.watch()
    thread.join()
    assert reached()


def test_it_waits_until_each_does_its_work_and_leaves_nothing(
    supervisor: Supervisor, make: Make, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    slow = f"import time; time.sleep(0.2); open({str(ready)!r}, 'w'); time.sleep(60)"
    supervisor.start([make("slow", slow, healthy=lambda _began: ready.exists()), make("other", FOREVER)])
    assert ready.exists()
    assert len(_children()) == 2
    supervisor.end()
    assert _children() == []


def test_one_that_ends_before_it_is_healthy_is_told_with_its_own_words(supervisor: Supervisor, make: Make) -> None:
    code = "import sys; sys.exit('rever-returns: REVER_STORES is not set.')"
    with pytest.raises(UpError, match=r"receiver did not start: REVER_STORES is not set\. \(log: .*receiver\.log\)"):
        supervisor.start([make("receiver", code, healthy=lambda _began: False)])


def test_one_that_never_becomes_healthy_is_not_waited_for_for_ever(supervisor: Supervisor, make: Make) -> None:
    with pytest.raises(UpError, match="lane took longer than 0 s"):
        supervisor.start([make("lane", FOREVER, healthy=lambda _began: False, patience_s=0.1)])


def test_one_that_dies_is_started_again_later_and_later(
    supervisor: Supervisor, make: Make, said: list[str], tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    supervisor.start(
        [make("lane", f"open({str(begun)!r}, 'a').write('x'); raise SystemExit(3)", healthy=lambda _: True)]
    )
    _watch_for(supervisor, lambda: begun.exists() and len(begun.read_text()) == 3)
    assert said[0].startswith("lane has ended: exit code 3; started again in")
    assert len(said) >= 2


def test_one_that_is_needed_ends_all_when_it_dies(supervisor: Supervisor, make: Make) -> None:
    supervisor.start([make("Prefect", "import time; time.sleep(0.2); raise SystemExit(1)", needed=True)])
    with pytest.raises(UpError, match="Prefect has ended: exit code 1"):
        supervisor.watch()


def test_what_is_run_to_its_end_must_end_well(supervisor: Supervisor, make: Make) -> None:
    supervisor.run(make("bootstrap", "print('2 made')"))
    with pytest.raises(UpError, match="bootstrap failed: exit code 1"):
        supervisor.run(make("bootstrap", "raise SystemExit(1)"))


def test_one_that_does_not_listen_is_killed_and_that_is_said(
    supervisor: Supervisor, make: Make, said: list[str], tmp_path: Path
) -> None:
    supervisor.start([make("worker", DEAF, grace_s=0.2, healthy=lambda _began: (tmp_path / "deaf").exists())])
    supervisor.end()
    assert said == ["worker did not end within 0 s and was killed"]
    assert _children() == []


def test_what_a_child_started_in_a_session_of_its_own_is_ended_too(
    supervisor: Supervisor, make: Make, tmp_path: Path
) -> None:
    apart = tmp_path / "apart"
    supervisor.start([make("worker", WITH_A_CHILD_APART, healthy=lambda _: apart.exists() and apart.read_text() != "")])
    pid = int(apart.read_text())
    supervisor.end()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_asked_twice_to_end_it_does_not_wait(supervisor: Supervisor, make: Make, tmp_path: Path) -> None:
    supervisor.start([make("worker", DEAF, grace_s=60.0, healthy=lambda _began: (tmp_path / "deaf").exists())])
    supervisor.stop()
    with pytest.raises(StoppedError):
        supervisor.watch()
    threading.Timer(0.2, supervisor.stop).start()
    began = time.monotonic()
    supervisor.end()
    assert time.monotonic() - began < 5
    assert _children() == []


def test_the_last_started_is_ended_first(supervisor: Supervisor, make: Make, tmp_path: Path) -> None:
    note = (
        "import signal, sys, time\n"
        "def end(*_): open('ended', 'a').write({name!r} + ' '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); open({name!r}, 'w'); time.sleep(60)"
    )
    for name in ("server", "receiver", "worker"):
        there = (tmp_path / name).exists
        supervisor.start([make(f"the {name}", note.format(name=name), healthy=lambda _began, there=there: there())])
    supervisor.end()
    assert (tmp_path / "ended").read_text().split() == ["worker", "receiver", "server"]


SCRIPT = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from deployments.up.supervisor import Child, Spec

    folder = Path(sys.argv[1])
    child = Child(Spec("sleeper", ["sleep", "600"], {}, folder, lambda _: True), folder)
    child.start()
    print(child._process.pid, flush=True)
    time.sleep(600)
    """
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can say it to a child")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    gone, alive = psutil.wait_procs([child], timeout=10)
    for process in alive:
        process.kill()
    assert gone == [child]
