"""An OpenAPI document as its holder has it: YAML or JSON, OpenAPI 3 or Swagger 2. Nothing in it is granted."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

MOST_BYTES = 20 * 1024 * 1024
_MOST_HOPS = 20
_MOST_NODES = 2_000_000


class DocumentError(Exception):
    """A file that is no OpenAPI document. The sentence names the file, what was found and what would be right."""


@dataclass(frozen=True)
class Document:
    """A document's tree. Its nodes may be of any type: `node` and `nodes` answer what is right, or nothing."""

    tree: Mapping[str, Any] = field(repr=False)

    def resolve(self, found: Any) -> tuple[str, Mapping[str, Any]]:
        """Follow local references; answers the last component's name ("" for what is written out) and the node.

        A reference that leads nowhere, into another file or round in a circle answers an empty node.
        """
        name, at = "", node(found)
        for _ in range(_MOST_HOPS):
            reference = at.get("$ref")
            if not isinstance(reference, str):
                return name, at
            name, at = _name(reference), node(self._at(reference))
        return name, {}

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            return None
        at: Any = self.tree
        for step in reference.removeprefix("#/").split("/"):
            at = node(at).get(unquote(step).replace("~1", "/").replace("~0", "~"))
        return at


def node(found: Any) -> Mapping[str, Any]:
    """A mapping as it is; an empty one for whatever else is found in its place."""
    return found if isinstance(found, Mapping) else {}


def nodes(found: Any) -> list[Any]:
    """A list as it is; an empty one for whatever else is found in its place."""
    return found if isinstance(found, list) else []


def read_document(file: Path) -> Document:
    """Read a file. Raises `DocumentError`."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise DocumentError(
                f"{file}: is larger than {MOST_BYTES // 1024**2} MB, too large for an OpenAPI document."
            )
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise DocumentError(f"{file}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise DocumentError(f"{file}: is not text in UTF-8.") from error
    return parsed(text, str(file))


def parsed(text: str, where: str) -> Document:
    """Read a document's text; `where` is the file that a sentence names. Raises `DocumentError`."""
    tree = _tree(text, where)
    if not isinstance(tree, dict) or not {"openapi", "swagger"} & tree.keys():
        raise DocumentError(
            f"{where}: is no OpenAPI document: it has no `openapi: 3...` (or `swagger: 2.0`) at its top. "
            "Save REVER's own, as YAML or JSON."
        )
    if not node(tree.get("paths")):
        raise DocumentError(f"{where}: has no `paths`: there is no operation in it to compare with.")
    return Document(tree)


def _tree(text: str, where: str) -> Any:
    """JSON where it is JSON, else YAML with every scalar as text: an enum's NO is not false, nor a version a number."""
    try:
        return json.loads(text)
    except RecursionError:
        raise DocumentError(f"{where}: is nested too deeply.") from None
    except ValueError as error:
        broken_json = f"is not JSON ({error})"
    try:
        tree = yaml.load(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506 - makes texts only
        if _size(tree, {}) > _MOST_NODES:
            raise DocumentError(f"{where}: its aliases make it grow without end.")
        return tree  # noqa: TRY300 - the size is part of what may fail
    except RecursionError:
        raise DocumentError(f"{where}: is nested too deeply.") from None
    except yaml.MarkedYAMLError as error:
        at = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        broken = broken_json if text.lstrip().startswith("{") else f"is not YAML ({error.problem}{at})"
    except (yaml.YAMLError, ValueError, TypeError):
        broken = "is neither YAML nor JSON"
    raise DocumentError(f"{where}: {broken}.")


def _size(found: Any, known: dict[int, int]) -> int:
    """How many nodes a tree has once its aliases are written out: a few lines of them can make billions."""
    if not isinstance(found, dict | list):
        return 1
    if id(found) not in known:
        known[id(found)] = _MOST_NODES + 1  # what holds itself has no end
        parts = found.values() if isinstance(found, dict) else found
        known[id(found)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(found)]


def _name(reference: str) -> str:
    return unquote(reference.rpartition("/")[2])
