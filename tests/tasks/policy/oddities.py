"""Returns, records and stores as odd as the models allow, from a seed: mostly sound, each part now and then not.

A plain seeded generator: Hypothesis' own strategies are too slow for so many fields, and too seldom sound in all of
them at once to come past the first rules.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from rever_api.models import ReturnProcess
from tasks.policy.record import (
    HoldKind,
    Intent,
    IntentKind,
    IntentState,
    LineTerms,
    LineUnits,
    OpenHold,
    Record,
    Waiver,
)
from tasks.policy.store import RefundsBy, StoreRules
from tests.tasks.policy.factories import BANK, EXCHANGE, GIFT, NOW, ORIGINAL, rules

T = TypeVar("T")

TIMES = [NOW, NOW - timedelta(days=9), datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)]
WAIVABLE = (
    *("foreign_refund", "foreign_exchange", "second_exchange", "terms_changed", "fewer_approvals", "refused_by_rever"),
    *("out_of_stock", "rever_shows_less", "not_received", "not_paid_by_rever", "label_error", "label_refused"),
    *("no_carrier", "label_not_shown"),
)


class Odd:
    """Draws from a seed; `usual` is drawn twenty-four times in twenty-five."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def one(self, usual: Sequence[T], odd: Sequence[T] = ()) -> T:
        return self.random.choice(odd if odd and self.random.random() < 0.04 else usual)

    def maybe(self, chance: float) -> bool:
        return self.random.random() < chance

    def amount(self) -> str | None:
        usual = ["10.00", "10.00", "3.33", "6.67", "0", f"{self.random.randrange(5000)}.50"]
        return self.one(usual, [None, "10.001", "-1", "123456789012345678.99"])

    def line(self, line_id: str) -> dict[str, Any]:
        return {
            "id": self.one([line_id], ["a"]),
            "quantity": self.one([1, 1, 2, 3], [0, -1, 10**11]),
            "total_price": self.amount(),
            "currency": self.one(["EUR"], ["JPY", "", "eur", "EURO"]),
            "compensation_method": self.one([ORIGINAL, ORIGINAL, GIFT, BANK, EXCHANGE], ["", "BIZUM"]),
            "return_reason": self.one(["OTHER", "OTHER", "NOT_RECEIVED"]),
            "exchange_for": self.one([{"variant_id": "v"}], [None, {}]),
        }

    def reviews(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for line in lines:
            for _ in range(self.random.randint(0, max(0, min(line["quantity"], 4))) + self.maybe(0.03)):
                status = self.one(["APPROVED", "APPROVED", "APPROVED", "DECLINED", "MISSING"], ["APPROVED", "HM"])
                line_id = self.one([line["id"]] * 9, ["zz", line["id"]])
                found.append({"line_item_id": line_id, "status": status, "review_date": self.one([NOW, None], TIMES)})
        return found

    def refund(self) -> dict[str, Any]:
        return {
            "amount": self.amount() or "10.00",
            "currency": self.one(["EUR"], ["JPY", "xx"]),
            "type": self.one([ORIGINAL, ORIGINAL, GIFT, BANK], ["", "BIZUM"]),
            "missing_amount": self.one([None, None, "0", "1.00"]),
        }

    def process(self) -> ReturnProcess:
        lines = [self.line(name) for name in "abc"[: self.one([1, 1, 2, 3], [0])]]
        parcels = ["CREATED", "COLLECTED", "IN_WAREHOUSE", "CANCELED", "NO_SHIPPING_STATUS", "ERROR"]
        order = {"order_id": "1", "ordered_items": [{"variant_id": self.one(["v"], ["w"])}]}
        told: dict[str, Any] = {
            "reviews": self.reviews(lines),
            "return_costs": self.one(["0", "0", "2.00", "15.00"], ["-1", "0.001", "99999999999999999"]),
            "compensation": {
                "refunds": [self.refund() for _ in range(self.one([0, 0, 1, 2]))],
                "exchange_order": self.one([None, None, None, order]),
            },
            "logistics": [{"status": self.one(parcels, ["", "?"])} for _ in range(self.one([0, 1, 2]))],
            "started_at": self.one([NOW], TIMES),
            "updated_at": self.one([NOW], TIMES),
            "return_method": self.one(["HOME_PICK_UP", "DROP_OFF_POINT", "IN_STORE"], ["?", ""]),
            "return_status": self.one(["STARTED", "COLLECTED", "REVIEW_REQUIRED", "COMPLETED"], ["?", ""]),
            "pickup_address": self.one([{"country": "ES"}], [{}]),
        }
        kept = {name: value for name, value in told.items() if not self.maybe(0.02)}
        if "compensation" in kept and self.maybe(0.02):
            del kept["compensation"]["refunds"]
        status = self.one(["RUNNING"] * 6 + ["COMPLETED"], ["CANCELED", "FAILED", "ON_HOLD", "ODD"])
        named = {"rever_process_id": "retp_1", "rever_process_status": status, "return_line_items": lines}
        return ReturnProcess.model_validate({**named, **kept})

    def intent(self, number: int) -> Intent:
        kind = self.one([IntentKind.REFUND, IntentKind.REFUND, IntentKind.EXCHANGE, IntentKind.LABEL])
        ended = [state for state in IntentState if state not in {"intended", "sent", "unknown"}]
        amount = Decimal(self.one(["10.00", "3.33", "0"]))
        units = tuple(sorted({self.one([1, 2, 3], [-1, 0, 9]) for _ in range(2)}))
        return Intent(
            id=f"i{number}",
            kind=kind,
            state=self.one(ended, list(IntentState)),
            items=() if kind is IntentKind.LABEL else (LineUnits(self.one(["a", "a", "b"], ["zz"]), units),),
            method=self.one([ORIGINAL, GIFT], ["", EXCHANGE]),
            currency=self.one(["EUR"], ["JPY", ""]),
            amount=amount,
            gross=amount,
            generation=self.one([1, 2], [0]),
            created_at=self.one([NOW, None], TIMES),
            sent_at=self.one([NOW, None], TIMES),
            look_at=self.one([NOW, None], TIMES),
            error_code=self.one(["", "9", "3"]),
            adopted=self.maybe(0.2),
            nothing_sent=not amount,
        )

    def record(self, process: ReturnProcess) -> Record:
        """A record that mostly agrees with the process about terms and costs."""
        fixed = {
            line.id: LineTerms(line.total_price or Decimal(0), self.one([line.quantity], [0, 5]), line.currency)
            for line in process.return_line_items
            if self.maybe(0.3)
        }
        holds = [OpenHold(f"h{flag}", 1, HoldKind.GUARD, "guard", "why", NOW, label=flag) for flag in (True, False)]
        return Record(
            process_id="retp_1",
            costs=self.one([None, process.return_costs], [Decimal(1), Decimal("1E+30")]),
            lines=fixed,
            intents=tuple(self.intent(number) for number in range(self.one([0, 0, 0, 1, 2, 3]))),
            holds=tuple(hold for hold in holds if self.maybe(0.04)),
            waivers=tuple(
                Waiver(rule, self.one([Decimal(10**6), None]), "EUR", self.one(["", "i0"]))
                for rule in WAIVABLE
                if self.maybe(0.1)
            ),
        )

    def rules(self) -> StoreRules:
        return rules(
            self.one([RefundsBy.US, RefundsBy.US, RefundsBy.REVER], [RefundsBy.UNSTATED]),
            timing=self.one(["ON_ITEM_VERIFIED", "", "ON_START", "ON_ITEM_SENT"], ["NO_TIMING", "?"]),
            carriers=self.one([rules().settings.carriers], [()]),
            omits=self.maybe(0.3),
            not_received=self.one(["approved", "hold"]),
            out_of_stock=self.one(["hold", GIFT]),
        )
