"""The operations of an OpenAPI document, as far as a client needs them: method, path, parameters and bodies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from rever_api.comparing.document import Document, node, nodes
from rever_api.contract import METHODS


@dataclass(frozen=True)
class Parameter:
    """A parameter in the path or the query, by its name on the wire."""

    name: str
    where: str
    required: bool


@dataclass(frozen=True)
class Operation:
    """One operation. `path` begins with what the server's address adds; `sent` and `read` are schemas, {} for none."""

    id: str
    method: str
    path: str
    parameters: tuple[Parameter, ...] = ()
    sent: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    read: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f" ({self.id})" if self.id else "")


def operations(document: Document, base_url: str = "") -> tuple[Operation, ...]:
    """All operations in the document's order. `base_url`: paths are told as seen from there."""
    return tuple(_operations(document, _prefix(document.tree, base_url)))


def key_headers(document: Document) -> tuple[str, ...]:
    """The headers, in lower case, in which the document wants an API key; none where it does not say."""
    schemes = {**node(document.tree.get("securityDefinitions"))}
    schemes |= node(node(document.tree.get("components")).get("securitySchemes"))
    found = [document.resolve(each)[1] for each in schemes.values()]
    return tuple(str(each.get("name")).lower() for each in found if each.get("in") == "header" and each.get("name"))


def _operations(document: Document, prefix: str) -> Iterator[Operation]:
    for path, found in node(document.tree.get("paths")).items():
        _, item = document.resolve(found)
        for method in METHODS:
            if operation := node(item.get(method)):
                listed = [*nodes(item.get("parameters")), *nodes(operation.get("parameters"))]
                resolved = [document.resolve(each)[1] for each in listed]
                yield Operation(
                    id=str(operation.get("operationId") or ""),
                    method=method.upper(),
                    path=f"{prefix}{path}",
                    parameters=_parameters(resolved),
                    sent=_sent(document, operation, resolved),
                    read=_read(document, operation),
                )


def _parameters(found: list[Mapping[str, Any]]) -> tuple[Parameter, ...]:
    """Those of path and query; one of an operation replaces the same one of its path."""
    kept = {}
    for each in found:
        where, name = str(each.get("in")), str(each.get("name") or "")
        if where in {"path", "query"} and name:
            kept[name, where] = Parameter(name, where, where == "path" or str(each.get("required")).lower() == "true")
    return tuple(kept.values())


def _sent(document: Document, operation: Mapping[str, Any], parameters: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The schema of the body: OpenAPI 3's requestBody, or Swagger 2's parameter `in: body`."""
    _, body = document.resolve(operation.get("requestBody"))
    in_body = [node(each.get("schema")) for each in parameters if each.get("in") == "body"]
    return _json(body) or (in_body[0] if in_body else {})


def _read(document: Document, operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of the first 2xx answer, or of the default one."""
    responses = {str(status): answer for status, answer in node(operation.get("responses")).items()}
    statuses = [*sorted(status for status in responses if status.startswith("2")), "default"]
    for status in statuses:
        _, answer = document.resolve(responses.get(status))
        if schema := _json(answer) or node(answer.get("schema")):
            return schema
    return {}


def _json(body: Mapping[str, Any]) -> Mapping[str, Any]:
    content = node(body.get("content"))
    media = [name for name in content if "json" in str(name)] or list(content)
    return node(node(content[media[0]]).get("schema")) if media else {}


def _prefix(tree: Mapping[str, Any], base_url: str) -> str:
    """What the server's address adds in front of the paths, beyond what the base URL holds already."""
    servers = [str(node(each).get("url") or "") for each in nodes(tree.get("servers"))]
    ours = _split(base_url)
    same = [url for url in servers if _split(url)[0] == ours[0]]
    own = _split((same or servers or [str(tree.get("basePath") or "")])[0])[1]
    return own.removeprefix(ours[1])


def _split(url: str) -> tuple[str, str]:
    """Host and path of an address; a server may be a path alone."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    path = parts.path.rstrip("/")
    return parts.netloc.lower(), path if path.startswith("/") else ""
