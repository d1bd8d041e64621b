"""The contract `rever_api/openapi.yaml`, read once per process."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

METHODS = ("get", "post", "put", "patch", "delete")
"""The keys of a path that are operations."""


@cache
def contract() -> Mapping[str, Any]:
    """The whole document. Not to be changed: everybody is handed the same one."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = files("rever_api").joinpath("openapi.yaml").read_text("utf-8")
    document: dict[str, Any] = yaml.load(text, loader)  # noqa: S506 - both are safe loaders
    return document
