"""What a run says of the files of labels: how many are kept now, which did not come and why, and where they are."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tasks.policy.facts import counted

MOST_NAMED = 20
"""Files that did not come which are named in a report; the ledger has all (`rever-returns labels show`)."""


@dataclass(frozen=True, slots=True)
class MissingFile:
    """A label's file that did not come, and why, in a sentence."""

    process_id: str
    order: str
    parcel: int
    why: str

    @property
    def words(self) -> str:
        """Which it is, and why it is missing."""
        order = f" (order {self.order})" if self.order else ""
        return f"{self.process_id}{order}, parcel {self.parcel}: {self.why}"


@dataclass(slots=True)
class LabelFilesTally:
    """What became of the files of labels in a run. `missing` did not come, and are asked for again. `left` is how many
    this run has not asked for, or of a plan how many it would ask for; `why_left` says why. `deleted` were old.
    """

    kept: int = 0
    missing: list[MissingFile] = field(default_factory=list)
    left: int = 0
    why_left: str = ""
    deleted: int = 0
    acts: bool = True

    @property
    def words(self) -> str:
        """The counts, and how a person gets at a file."""
        if not self.acts:
            return f"{counted(self.left, 'file')} would be fetched" if self.left else "none to be fetched"
        said = [f"{self.kept} fetched"] if self.kept else []
        said += [f"{len(self.missing)} did not come, and will be asked for again"] if self.missing else []
        said += [f"{self.left} left to another run"] if self.left else []
        said += [f"{self.deleted} deleted for their age (REVER_LABELS_KEPT)"] if self.deleted else []
        if self.kept:
            said.append("get one: rever-returns labels get ORDER --out FILE")
        return "; ".join(said) or "none to be fetched"

    def details(self) -> Iterator[str]:
        """Why files are missing, those named first that came first."""
        if self.why_left:
            yield self.why_left
        yield from (it.words for it in self.missing[:MOST_NAMED])
        if len(self.missing) > MOST_NAMED:
            yield f"and {len(self.missing) - MOST_NAMED} more"

    def as_json(self) -> dict[str, Any]:
        """The object under `label_files` in `--json`."""
        return {
            "kept": self.kept,
            "missing": [
                {"process_id": it.process_id, "order": it.order, "parcel": it.parcel, "why": it.why}
                for it in self.missing
            ],
            "left": self.left,
            "why_left": self.why_left,
            "deleted": self.deleted,
        }
