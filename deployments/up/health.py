"""Whether a child does its work: asked over HTTP, as those who need it will."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from uuid import uuid4

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


def polls(api_url: str, pool: str, name: str, auth: tuple[str, str]) -> Healthy:
    """Healthy once Prefect has heard from the worker of this name in this pool, since it was started."""
    asker, token = f"up-{uuid4()}", dict[str, str]()

    def healthy(began: float) -> bool:
        with suppress(httpx.HTTPError, ValueError, KeyError):
            asked = partial(httpx.request, auth=auth, trust_env=False, timeout=_PATIENCE_S)
            if not token:  # what Prefect asks of everything but a GET (PREFECT_SERVER_CSRF_PROTECTION_ENABLED)
                found = asked("GET", f"{api_url}/csrf-token", params={"client": asker}).json()
                token.update({"Prefect-Csrf-Token": found.get("token", ""), "Prefect-Csrf-Client": asker})
            answer = asked("POST", f"{api_url}/work_pools/{pool}/workers/filter", json={}, headers=token)
            if not answer.is_success:
                token.clear()
                return False
            heard = [worker["last_heartbeat_time"] for worker in answer.json() if worker["name"] == name]
            return any(datetime.fromisoformat(at).timestamp() >= began for at in heard)
        return False

    return healthy
