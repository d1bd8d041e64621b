"""`python -m deployments.prefect_process server start ...`: Prefect's command line, free of a deadlock of its server.

Python's garbage collector runs in whichever thread makes an object too many: in Prefect's server, mostly the one of its
event loop. Where it frees a cursor of a SQLite connection that is just waiting for the write lock, it waits for that
connection; the lock's holder waits for the event loop; and the whole server stands still until SQLite gives up after
60 s (`database is locked`). Seen with prefect 3.8.8 in one of a few minutes of work, and told by native stacks.

Here the garbage is collected in a thread of its own, which can wait. PostgreSQL does not know the problem.
"""

import gc
import itertools
import runpy
import threading
import time

EVERY_S = 0.5
OLDER_EVERY, OLDEST_EVERY = 10, 120
"""After so many collections of the youngest objects, older and all ones are collected too."""


def collect_apart(every_s: float = EVERY_S) -> threading.Thread:
    """Collect garbage in a thread of its own, and in no other, from now on."""
    gc.disable()
    thread = threading.Thread(target=_collect, args=(every_s,), name="garbage", daemon=True)
    thread.start()
    return thread


def _collect(every_s: float) -> None:
    for count in itertools.count(1):
        time.sleep(every_s)
        gc.collect(2 if count % OLDEST_EVERY == 0 else 1 if count % OLDER_EVERY == 0 else 0)


def main() -> None:
    """Run Prefect's command line in this process."""
    collect_apart()
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
