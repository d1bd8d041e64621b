"""OpenAPI documents: our contract `openapi.yaml`, and REVER's official one as its holder has it.

YAML or JSON, OpenAPI 3 or Swagger 2. Nothing in an official document is taken for granted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

METHODS = ("get", "post", "put", "patch", "delete")
"""The keys of a path that are operations."""

MOST_BYTES = 20 * 1024 * 1024
_MOST_HOPS = 20
_MOST_NODES = 2_000_000


@cache
def contract() -> Mapping[str, Any]:
    """Return our contract, read once per process. It must not be changed: every caller gets the same one."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = files("rever_api").joinpath("openapi.yaml").read_text("utf-8")
    document: dict[str, Any] = yaml.load(text, loader)  # noqa: S506 - both are safe loaders
    return document


class DocumentError(Exception):
    """A file that is not an OpenAPI document. The text names the file, what was found and what would be right."""


@dataclass(frozen=True)
class Document:
    """A document's tree. Its nodes may be of any type: `node` and `nodes` return what is right, or nothing."""

    tree: Mapping[str, Any] = field(repr=False)

    def resolve(self, found: Any) -> tuple[str, Mapping[str, Any]]:
        """Follow local references. Return the last component's name ("" for what is written out) and the node.

        The node is empty for a reference that leads nowhere, into another file or round in a circle.
        """
        name, at = "", node(found)
        for _ in range(_MOST_HOPS):
            reference = at.get("$ref")
            if not isinstance(reference, str):
                return name, at
            name, at = unquote(reference.rpartition("/")[2]), node(self._at(reference))
        return name, {}

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            return None
        at: Any = self.tree
        for step in reference.removeprefix("#/").split("/"):
            at = node(at).get(unquote(step).replace("~1", "/").replace("~0", "~"))
        return at


def node(found: Any) -> Mapping[str, Any]:
    """Return a mapping as it is; an empty one for whatever else is found in its place."""
    return found if isinstance(found, Mapping) else {}


def nodes(found: Any) -> list[Any]:
    """Return a list as it is; an empty one for whatever else is found in its place."""
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
    """Parse JSON, else YAML with every scalar as text: an enum's NO is not false, nor a version a number."""
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
    """Return how many nodes a tree has once its aliases are written out: a few lines of them can make billions."""
    if not isinstance(found, dict | list):
        return 1
    if id(found) not in known:
        known[id(found)] = _MOST_NODES + 1  # what holds itself has no end
        parts = found.values() if isinstance(found, dict) else found
        known[id(found)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(found)]


@dataclass(frozen=True)
class Parameter:
    """A parameter in the path or the query, by its name on the wire."""

    name: str
    where: str
    required: bool


@dataclass(frozen=True)
class Operation:
    """One operation. `path` begins with what the server's address adds; `sent` and `read` are schemas, {} if none."""

    id: str
    method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    sent: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    read: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f" ({self.id})" if self.id else "")


def operations(document: Document, base_url: str = "") -> tuple[Operation, ...]:
    """Return all operations in the document's order, their paths as seen from `base_url`."""
    prefix, found_operations = _prefix(document.tree, base_url), []
    for path, found in node(document.tree.get("paths")).items():
        _, item = document.resolve(found)
        for method in METHODS:
            if operation := node(item.get(method)):
                listed = [*nodes(item.get("parameters")), *nodes(operation.get("parameters"))]
                parameters = [document.resolve(each)[1] for each in listed]
                found_operations.append(
                    Operation(
                        id=str(operation.get("operationId") or ""),
                        method=method.upper(),
                        path=f"{prefix}{path}",
                        parameters=_parameters(parameters),
                        sent=_sent(document, operation, parameters),
                        read=_read(document, operation),
                    )
                )
    return tuple(found_operations)


def key_headers(document: Document) -> tuple[str, ...]:
    """Return the headers, in lower case, in which the document wants an API key; none where it does not say."""
    schemes = {**node(document.tree.get("securityDefinitions"))}
    schemes |= node(node(document.tree.get("components")).get("securitySchemes"))
    found = [document.resolve(each)[1] for each in schemes.values()]
    return tuple(str(each.get("name")).lower() for each in found if each.get("in") == "header" and each.get("name"))


def _parameters(found: list[Mapping[str, Any]]) -> tuple[Parameter, ...]:
    """Return those of path and query; one of an operation replaces the same one of its path."""
    kept = {}
    for each in found:
        where, name = str(each.get("in")), str(each.get("name") or "")
        if where in {"path", "query"} and name:
            kept[name, where] = Parameter(name, where, where == "path" or str(each.get("required")).lower() == "true")
    return tuple(kept.values())


def _sent(document: Document, operation: Mapping[str, Any], parameters: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the schema of the body: OpenAPI 3's requestBody, or Swagger 2's parameter `in: body`."""
    _, body = document.resolve(operation.get("requestBody"))
    in_body = [node(each.get("schema")) for each in parameters if each.get("in") == "body"]
    return _json(body) or (in_body[0] if in_body else {})


def _read(document: Document, operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of the first 2xx response, or of the default one."""
    responses = {str(status): response for status, response in node(operation.get("responses")).items()}
    statuses = [*sorted(status for status in responses if status.startswith("2")), "default"]
    for status in statuses:
        _, response = document.resolve(responses.get(status))
        if schema := _json(response) or node(response.get("schema")):
            return schema
    return {}


def _json(body: Mapping[str, Any]) -> Mapping[str, Any]:
    content = node(body.get("content"))
    media = [name for name in content if "json" in str(name)] or list(content)
    return node(node(content[media[0]]).get("schema")) if media else {}


def _prefix(tree: Mapping[str, Any], base_url: str) -> str:
    """Return what the server's address adds in front of the paths, beyond what the base URL holds already."""
    servers = [str(node(each).get("url") or "") for each in nodes(tree.get("servers"))]
    ours = _split(base_url)
    same = [url for url in servers if _split(url)[0] == ours[0]]
    own = _split((same or servers or [str(tree.get("basePath") or "")])[0])[1]
    return own.removeprefix(ours[1])


def _split(url: str) -> tuple[str, str]:
    """Return host and path of an address; a server may be a path alone."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    path = parts.path.rstrip("/")
    return parts.netloc.lower(), path if path.startswith("/") else ""
