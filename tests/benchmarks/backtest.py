"""A backtest over made-up returns: `python -m tests.benchmarks.backtest [--returns 10000] [--profile]`.

Three months of one shop, two policies of 25 rules each that differ in three. REVER is not asked: what is measured is
the replay alone. The same returns are made each time.
"""

import argparse
import asyncio
import cProfile
import os
import pstats
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Generic, TypeVar

from rever_api.models import (
    Address,
    Compensation,
    EcommerceSettings,
    LogisticsEntry,
    Product,
    Refund,
    RefundSettings,
    ReturnLineItem,
    ReturnProcess,
    Review,
    Shopper,
)
from tasks.backtest_policy import replay_in_processes, usable_cores
from tasks.policy.backtest.backtest import StorePolicies, backtest
from tasks.policy.backtest.past import PastReturn
from tasks.policy.record import Record
from tasks.policy.store import RefundsBy, StoreRules
from tests.benchmarks.peers.plain_rules import differing
from tests.benchmarks.served import WrongBooksError
from tests.benchmarks.text import table
from tests.tasks.policy.rule_texts import rules_of

FoundT = TypeVar("FoundT")

UNTIL = datetime(2026, 4, 1, tzinfo=UTC)
DAYS = 90
COUNTRIES = ("ES", "ES", "ES", "PT", "FR", "DE", "IT", "SE")
REASONS = ("WRONG_SIZE_TOO_BIG", "WRONG_SIZE_TOO_SMALL", "NOT_AS_EXPECTED", "DEFECTIVE", "CHANGED_MIND")
METHODS = ("ORIGINAL_PAYMENT_METHOD",) * 5 + ("GIFT_CARD",)

RULES = """\
rules:
- {name: defective is free, when: {reason: {is: DEFECTIVE}}, then: {no_fee: {}}}
- {name: new line is free, when: {sku: {starts_with: NEW-}}, then: {no_fee: {}}}
- {name: Spain, when: {country: {is: ES}}, then: {fee: {amount: 4.00 EUR}}}
- {name: Portugal, when: {country: {is: PT}}, then: {fee: {amount: 5.00 EUR}}}
- {name: EU, when: {country: {is_one_of: [FR, DE, IT]}}, then: {fee: {amount: 9.00 EUR}}}
- {name: elsewhere, then: {fee: {amount: 19.00 EUR}}}
- {name: final sale, when: {sku: {in_list: final}}, then: {decline: {why: final sale}}}
- {name: promotion, when: {sku: {starts_with: PROMO-}}, then: {decline: {why: promotion}}}
- name: half price
  when: {discount_share: {at_least: 50 %}}
  then: {methods: {only: [GIFT_CARD], instead: [GIFT_CARD]}}
- name: credit only
  when: {sku: {is_one_of: [SKU-3, SKU-4]}}
  then: {methods: {only: [GIFT_CARD], instead: [GIFT_CARD]}}
- {name: dear, when: {return_value: {over: 400.00 EUR}}, then: {approve: {who: olga, why: it is dear}}}
- {name: coats, when: {sku: {is_one_of: [SKU-7, SKU-8]}}, then: {approve: {who: quality, why: look at the seams}}}
- {name: many units, when: {units: {at_least: 8}}, then: {approve: {who: olga, why: many units}}}
- name: many returns
  when: {earlier_returns: {at_least: 3, within_days: 60}}
  then: {approve: {who: olga, why: the fourth in 60 days}}
- {name: worn, when: {reject_reason: {has: worn}}, then: {approve: {who: quality, why: some are worn}}}
- {name: cheap, when: {all: [{return_value: {at_most: 9.00 EUR}}, {lines: {is: 1}}]}, then: {keep_item: {}}}
- name: trusted credit
  when: {all: [{method: {is: GIFT_CARD}}, {line_value: {under: 60.00 EUR}}]}
  then: {pay: {at: first_scan}}
- {name: buffer, when: {reason: {is: CHANGED_MIND}}, then: {pay: {at: inspection, plus_days: 2}}}
- {name: inspected, then: {pay: {at: inspection}}}
- {name: out of stock, then: {out_of_stock: {do: refund, refund_by: ORIGINAL_PAYMENT_METHOD}}}
- name: parts of kits
  when: {all: [{sku: {starts_with: KIT-}}, {not: {quantity: {at_least: 2}}}]}
  then: {approve: {who: quality, why: is the kit whole}}
- {name: engraving, when: {sku: {is: ENGRAVING}}, then: {add_on: {}}}
- name: pickups of the dear
  when: {all: [{return_method: {is: HOME_PICK_UP}}, {return_value: {over: 300.00 EUR}}]}
  then: {carrier: {name: SENDCLOUD/DHL}}
- {name: others, then: {carrier: {name: SENDCLOUD/CORREOS}}}
- name: old
  when: {all: [{days_since_start: {over: 45}}, {reviewed: {is: false}}]}
  then: {approve: {who: olga, why: older than 45 days}}
lists:
  final: [SKU-1, SKU-2]
"""
CANDIDATE = (
    RULES.replace("over: 400.00", "over: 250.00")
    .replace("{fee: {amount: 5.00 EUR}}", "{fee: {amount: 6.50 EUR}}")
    .replace("under: 60.00", "under: 90.00")
)


