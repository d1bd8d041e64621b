"""Where things are in Prefect's UI: the form of an answer to a hold, filled in, and a store's page of holds.

A link does nothing by itself: it opens the form, and whoever follows it adds a name and submits. The forms are those of
the deployments of the flows' names, which `bootstrap` makes; where there are none (no server of one's own, or one that
was not set up), there are no links. The address is Prefect's setting PREFECT_UI_URL, by default PREFECT_API_URL's.
"""

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, get_current_settings

from tasks.in_prefect.holds_artifact import holds_artifacts, holds_key
from tasks.ledger import HoldRow

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
