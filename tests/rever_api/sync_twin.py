"""Makes the synchronous client out of the asynchronous one: `python -m tests.rever_api.sync_twin` (`make sync-client`).

The text of `rever_api/client.py` is changed word by word, as httpcore's and elasticsearch's synchronous clients are
made, and laid out by ruff. Both files are committed; a test holds them in step.
"""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "rever_api"
SOURCE, TWIN = PACKAGE / "client.py", PACKAGE / "sync_client.py"

SENTENCES = (
    (
        "asynchronous. The synchronous one is generated from it: `make sync-client`.",
        "synchronous. Generated from `client.py`: `make sync-client`.",
    ),
    (" A\n    cancelled effect raises `asyncio.CancelledError` and may have been sent.", ""),
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
    (r"\bAsync(ReverClient|Slot|Sender|Retrying|Iterator|Client)\b", r"\1"),
    (r"\bAbstractAsyncContextManager\b", "AbstractContextManager"),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"\ba(close|slot)\(", r"\1("),
)


def synchronous(source: str) -> str:
    """The text of the synchronous client. Raises ValueError where a sentence that is to be changed is not there."""
    for ours, theirs in SENTENCES:
        if ours not in source:
            raise ValueError(f"client.py does not say: {ours}")
        source = source.replace(ours, theirs)
    for pattern, word in WORDS:
        source = re.sub(pattern, word, source)
    for tool in (["check", "-q", "--fix-only", "--select", "I,F401"], ["format", "-q"]):
        command = [sys.executable, "-m", "ruff", *tool, "--stdin-filename", str(TWIN), "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout
    return source


if __name__ == "__main__":
    TWIN.write_text(synchronous(SOURCE.read_text("utf-8")), "utf-8")
