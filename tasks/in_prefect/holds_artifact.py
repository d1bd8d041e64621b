"""The artifact with a store's open holds: one a store, which is written over, so that its address stays the same.

It belongs to no run: Prefect removes runs of long ago with what they left, and this is what waits now.
"""

import hashlib
import re
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from httpx import HTTPStatusError, codes
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import (
    ArtifactCollectionFilter,
    ArtifactCollectionFilterKey,
    ArtifactFilter,
    ArtifactFilterKey,
)
from prefect.exceptions import ObjectNotFound

LONGEST_KEY = 60

_TYPE = "markdown"


async def write_holds(client: PrefectClient, store: str, page: str) -> UUID:
    """Write the page over the one that is there, or make it; returns the artifact's id. Raises as the client does."""
    about = f"What waits for a person at {store}"
    key = holds_key(store)
    while True:
        found = (await holds_artifacts(client, [store])).get(store)
        if found is None:
            await client.create_artifact(ArtifactCreate(key=key, type=_TYPE, description=about, data=page))
            found = await _only_the_first(client, key)
        try:
            await client.update_artifact(found, ArtifactUpdate(data=page, description=about))
        except HTTPStatusError as error:
            # Another run made an earlier one at the same time and has removed this one; the earliest is never removed.
            if error.response.status_code != codes.NOT_FOUND:
                raise
        else:
            return found


async def _only_the_first(client: PrefectClient, key: str) -> UUID:
    """Remove what other runs made of this key at the same time: nobody would write over it any more."""
    made = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    first, *others = sorted((each.created or datetime.max.replace(tzinfo=UTC), each.id) for each in made)
    for _, other in others:
        with suppress(ObjectNotFound):
            await client.delete_artifact(other)
    return first[1]


async def holds_artifacts(client: PrefectClient, stores: Collection[str]) -> dict[str, UUID]:
    """The artifacts of these stores that are there, by store."""
    keys = {holds_key(store): store for store in stores}
    if not keys:
        return {}
    those = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=sorted(keys)))
    found = await client.read_latest_artifacts(artifact_filter=those)
    return {keys[each.key]: each.latest_id for each in found if each.key in keys and each.type == _TYPE}


def holds_key(store: str) -> str:
    """The key of the artifact with a store's open holds."""
    return f"open-holds-{_slug(store)}"


def _slug(store: str) -> str:
    """A store as part of a key: lower-case letters, digits and dashes, with a digest where that loses something."""
    words = re.sub("[^a-z0-9]+", "-", store.lower()).strip("-")
    if words == store and len(words) <= LONGEST_KEY:
        return words
    digest = hashlib.sha256(store.encode(errors="replace")).hexdigest()[:8]
    return "-".join(filter(None, [words[:LONGEST_KEY], digest]))
