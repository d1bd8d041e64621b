"""What was asked of the sandbox: one entry per request, without headers, bodies or personal data."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(slots=True)
class Entry:
    """One request. `status` is None where no answer was sent; `acted` is how many effects it had, later ones too."""

    number: int
    at: datetime
    operation: str
    process_id: str
    fault: str = ""
    status: int | None = None
    acted: int = 0


@dataclass(slots=True)
class Journal:
    """All requests in the order in which they came."""

    entries: list[Entry] = field(default_factory=list)

    def open(self, at: datetime, operation: str, process_id: str) -> Entry:
        """Note a request as it comes; its answer is filled in afterwards."""
        entry = Entry(len(self.entries) + 1, at, operation, process_id)
        self.entries.append(entry)
        return entry

    def as_json(self) -> list[dict[str, Any]]:
        """Return the entries with their times as text."""
        return [asdict(entry) | {"at": entry.at.isoformat()} for entry in tuple(self.entries)]
