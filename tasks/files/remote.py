"""Files that are fetched by a URL: s3, gs, sftp. Credentials come from the environment or a block, never in the URL."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import fsspec
import fsspec.config
import fsspec.core

from tasks.files.private_copy import Arrived, copy_from, with_mapping
from tasks.files.table import InputFileError

SCHEMES = {"s3": "s3", "gs": "gcs", "gcs": "gcs", "sftp": "sftp", "memory": ""}
"""Scheme of a URL -> the extra of this package that brings what it needs; `memory` is this process's own."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*::?//|[A-Za-z][A-Za-z0-9+.-]+::", re.ASCII)


_OWN = {"skip_instance_cache": True}
"""A connection of its own: fsspec would keep it, with its credentials, for who comes next."""


def is_url(text: str) -> bool:
    """Whether this names a file by a URL, and not by a path."""
    return bool(_URL.match(text))


def fetched(url: str, mapping: Path, copies: Path, options: Mapping[str, Any]) -> Arrived:
    """Fetch a file. `options` go to fsspec, and may hold passwords. Raises `InputFileError`, which repeats none."""
    name = checked_url(url)
    scheme, where = name.split("://")[0], PurePosixPath(urlsplit(name).path).name or "file"
    copy = copies / where
    try:
        system, path = _storage(name, options)
        with system.open(path, "rb") as source:
            digest = copy_from(source.read, copy, name)
    except InputFileError:
        raise
    except ImportError as error:
        extra = SCHEMES[scheme]
        raise InputFileError(f"{name}: needs pip install 'rever-returns[{extra}]'.") from error
    except FileNotFoundError:
        raise InputFileError(f"{name}: is not there.") from None
    except Exception as error:  # noqa: BLE001 - each kind of storage has errors of its own, whose text may hold a key
        words = f"cannot be fetched ({type(error).__name__}); look at the address, the network and the credentials"
        raise InputFileError(f"{name}: {words}.") from None
    meaning, together = with_mapping(digest, mapping, copies)
    return Arrived(name, copy, meaning, together, meaning=str(mapping))


def _storage(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The storage of a URL, and the path in it. What the environment says (`FSSPEC_SFTP_PASSWORD`) is below `options`.

    SFTP is asyncssh's: it knows a server by the keys in `known_hosts`. fsspec's own takes any server for the right one.
    """
    if not url.startswith("sftp://"):
        found: tuple[Any, str] = fsspec.core.url_to_fs(url, **_OWN, **options)
        return found
    from sshfs import SSHFileSystem  # noqa: PLC0415 - of an extra

    said = {**fsspec.config.conf.get("sftp", {}), **options, **SSHFileSystem._get_kwargs_from_urls(url)}
    return SSHFileSystem(**_OWN, **said), urlsplit(url).path


def checked_url(url: str) -> str:
    """The URL, if it is of a kind that is taken and holds no secret. Raises `InputFileError`, which repeats none."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.casefold()
    if scheme not in SCHEMES:
        known = ", ".join(f"{each}://" for each in SCHEMES if each not in {"memory", "gcs"})
        raise InputFileError(f"a URL of this kind is not taken; there are {known}; a file of this machine is a path.")
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        secret = parts.password is not None or (scheme != "sftp" and "@" in parts.netloc)
    except ValueError:
        raise InputFileError("the URL cannot be read.") from None
    if secret or parts.query or parts.fragment:
        words = "must not hold a password, a key or a signature, for it is kept and shown with the run"
        where = "they belong into the environment of the worker or into a block (docs/inspections.md)"
        raise InputFileError(f"the {scheme} URL {words}; {where}.")
    return f"{scheme}://{rest}"