def policies() -> StorePolicies:
    """The policy in force, and a candidate that asks earlier, charges more and pays credit sooner."""
    settings = EcommerceSettings(ecommerce_id="acme", currency="EUR", refund=RefundSettings(timing="ON_ITEM_VERIFIED"))
    current = StoreRules("acme", settings, RefundsBy.US, merchant_rules=rules_of(RULES))
    return StorePolicies(current, replace(current, merchant_rules=rules_of(CANDIDATE)))


def history(returns: int) -> list[PastReturn]:
    """Returns of three months, most of them inspected some days after they began, and refunded by somebody."""
    random = Random(7)
    return [_past(number, returns, random) for number in range(returns)]


def _past(number: int, returns: int, random: Random) -> PastReturn:
    began = UNTIL - timedelta(days=DAYS) * (1 - number / returns)
    lines = tuple(_line(f"retl_{number}_{place}", random) for place in range(random.choice((1, 1, 1, 2, 3))))
    at = began + timedelta(days=random.uniform(2, 12))
    inspected = at < UNTIL
    reviews = [
        Review(line_item_id=line.id, status="APPROVED", review_date=at)
        if random.random() < 0.94
        else Review(line_item_id=line.id, status="DECLINED", reject_reason="worn", review_date=at)
        for line in lines
        for _ in range(line.quantity)
        if inspected
    ]
    worth = sum((line.total_price or Decimal(0) for line in lines), Decimal(0))
    refunds = (Refund(amount=worth, currency="EUR", type=METHODS[0], refunded_at=at),) if inspected else ()
    process_id = f"retp_{number:06}"
    process = ReturnProcess(
        rever_process_id=process_id,
        rever_process_status="COMPLETED" if inspected else "RUNNING",
        return_line_items=lines,
        return_status="COMPLETED" if inspected else "COLLECTED",
        ecommerce_id="acme",
        order_id=f"ord_{number}",
        order_name=f"#{10_000 + number}",
        started_at=began,
        updated_at=min(at, UNTIL),
        return_method=random.choice(("HOME_PICK_UP", "DROP_OFF_POINT")),
        pickup_address=Address(country_code=random.choice(COUNTRIES), city="Somewhere", address_line_1="1"),
        shopper=Shopper(email=f"shopper{random.randrange(returns * 7 // 10)}@example.com"),
        return_costs=Decimal(0),
        reviews=tuple(reviews),
        compensation=Compensation(refunds=refunds),
        logistics=(LogisticsEntry(status="IN_WAREHOUSE" if inspected else "COLLECTED"),),
    )
    return PastReturn("acme", process, Record(process_id))


