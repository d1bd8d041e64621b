"""Whether a child does its work: asked over HTTP, as those who need it will."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import httpx

Healthy = Callable[[float], bool]

_PATIENCE_S = 2.0


def answers(url: str) -> Healthy:
    """Healthy once this address answers with 200."""

    def healthy(_began: float) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(url, trust_env=False, timeout=_PATIENCE_S).status_code == httpx.codes.OK
        return False

    return healthy


def polls(api_url: str, pool: str, name: str, auth: tuple[str, str] | None) -> Healthy:
    """Healthy once Prefect has heard from the worker of this name in this pool, since it was started."""

    def healthy(began: float) -> bool:
        with suppress(httpx.HTTPError, ValueError, KeyError):
            url = f"{api_url}/work_pools/{pool}/workers/filter"
            answer = httpx.post(url, json={}, auth=auth, trust_env=False, timeout=_PATIENCE_S).raise_for_status()
            heard = [worker["last_heartbeat_time"] for worker in answer.json() if worker["name"] == name]
            return any(datetime.fromisoformat(at).timestamp() >= began for at in heard)
        return False

    return healthy
