"""What the receiver counts, for Prometheus. No label names a return, a store or a person."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from deployments.receiver.offers import WaitingReturn

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The numbers of one receiver; those of the inbox are read from it when they are asked for."""

    def __init__(self) -> None:
        self.registry = of = CollectorRegistry()
        self._received = Counter("rever_webhook_received", "Deliveries by outcome", ["outcome"], registry=of)
        self._seconds = Histogram(
            "rever_webhook_answer_seconds",
            "Of a delivery, until it is answered",
            buckets=_BUCKETS,
            registry=of,
        )
        self._offered = Counter(
            "rever_webhook_offered_runs", "Runs that Prefect was asked for", ["deployment"], registry=of
        )
        self._cancelled = Counter(
            "rever_webhook_cancelled_runs", "Offered runs that another run made needless before they began", registry=of
        )
        self._acted_on = Counter("rever_webhook_acted_on", "Events that a run has acted on", registry=of)
        self._given_up = Counter("rever_webhook_given_up", "Events for which no run is offered any more", registry=of)
        self._closed = Counter(
            "rever_webhook_closed", "Events closed because of what REVER says of their return", ["reason"], registry=of
        )
        self._waiting = Gauge("rever_webhook_waiting_events", "Events that no run has acted on yet", registry=of)
        self._oldest = Gauge("rever_webhook_oldest_waiting_seconds", "Age of the oldest waiting event", registry=of)

    def received(self, outcome: str, seconds: float) -> None:
        """One delivery was answered. Repeats are the outcome `repeat`."""
        self._received.labels(outcome).inc()
        self._seconds.observe(seconds)

    def offered(self, deployment: str) -> None:
        """Prefect has taken a run of this deployment."""
        self._offered.labels(deployment).inc()

    def cancelled(self, runs: int) -> None:
        """So many offered runs were cancelled before they began."""
        self._cancelled.inc(runs)

    def acted_on(self, events: int) -> None:
        """So many events were acted on."""
        self._acted_on.inc(events)

    def given_up(self, events: int) -> None:
        """So many events were given up."""
        self._given_up.inc(events)

    def closed(self, reason: str, events: int) -> None:
        """So many events were closed for this reason: `unknown_return` or `other_store`."""
        self._closed.labels(reason).inc(events)

    def text(self, waiting: list[WaitingReturn], now: datetime) -> bytes:
        """All of it in Prometheus' text format."""
        self._waiting.set(sum(item.events for item in waiting))
        oldest = min((item.first for item in waiting), default=now)
        self._oldest.set(max(0.0, (now - oldest).total_seconds()))
        return generate_latest(self.registry)
