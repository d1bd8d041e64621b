"""Makes the synchronous client out of the asynchronous one: `python -m tests.rever_api.sync_twin` (`make sync-client`).

The texts of `base_client.py` and `client.py` of `rever_api` are changed word by word, as httpcore's and
elasticsearch's synchronous clients are made, and laid out by ruff. All files are committed; a test holds them in step.
"""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "rever_api"
TWINS = {PACKAGE / name: PACKAGE / f"sync_{name}" for name in ("base_client.py", "client.py")}

SENTENCES = (
    ("are made, asynchronous.", "are made, synchronous."),
    (
        "(`rever_api.limits`).\nThe synchronous twin is generated: `make sync-client`.",
        "(`rever_api.limits`).\nGenerated from `base_client.py`: `make sync-client`.",
    ),
    (
        "asynchronous: operations by subject, filters as keywords, all pages, tables.\n\n"
        "The synchronous twin is generated: `make sync-client`.",
        "synchronous: operations by subject, filters as keywords, all pages, tables.\n\n"
        "Generated from `client.py`: `make sync-client`.",
    ),
    (" A cancelled effect raises `asyncio.CancelledError` and may have been sent.", ""),
    (
        "A client belongs to one event loop; its limits are",
        "A client may be used by any number of threads; its limits are",
    ),
)
"""What is true of one of the two alone."""

WORDS = (
    (r"async (def|with|for) ", r"\1 "),
    (r"await ", ""),
    (r"`async with`", "`with`"),
    (r"\bAwaitable\[None\]", "None"),
    (r"\basyncio\.sleep\b", "time.sleep"),
    (r"\bAsync(\w+)\b", r"\1"),
    (r"\bbase_client import", "sync_base_client import"),
    (r"\bAbstractAsyncContextManager\b", "AbstractContextManager"),
    (r"__a(enter|exit|iter)__", r"__\1__"),
    (r"\ba(close|slot)\(", r"\1("),
)


def synchronous(path: Path) -> str:
    """The text of the synchronous twin of a file. Raises ValueError for a sentence to be changed that none holds."""
    for ours, _ in SENTENCES:
        if not any(ours in each.read_text("utf-8") for each in TWINS):
            raise ValueError(f"no file says: {ours}")
    source = path.read_text("utf-8")
    for ours, theirs in SENTENCES:
        source = source.replace(ours, theirs)
    for pattern, word in WORDS:
        source = re.sub(pattern, word, source)
    for tool in (["check", "-q", "--fix-only", "--select", "I,F401"], ["format", "-q"]):
        command = [sys.executable, "-m", "ruff", *tool, "--stdin-filename", str(TWINS[path]), "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return source


if __name__ == "__main__":
    for source_file, twin in TWINS.items():
        twin.write_text(synchronous(source_file), "utf-8")
