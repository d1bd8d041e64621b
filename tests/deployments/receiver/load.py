"""A load of webhooks: events of returns, some sent twice, some with a bad signature, by a sender that asks again."""

import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import httpx
from pydantic import SecretStr

from rever_api.webhooks import SIGNATURE_HEADER, sign

BAD = SecretStr("a-secret-that-nobody-shares")
AT_ONCE = 8
AGAIN_S = 0.2


@dataclass(frozen=True)
class Load:
    """Deliveries in the order in which they are sent: raw body, and whether its signature is good."""

    deliveries: tuple[tuple[bytes, bool], ...]

    @classmethod
    def of(cls, process_ids: Sequence[str], many: int, *, repeats: float, bad: float, seed: int) -> "Load":
        """So many deliveries about these returns, in turn, shuffled."""
        random = Random(seed)
        wrong, again = round(many * bad), round(many * repeats)
        events = [_event(process_ids[number % len(process_ids)], number) for number in range(many - again - wrong)]
        forged = [_event(process_ids[number % len(process_ids)], many + number) for number in range(wrong)]
        deliveries = [(raw, True) for raw in (*events, *random.choices(events, k=again))]
        deliveries += [(raw, False) for raw in forged]
        random.shuffle(deliveries)
        return cls(tuple(deliveries))

    @property
    def events(self) -> set[bytes]:
        """The valid events: each counts once."""
        return {raw for raw, good in self.deliveries if good}


def _event(process_id: str, number: int) -> bytes:
    told = {
        "rever_process_id": process_id,
        "rever_process_status": "RUNNING",
        "order_name": f"#{number}",
        "shopper": {"email": "ann@example.com"},
        "logistics": [{"status": "IN_WAREHOUSE"}],
    }
    return json.dumps(told).encode()


@dataclass
class Sent:
    """What the sender saw: the statuses for each body, how long each answer took, and how many times it sent again."""

    answers: dict[bytes, list[int]] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    unanswered: int = 0

    def times(self) -> str:
        """Median, 99 % and worst in words."""
        ordered = sorted(self.seconds)
        median, worst = statistics.median(ordered), ordered[-1]
        return (
            f"median {median * 1000:.1f} ms, 99 % {ordered[int(len(ordered) * 0.99)] * 1000:.1f} ms,"
            f" worst {worst * 1000:.0f} ms of {len(ordered)}"
        )


async def send(
    url: str, load: Load, secret: SecretStr, *, at_once: int = AT_ONCE, on: Callable[[int], None] = lambda _: None
) -> Sent:
    """Send all, several at once; again what gets no answer, or a 503. `on` is told how many were begun."""
    sent = Sent()
    todo = _numbered(load, on)
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=at_once), trust_env=False) as http:

        async def sender() -> None:
            async for raw, good in todo:
                await _deliver(http, url, raw, secret if good else BAD, sent, good=good)

        await asyncio.gather(*(sender() for _ in range(at_once)))
    return sent


async def _numbered(load: Load, on: Callable[[int], None]) -> AsyncIterator[tuple[bytes, bool]]:
    for number, delivery in enumerate(load.deliveries):
        on(number)
        yield delivery


async def _deliver(http: httpx.AsyncClient, url: str, raw: bytes, secret: SecretStr, sent: Sent, *, good: bool) -> None:
    headers = {"content-type": "application/json", SIGNATURE_HEADER: sign(raw, secret)}
    while True:
        began = time.perf_counter()
        try:
            answer = await http.post(url, content=raw, headers=headers)
        except httpx.TransportError:
            sent.unanswered += 1
            await asyncio.sleep(AGAIN_S)
            continue
        sent.seconds.append(time.perf_counter() - began)
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # not stored: "send it again"
            sent.unanswered += 1
            await asyncio.sleep(AGAIN_S)
            continue
        if good and answer.status_code in {200, 202}:
            sent.answers.setdefault(raw, []).append(answer.status_code)
        else:
            sent.refused[answer.status_code] += 1
        return
