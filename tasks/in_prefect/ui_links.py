"""Where things are in Prefect's UI: the form of an answer to a hold, filled in, and a store's page of holds.

A link does nothing by itself: it opens the form, and whoever follows it adds a name and submits. The forms are those of
the deployments of the flows' names, which `bootstrap` makes; where there are none (no server of one's own, or one that
was not set up), there are no links. The address is Prefect's setting PREFECT_UI_URL, by default PREFECT_API_URL's.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import quote
from uuid import UUID

import httpx
from httpx import HTTPStatusError, codes
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import (
    ArtifactCollectionFilter,
    ArtifactCollectionFilterKey,
    ArtifactFilter,
    ArtifactFilterKey,
)
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, get_current_settings

from tasks.ledger import HoldRow

# The artifact with a store's open holds: one a store, which is written over, so that its address stays the same.
#
# It belongs to no run: Prefect removes runs of long ago with what they left, and this is what waits now.

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


ANSWER_ONE, ANSWER_MANY = "answer-hold", "answer-holds"
"""The deployments, and their flows, that take answers."""

_FORM, _PAGE = "#form", "#page"
"""The end of a link: where somebody has to log in first, Prefect's UI (seen in 3.8 and 3.9) appends `?tab=...` to the
link that it goes on to, which would spoil parameters."""


@dataclass(frozen=True, slots=True)
class UiLinks:
    """The links of one Prefect server; those to what is not there are empty. `ui` has no slash at its end.

    `one` and `many` are the ids of the deployments that take answers, `credentials` the name of the block that their
    runs need to reach the same account, and `pages` the artifacts with the open holds, by store.
    """

    ui: str = ""
    one: str = ""
    many: str = ""
    credentials: str = ""
    pages: Mapping[str, UUID] = field(default_factory=lambda: MappingProxyType({}))

    def answers(self, hold: HoldRow) -> dict[str, str]:
        """Each answer that the hold takes -> the form with the hold and the answer filled in. Empty without a form."""
        if not self.one:
            return {}
        about = {"hold_id": hold.hold_id, "version": hold.version}
        return {str(word): self._form(self.one, about | {"answer": str(word)}) for word in hold.answers}

    def cause(self, cause: str, store: str, listed: str) -> str:
        """The form of one answer to all holds of a cause at a store, as they are listed. Empty without a form."""
        return self._form(self.many, {"cause": cause, "stores": [store], "listed": listed}) if self.many else ""

    def page(self, store: str) -> str:
        """The page of a store's open holds; where it is not known, the list of those with its key. Empty without UI."""
        if not self.ui:
            return ""
        at = f"artifact/{self.pages[store]}" if store in self.pages else f"key/{holds_key(store)}"
        return f"{self.ui}/artifacts/{at}{_PAGE}"

    def _form(self, deployment_id: str, values: Mapping[str, object]) -> str:
        form = {**values, "mode": "act", **({"credentials": self.credentials} if self.credentials else {})}
        filled = quote(json.dumps({"parameters": form}, separators=(",", ":")), safe="")
        return f"{self.ui}/deployments/deployment/{deployment_id}/run?parameters={filled}{_FORM}"


NO_LINKS = UiLinks()


def this_ui() -> UiLinks:
    """The links that need no deployment, of the configured server; none where there is none."""
    return UiLinks(_ui()) if PREFECT_API_URL.value() else NO_LINKS


async def ui_links(client: PrefectClient, stores: Collection[str], credentials: str = "") -> UiLinks:
    """The links of the server that this client talks to. Raises as the client does, but not where nothing is there."""
    if not PREFECT_API_URL.value():  # a server that Prefect brings up for one run, and ends with it
        return NO_LINKS
    one, many = [await _deployment(client, name) for name in (ANSWER_ONE, ANSWER_MANY)]
    return UiLinks(_ui(), one, many, credentials, await holds_artifacts(client, stores))


def ui_links_now(stores: Collection[str], timeout_s: float) -> UiLinks:
    """The links of the configured server; none where none is configured, or it does not respond in time."""
    if not PREFECT_API_URL.value():
        return NO_LINKS

    async def ask() -> UiLinks:
        async with asyncio.timeout(timeout_s), get_client() as client:
            return await ui_links(client, stores)

    try:
        return asyncio.run(ask())
    except (httpx.HTTPError, OSError, TimeoutError, PrefectException, RuntimeError):
        return NO_LINKS


async def _deployment(client: PrefectClient, name: str) -> str:
    """The id of the deployment of a flow's name; empty where there is none."""
    try:
        return str((await client.read_deployment_by_name(f"{name}/{name}")).id)
    except ObjectNotFound:
        return ""


def _ui() -> str:
    """The address of Prefect's UI: of its second version, where that is not switched off."""
    ui = (PREFECT_UI_URL.value() or "").rstrip("/")
    second = ui and get_current_settings().server.ui.v2_enabled and not ui.endswith("/v2")
    return f"{ui}/v2" if second else ui