def _line(line_id: str, random: Random) -> ReturnLineItem:
    price, quantity = Decimal(random.randrange(800, 18_000)) / 100, random.choice((1, 1, 1, 2))
    prefix = random.choice(("SKU", "SKU", "SKU", "SKU", "NEW", "PROMO", "KIT"))
    discount = (price * quantity * random.choice((0, 0, 0, 20, 55)) / 100).quantize(Decimal("0.01"))
    return ReturnLineItem(
        id=line_id,
        quantity=quantity,
        return_reason=random.choice(REASONS),
        product=Product(sku=f"{prefix}-{random.randrange(60)}", product_id="p", variant_id="v"),
        unit_price=price,
        subtotal_price=price * quantity,
        total_discounts=discount,
        total_taxes=Decimal(0),
        total_price=price * quantity - discount,
        currency="EUR",
        compensation_method=random.choice(METHODS),
    )


@dataclass(frozen=True, slots=True)
class Figures:
    """How long a backtest of so many returns took, in seconds and of the processor: in one process, in `processes`,
    and as plain functions. `load` is the machine's, of the last minute, before and after.
    """

    returns: int
    differences: int
    one_s: float
    one_cpu_s: float
    processes: int
    split_s: float
    split_cpu_s: float
    plain_s: float
    plain_cpu_s: float
    load: tuple[float, float]

    @property
    def times_plain(self) -> float:
        """How many times the plain functions' work it is."""
        return self.one_cpu_s / self.plain_cpu_s


def measured(returns: int) -> Figures:
    """Measure a backtest of these returns; it must come out the same in several processes as in one."""
    past, stores = history(returns), {"acme": policies()}
    before, many = os.getloadavg()[0], max(2, usable_cores())
    one = _timed(lambda: backtest(past, stores, UNTIL))
    split = _timed(lambda: asyncio.run(replay_in_processes(past, stores, UNTIL, (), many)))
    plain = _timed(lambda: differing(it.process for it in past))
    if split.found != one.found:
        msg = "the backtest is another in several processes"
        raise WrongBooksError(msg)
    load = before, os.getloadavg()[0]
    return Figures(returns, len(one.found.differences), *one.took, many, *split.took, *plain.took, load)


@dataclass(frozen=True, slots=True)
class _Timed(Generic[FoundT]):
    found: FoundT
    took: tuple[float, float]


def _timed(work: Callable[[], FoundT]) -> _Timed[FoundT]:
    """What the work finds, and its seconds: those of the clock, and those of the processor, child processes too."""
    began, used = time.perf_counter(), _cpu()
    found = work()
    return _Timed(found, (time.perf_counter() - began, _cpu() - used))


def _cpu() -> float:
    """Seconds of the processor that this process has used, and those of its children that have ended."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(it.ru_utime + it.ru_stime for it in both)


def lines_of(it: Figures) -> Iterator[str]:
    """The figures as a table."""
    rows = [
        ("one process", it.one_s, it.one_cpu_s),
        (f"{it.processes} processes", it.split_s, it.split_cpu_s),
        ("plain functions, asked once", it.plain_s, it.plain_cpu_s),
    ]
    head = [f"{it.returns:,} returns, 25 rules", "s", "s of the processor", "x plain functions"]
    cells = [[name, f"{s:.2f}", f"{cpu:.2f}", f"{cpu / it.plain_cpu_s:.0f}"] for name, s, cpu in rows]
    yield from table(head, cells)
    yield f"load of the machine: {it.load[0]:.1f} before, {it.load[1]:.1f} after; {it.differences} differences"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.backtest", description=__doc__)
    parser.add_argument("--returns", type=int, default=10_000)
    parser.add_argument("--profile", action="store_true", help="where the time goes, by cProfile")
    asked = parser.parse_args()
    if asked.profile:
        profile = cProfile.Profile()
        profile.runcall(backtest, history(asked.returns), {"acme": policies()}, UNTIL)
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return
    print(*lines_of(measured(asked.returns)), sep="\n")


if __name__ == "__main__":
    main()
