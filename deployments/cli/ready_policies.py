"""`rever-returns policy new`: the three ready policies, which a merchant begins with."""

import shlex
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from deployments.console.errors import UsageError


class PolicyKind(StrEnum):
    """The ready policies, each a file in `deployments/policies`."""

    CAUTIOUS = "cautious"
    STANDARD = "standard"
    FAST = "fast"


def ready_policy(kind: PolicyKind) -> str:
    """The text of a ready policy."""
    return (files("deployments") / "policies" / f"{kind}.yaml").read_text(encoding="utf-8")


def new_policy(kind: PolicyKind, file: Path) -> str:
    """Write a ready policy into a new file, and say what to do with it. Raises `UsageError` where it cannot be."""
    if file.suffix.casefold() not in {".yaml", ".yml"}:
        raise UsageError(f"{file}: right would be a name that ends in .yaml; the policy is written as YAML.")
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(ready_policy(kind))
    except FileExistsError:
        raise UsageError(f"{file} is there already, and is not written over: name another file.") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written ({error.strerror or type(error).__name__}).") from None
    return (
        f"{file} is the {kind} policy. Write your own amounts, stores and names into it, then look at what it says:\n"
        f"  rever-returns policy check {shlex.quote(str(file))}\n"
        f"It holds from the next run on once REVER_POLICY names it."
    )
