"""The desk's flows, imported once, by the id under which the server knows them."""

from importlib import import_module
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import PrefectClient

from flows.catalog import FLOWS


class WarmFlows:
    """All flows of the catalogue, imported at once: what a run needs is there before the run is."""

    def __init__(self) -> None:
        self._by_name = {name: _flow(module, name) for name, module in FLOWS.items()}
        self._names: dict[UUID, str] = {}

    async def of(self, client: PrefectClient, flow_id: UUID) -> Flow[..., Any] | None:
        """The flow of this id; nothing where it is none of the desk's."""
        if flow_id not in self._names:
            self._names[flow_id] = (await client.read_flow(flow_id)).name
        return self._by_name.get(self._names[flow_id])


def _flow(module: str, name: str) -> Flow[..., Any]:
    flow: Flow[..., Any] = getattr(import_module(module), name.replace("-", "_"))
    return flow
