"""A child ends with its parent, also where that was killed and could end nothing."""

import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

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
