"""Where temporary files cost least: in memory, if this machine has room there.

Each commit of a ledger waits for the disk, some milliseconds. That would be half of the time that the tests take, and
none of them looks after a power cut: a process that is killed loses nothing that it wrote in memory.
"""

import os
import shutil
import tempfile
from pathlib import Path

SHARED = Path("/dev/shm")
ROOM = 2_000_000_000  # bytes; a container often has 64 MB there, too few for a database server


def memory() -> str | None:
    """Return the folder, None where there is none that is fit."""
    fit = os.access(SHARED, os.W_OK) and shutil.disk_usage(SHARED).free > ROOM
    return str(SHARED) if fit else None


def keep_in_memory() -> None:
    """Have this process and its children make their temporary files there."""
    if folder := memory():
        os.environ["TMPDIR"] = tempfile.tempdir = folder
