"""What happens at the same time: each case lets the worker that is hit meet another actor."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from rever_api.models import Compensation, ProcessStatus, RefundTiming, ReviewStatus
from rever_api.sandbox import further
from rever_api.sandbox.faults import Fault, NamedFault
from rever_api.sandbox.labels import label_pdf
from rever_api.sandbox.shops import catalogue
from tasks.crash_points import CrashPoint
from tasks.policy.rules.gates import ARCHIVED
from tests.asked import ORDER
from tests.proof import bad_days
from tests.proof.crashes import Crash, answer_values, leave_held
from tests.proof.terms import Terms
from tests.proof.workers import STORE, TIMEOUT_S, Blow, Step, Strike, Worker
from tests.proof.world import CellWorld

Meanwhile = Callable[[CellWorld], None]
SEEN_BY_ALL_S = 45
"""Longer than a stale read of the sandbox is stale: what happened before that, everybody can see."""
IN_MID_WORK = (CrashPoint.AFTER_CLAIM, CrashPoint.AFTER_SENT, CrashPoint.AFTER_ANSWER)
FAR_AHEAD_S = 400 * 86_400.0


@dataclass(frozen=True, slots=True)
class Case:
    """A same-time case: `play` starts the crash's worker and whoever meets it, and awaits both.

    `scenarios` are the returns it is about, where not just any; `before` comes before what leads up to the crash.
    `after` is what a person does after each later run.
    """

    name: str
    words: str
    play: Callable[[CellWorld, Crash], None]
    scenarios: tuple[str, ...] = ()
    before: Callable[[CellWorld], None] = lambda _: None
    after: Callable[[CellWorld], None] = lambda _: None


def _begin(
    world: CellWorld, crash: Crash, meanwhile: Meanwhile | None = None, point: str = CrashPoint.AFTER_CLAIM
) -> Worker:
    """Start the crash's worker. It is stopped at a point for `meanwhile`, and for REVER to refuse connections."""
    if meanwhile is None and not world.refuses:
        return crash.start(world)
    worker = crash.start(world, Strike(Blow.STOP, point))
    stopped = worker.rest()
    if meanwhile is not None:
        meanwhile(world)
    if world.refuses:
        world.close()
    if stopped:
        worker.go_on()
    return worker


def _alone(world: CellWorld, crash: Crash) -> None:
    crash.watch(world, _begin(world, crash))


def _beside(start: Callable[[CellWorld], Worker]) -> Callable[[CellWorld, Crash], None]:
    """Another worker starts just before the one that is hit."""

    def play(world: CellWorld, crash: Crash) -> None:
        other = start(world)
        crash.watch(world, _begin(world, crash))
        other.wait()

    return play


def _held_up(meanwhile: Meanwhile) -> Callable[[CellWorld, Crash], None]:
    """Something happens while the one that is hit stands between its search and its second read."""

    def play(world: CellWorld, crash: Crash) -> None:
        crash.watch(world, _begin(world, crash, meanwhile))

    return play


def _overlapping(world: CellWorld, crash: Crash) -> None:
    others: list[Worker] = []

    def meanwhile(world: CellWorld) -> None:
        others.append(world.start())
        time.sleep(world.random.uniform(0.0, 0.15))

    crash.watch(world, _begin(world, crash, meanwhile))
    others[0].wait()


def _believed_dead(world: CellWorld, crash: Crash) -> None:
    """It stands still past its lease and deadline, another takes over, then it wakes up: after the claim or `sent`."""
    point = world.random.choice((CrashPoint.AFTER_CLAIM, CrashPoint.AFTER_SENT))

    def meanwhile(world: CellWorld) -> None:
        slept = time.monotonic()
        world.pass_time(600)
        world.worker()
        time.sleep(max(0.0, slept + TIMEOUT_S / 2 + 0.05 - time.monotonic()))

    crash.watch(world, _begin(world, crash, meanwhile, point))


def _operator(world: CellWorld) -> Worker:
    ids = list(world.sandbox.process_ids())
    world.random.shuffle(ids)
    return world.start_all([Step("process-return", {"mode": "act", "process_id": process_id}) for process_id in ids])


def _two_answers(world: CellWorld, crash: Crash) -> None:
    """Two people answer the same hold, differently, while a schedule runs."""
    said = [values for answer in ("retry", "drop") if (values := answer_values(world, answer))]
    people = [world.start("answer-hold", values) for values in said]
    crash.watch(world, _begin(world, crash))
    for person in people:
        person.wait()


def _back_office(action: str) -> Meanwhile:
    """It does so to one return that still runs; what led up to the crash may have brought others to their end."""

    def meanwhile(world: CellWorld) -> None:
        with world.sandbox.sandbox.locked():
            stored = world.sandbox.sandbox.processes.values()
            still = [each.process for each in stored if each.process.rever_process_status == ProcessStatus.RUNNING]
        if still:
            world.sandbox.act(action, world.random.choice(still).rever_process_id)
        world.pass_time(SEEN_BY_ALL_S)

    return meanwhile


def _second_approval(world: CellWorld, crash: Crash) -> None:
    """One unit more of each return is approved before, and between, two runs; the second one is hit."""
    _approve_one_more(world)
    world.worker()
    _approve_one_more(world)
    world.pass_time(SEEN_BY_ALL_S)
    crash.watch(world, _begin(world, crash))
    _approve_one_more(world)


def _approve_one_more(world: CellWorld, scenarios: tuple[str, ...] = ()) -> None:
    """The warehouse approves one unit more of each return, or of each of these scenarios."""
    with world.sandbox.sandbox.locked():
        stored = world.sandbox.sandbox.processes.values()
        found = [each.process for each in stored if not scenarios or each.scenario in scenarios]
    for process in found:
        done = [review.line_item_id for review in process.reviews or ()]
        left = [line.id for line in process.return_line_items if done.count(line.id) < line.quantity]
        if left:
            world.sandbox.act("review_one", process.rever_process_id, line_item_id=left[0])


def _fifty(world: CellWorld) -> Worker:
    """Fifty times the same webhook's run, for two returns, from one receiver."""
    ids = world.random.sample(world.sandbox.process_ids(), 2)
    return world.start_all([Step("process-return", {"mode": "act", "process_id": each}, copies=25) for each in ids])


def _restored(world: CellWorld, crash: Crash) -> None:
    """A backup is taken in the middle of a run that is hit, more is done, and the backup is restored."""
    taken: list[Callable[[], None]] = []
    known: list[int] = []

    def meanwhile(world: CellWorld) -> None:
        taken.append(bad_days.back_up_now(world))
        known.append(len(world.sandbox.books))

    crash.watch(world, _begin(world, crash, meanwhile, world.random.choice(IN_MID_WORK)))
    bad_days.work_on(world)
    bad_days.put_back(world, taken[0], known[0])


def _lost(world: CellWorld, crash: Crash) -> None:
    """After a run that was hit, and others, the ledger is gone."""
    crash.watch(world, _begin(world, crash))
    bad_days.work_on(world)
    bad_days.put_back(world, lambda: bad_days.make_anew(world), 0)


ASKED_OF = {"ask-review": "in_warehouse", "ask-cancel": "collected"}
"""What each worker asks for -> the scenario of the return that it asks it of."""
MADE_LABELS = ("label_needed_drop_off", "carrier_ops")
"""Scenarios of the returns whose labels each worker registers: one that REVER makes too, one that it refuses."""


def _asked(world: CellWorld) -> None:
    """Every worker asks for the same effects before it runs its flow: they are done once."""
    asks = [Step("ask-return", {"mode": "act", "process_id": ORDER})]
    for flow, scenario in ASKED_OF.items():
        (process_id,) = world.sandbox.process_ids(scenario)
        asks.append(Step(flow, {"mode": "act", "process_id": process_id}))
    file = world.folder / "label.pdf"
    file.write_bytes(label_pdf("by hand", "by hand"))
    for number, scenario in enumerate(MADE_LABELS):
        (process_id,) = world.sandbox.process_ids(scenario)
        with world.sandbox.sandbox.locked():
            store = world.sandbox.sandbox.find(process_id).process.ecommerce_id
            carrier = world.sandbox.sandbox.shop(store).settings.carriers[0].carrier
        made = {"file": str(file), "carrier": carrier, "tracking_id": f"HAND{number}", "process_id": process_id}
        asks.append(Step("register-label", {"mode": "act", **made}))
    world.random.shuffle(asks)
    world.asks = tuple(asks)


def _far_ahead(world: CellWorld) -> None:
    """A worker whose clock is 400 days ahead works first, until it is killed or done."""
    world.break_it()
    blow = Strike(Blow.KILL, world.random.choice(IN_MID_WORK), world.random.randint(1, 3))
    world.start(strikes=[blow], wrong=FAR_AHEAD_S).wait()
    world.pass_time(120)


SOME_LEFT_OUT = 0.5
WAREHOUSE = """\
columns: {process_id: id, line: line, quantity: units, outcome: found}
words: {good: APPROVED, bad: {status: DECLINED, reason: worn}}
"""


def _warehouse(world: CellWorld) -> None:
    """Every worker imports the same file before it runs its flow: what it tells of is inspected, once.

    Of some lines it leaves a unit out, which nobody may approve then. In half of the cells it lies in a watched folder.
    """
    drop = world.folder / "in" / "warehouse"
    drop.mkdir(parents=True)
    (drop / "mapping.yaml").write_text(WAREHOUSE, encoding="utf-8")
    rows = ["id,line,units,found"]
    with world.sandbox.sandbox.locked():
        found = [stored.process for stored in world.sandbox.sandbox.processes.values()]
    for process in found:
        for line in process.return_line_items:
            seen = Counter(str(it.status) for it in process.reviews or () if it.line_item_id == line.id)
            left = line.quantity - seen.total()
            words = ["bad"] * seen["DECLINED"] + ["good"] * seen["APPROVED"]
            told = left - 1 if left > 1 and world.random.random() < SOME_LEFT_OUT else left
            words += [world.random.choice(("good", "good", "bad")) for _ in range(told)]
            world.inspected[line.id] = Counter({"APPROVED": words.count("good"), "DECLINED": words.count("bad")})
            rows += [f"{process.rever_process_id},{line.id},1,{word}" for word in words]
    _imported(world, "import-inspections", drop / "day.csv", rows, "REVER_INSPECTIONS")


def _imported(world: CellWorld, flow: str, file: Path, rows: Sequence[str], watched: str) -> None:
    """Every worker runs the flow over a file of these rows before its own: by its name, or, in half of the cells, as
    one in a watched folder, which a worker that is killed must leave so that nothing is lost.
    """
    file.write_text("\n".join(rows), encoding="utf-8")
    values = {"mode": "act"}
    if world.seed % 2:
        world.settings[watched] = str(file.parent.parent)
        world.pass_time(61)  # from then on the file is taken for complete
    else:
        values["file"] = str(file)
    world.asks = (Step(flow, values),)


BACK_OFFICE = """\
columns: {key: ref, order: order, email: mail, sku: sku, quantity: units, reason: why}
reasons: {small: WRONG_SIZE_TOO_SMALL, faulty: DEFECTIVE}
"""
LIST = """\
ref,order,mail,sku,units,why
r1,#L1,ada@example.com,ACME-001-M,1,small
r1,#L1,ada@example.com,ACME-002-S,2,faulty
r2,l1,ada@example.com,ACME-003-L,1,small
r3,#L2,bruno@example.com,ACME-001-M,1,small
r4,#L3,carla@example.com,ACME-001-M,1,who knows
"""
"""Three returns, of two orders, and a row that is refused."""


def _list(world: CellWorld) -> None:
    """Every worker imports the same list of returns, its rows in another order, before it runs its flow."""
    drop = world.folder / "lists" / "office"
    drop.mkdir(parents=True)
    (drop / "mapping.yaml").write_text(BACK_OFFICE, encoding="utf-8")
    header, *rows = LIST.splitlines()
    world.random.shuffle(rows)
    _imported(world, "import-returns", drop / "list.csv", [header, *rows], "REVER_RETURN_FILES")


OWN_RULES = """\
default:
  rules:
  - {name: as ever, then: {pay: {at: inspection}, accept: {why: all that is approved}}}
  - {name: no promos, when: {sku: {starts_with: PROMO-}}, then: {decline: {why: promotional goods}}}
  - {name: as wished, then: {methods: {only: [ORIGINAL_PAYMENT_METHOD, BANK_TRANSFER, GIFT_CARD, EXCHANGE]}}}
  - {name: several, when: {lines: {at_least: 2}}, then: {approve: {who: olga, why: more than one line}}}
  - name: regretted
    when: {reason: {is: NO_LONGER_WANTED}}
    then: {fee: {percent: 15 %, at_least: 3.00 EUR, at_most: 12.00 EUR}}
  - {name: five on top, then: {bonus: {amount: 5.00 EUR, methods: [GIFT_CARD]}}}
"""
"""Rules that ask a person where there is more than one line, take a fee in percent and give a sum on top of credit."""
OWN_TERMS = Terms("NO_LONGER_WANTED", percent=15, at_least=300, at_most=1200, credit="GIFT_CARD", on_top=500)
"""The same fee and sum, as the judge works with them."""
IN_TWO_PARTS = ("approved_two_of_three", "partially_reviewed")
"""Scenarios of which one unit more is approved between two runs: the second one is paid with a sum on top."""
REGRETTED = {
    "two_methods": ("ORIGINAL_PAYMENT_METHOD", "GIFT_CARD"),
    "refund_and_exchange": ("ORIGINAL_PAYMENT_METHOD", "EXCHANGE"),
    "costs_smaller": ("GIFT_CARD",),
} | dict.fromkeys(IN_TWO_PARTS, ("ORIGINAL_PAYMENT_METHOD", "GIFT_CARD"))
"""Scenario -> the methods whose lines bear the fee; of `costs_smaller` the other line bears REVER's costs."""
MOST_ON_TOP = Decimal(40)
"""Percent: five euros are less of each of the shop's goods. It is the auditor's bound; `OWN_TERMS` judge the cent."""


def _own_rules(world: CellWorld) -> None:
    policy, sandbox = world.folder / "policy.yaml", world.sandbox.sandbox
    policy.write_text(OWN_RULES, encoding="utf-8")
    world.settings["REVER_POLICY"] = str(policy)
    world.terms = OWN_TERMS
    with sandbox.locked():
        for stored in list(sandbox.processes.values()):
            bearing = REGRETTED.get(stored.scenario, ())
            credit = {"compensation_method": OWN_TERMS.credit} if stored.scenario == "partially_reviewed" else {}
            lines = tuple(
                line.model_copy(update=credit | {"return_reason": OWN_TERMS.reason})
                if line.compensation_method in bearing
                else line
                for line in stored.process.return_line_items
            )
            sandbox.change(stored, return_line_items=lines)
        sandbox.options = replace(sandbox.options, bonus={OWN_TERMS.credit: MOST_ON_TOP})
    world.pass_time(SEEN_BY_ALL_S)


def _approve_and_inspect(world: CellWorld) -> None:
    """A person approves what the rules ask about, and the warehouse what is left of the returns in two parts."""
    _approve(world)
    _approve_one_more(world, IN_TWO_PARTS)


SHIPPING = """\
default:
  facts: {orders: orders.csv}
  rules:
  - {name: shipping, then: {refund_shipping: {share: whole}}}
"""


def _shipping(world: CellWorld) -> None:
    """Every two returns are of one order, whose shipping the rules refund: one of them has it, once."""
    policy, sandbox = world.folder / "policy.yaml", world.sandbox.sandbox
    policy.write_text(SHIPPING, encoding="utf-8")
    world.settings["REVER_POLICY"] = str(policy)
    rows = {}
    with sandbox.locked():
        stored = list(sandbox.processes.values())
        for one, other in zip(stored[::2], stored[1::2], strict=False):
            sandbox.change(other, order_id=one.process.order_id, order_name=one.process.order_name)
        for process in (each.process for each in stored):
            rows[process.order_id] = f"{process.order_id},5,{process.return_line_items[0].currency}"
    (world.folder / "orders.csv").write_text(
        "\n".join(["order_id,shipping,currency", *rows.values()]), encoding="utf-8"
    )
    sandbox.options = replace(sandbox.options, shipping=dict.fromkeys(rows, Decimal(5)))


CALLED_OFF = """\
default:
  rules:
  - name: never sent
    when: {scanned: {is: false}, days_since_start: {at_least: 1}}
    then: {cancel: {why: not sent in time}}
"""
"""Calls off what nobody has sent, beside what is paid as ever."""


def _called_off(world: CellWorld) -> None:
    policy = world.folder / "policy.yaml"
    policy.write_text(CALLED_OFF, encoding="utf-8")
    world.settings["REVER_POLICY"] = str(policy)


def _approve(world: CellWorld) -> None:
    """A person approves what the rules ask them about."""
    held = [hold for hold in world.holds() if hold.rule == "approval"]
    if held:
        named = ",".join(f"{hold.hold_id}:{hold.version}" for hold in held)
        world.worker("answer-holds", holds=named, answer="approve", by="olga", reason="seen")


OVER_FOR_S = 500 * 86_400.0
ARCHIVING = tuple(point for point in CrashPoint if point.name.startswith("ARCHIVE_"))


def _archived(world: CellWorld) -> None:
    """Returns are paid and at their end, 500 days pass, and they are archived by a worker that is killed in it.

    Then REVER shows them as running again: those that were paid as if nothing had been, and as accepted what was
    declined. Every worker archives before it runs its flow.
    """
    world.settings["REVER_ARCHIVES"] = str(world.folder / "archives")
    world.worker()
    world.pass_time(86_400)
    world.worker()
    world.worker("reconcile")
    world.pass_time(OVER_FOR_S)
    archive = Step("archive-ledger", {"mode": "act"})
    world.start_all([archive], strikes=[Strike(Blow.KILL, world.random.choice(ARCHIVING))]).wait()
    if world.random.random() < 0.5:
        world.start_all([archive]).wait()
    with world.sandbox.sandbox.locked():
        for stored in list(world.sandbox.sandbox.processes.values()):
            accepted = {"status": ReviewStatus.APPROVED}
            reviews = tuple(it.model_copy(update=accepted) for it in stored.process.reviews or ())
            paid = stored.process.compensation if stored.scenario == "declined" else Compensation(refunds=())
            world.sandbox.sandbox.change(
                stored, rever_process_status=ProcessStatus.RUNNING, reviews=reviews, compensation=paid
            )
    world.pass_time(SEEN_BY_ALL_S)
    world.asks = (archive,)


def _approve_archived(world: CellWorld) -> None:
    """A person lets what is newly due of archived returns be paid."""
    held = [hold for hold in world.holds() if hold.rule == ARCHIVED]
    if held:
        named = ",".join(f"{hold.hold_id}:{hold.version}" for hold in held)
        world.worker("answer-holds", holds=named, answer="approve", by="olga", reason="seen")


AT_THE_SCAN = "default:\n  rules: [{name: scan, then: {pay: {at: first_scan}}}]\n"
MOVES = ("collect", "arrive", "label_ready", "")
"""What may become of a parcel between two runs; a label that is ready again takes its scan back."""


def _paid_at_the_scan(world: CellWorld) -> None:
    """The rules pay at the first scan, and every worker tracks the parcels before it runs its flow."""
    policy, sandbox = world.folder / "policy.yaml", world.sandbox.sandbox
    policy.write_text(AT_THE_SCAN, encoding="utf-8")
    world.settings["REVER_POLICY"] = str(policy)
    sandbox.options = replace(sandbox.options, judged_by=RefundTiming.ON_ITEM_SENT)
    world.asks = (Step("track-parcels", {"mode": "act"}),)
    world.sandbox.act("collect", world.sandbox.process_ids("label_ready")[0])
    world.pass_time(SEEN_BY_ALL_S)


def _move_parcels(world: CellWorld) -> None:
    """The carrier moves parcels, on and back, as long as the fault is in force."""
    if not world.broken:
        return
    with world.sandbox.sandbox.locked():
        found = [each.process for each in world.sandbox.sandbox.processes.values()]
    for process in found:
        move = world.random.choice(MOVES)
        if move and process.logistics and not process.reviews and process.rever_process_status == ProcessStatus.RUNNING:
            world.sandbox.act(move, process.rever_process_id)
    world.pass_time(SEEN_BY_ALL_S)


EACH_ALONE = "default:\n  labels: {parcels: {max_units: 1}}\n"
IN_PARCELS = ("label_needed_pickup", "label_needed_drop_off", "label_canceled")


def _several_labels(world: CellWorld) -> None:
    """Returns travel in up to three parcels, each with a label of its own; in Spain REVER refuses the first carrier.

    Every worker makes labels before it runs its flow, which makes those that are left.
    """
    policy, sandbox = world.folder / "policy.yaml", world.sandbox.sandbox
    policy.write_text(EACH_ALONE, encoding="utf-8")
    world.settings["REVER_POLICY"] = str(policy)
    world.asks = (Step("generate-labels", {"mode": "act"}),)
    parcels: dict[str, int] = {}
    with sandbox.locked():
        for process_id, stored in sandbox.processes.items():
            if stored.scenario in IN_PARCELS:
                units = parcels[process_id] = world.random.randint(1, 3)
                line = stored.process.return_line_items[0].model_copy(update={"quantity": units})
                sandbox.change(stored, return_line_items=(line,))
        sandbox.options = replace(sandbox.options, parcels=parcels)
        sandbox.shops[STORE] = replace(sandbox.shops[STORE], refuses=frozenset({("DHL", "ES")}))
    world.pass_time(SEEN_BY_ALL_S)


BROKEN_STORE = further(1)[0]


def _three_stores(world: CellWorld) -> None:
    """The returns are of three stores, which every worker works at side by side."""
    sandbox = world.sandbox.sandbox
    with sandbox.locked():
        sandbox.shops.update(catalogue(further(2), 2.0, {}))
        stores = list(sandbox.shops)
        for number, stored in enumerate(list(sandbox.processes.values())):
            sandbox.change(stored, ecommerce_id=stores[number % len(stores)])
    world.pass_time(SEEN_BY_ALL_S)


def _one_store_broken(world: CellWorld, crash: Crash) -> None:
    """Beside what the column breaks, one store's settings are not to be had, or the key may pay nothing there."""
    of_store = world.sandbox.process_ids(store=BROKEN_STORE)
    named = (
        [NamedFault("getEcommerceSettings", nth, Fault.ERROR_500_BEFORE, BROKEN_STORE) for nth in range(1, 30)]
        if world.seed % 2
        else [NamedFault("issueRefund", nth, Fault.FORBIDDEN_403, each) for each in of_store for nth in range(1, 9)]
    )
    plan = world.sandbox.faults.plan
    world.sandbox.set_faults(replace(plan, named=(*plan.named, *named)))
    others = [world.start()] if world.random.random() < 0.5 else []
    crash.watch(world, _begin(world, crash))
    for other in others:
        other.wait()


UNUSED = "default:\n  labels: {reissue: {unused_days: 1}}\n"
DAY_S = 86_400.0


def _lost_label(world: CellWorld) -> None:
    """A label is lost, or was not used for a day: every worker asks for a new one, or the policy does."""
    (process_id,) = world.sandbox.process_ids("label_ready")
    if world.seed % 2:
        world.sandbox.act("lose_label", process_id)
        values = {"mode": "act", "process_id": process_id, "reason": "the shopper lost it", "by": "olga"}
        world.asks = (Step("reissue-label", values),)
        return
    policy, sandbox = world.folder / "policy.yaml", world.sandbox.sandbox
    policy.write_text(UNUSED, encoding="utf-8")
    world.settings["REVER_POLICY"] = str(policy)
    sandbox.options = replace(sandbox.options, label_life=DAY_S)
    world.worker("track-parcels")
    world.pass_time(DAY_S + 3600)
    world.asks = (Step("generate-labels", {"mode": "act"}),)


def _scan_the_old_one(world: CellWorld) -> None:
    """The shopper uses the old label after all."""
    (process_id,) = world.sandbox.process_ids("label_ready")
    world.sandbox.act("collect", process_id, parcel=1)
    world.pass_time(SEEN_BY_ALL_S)


def _reissued(world: CellWorld, crash: Crash) -> None:
    """Two ask at once; or the old label is scanned between the claim and the second read of who asks first."""
    scanned = world.seed % 2 and world.random.random() < 0.5
    (_held_up(_scan_the_old_one) if scanned else _beside(lambda world: world.start()))(world, crash)


CANCELLED_BY_HAND = ("collected", "partially_reviewed", "label_needed_drop_off")


def _cancelled_by_hand(world: CellWorld) -> None:
    """Every worker calls the same returns off before it runs its flow."""
    world.asks = tuple(_cancel(world, scenario) for scenario in CANCELLED_BY_HAND)


def _cancel(world: CellWorld, scenario: str) -> Step:
    (process_id,) = world.sandbox.process_ids(scenario)
    return Step("cancel-return", {"mode": "act", "process_id": process_id, "reason": "the shopper keeps the goods"})


def _cancel_a_paid_one_too(world: CellWorld) -> None:
    """The later workers ask to call off a return that was paid, or is being paid."""
    world.asks = (*(_cancel(world, scenario) for scenario in CANCELLED_BY_HAND), _cancel(world, "two_methods"))


CASES = {
    case.name: case
    for case in (
        Case("alone", "one worker", _alone),
        Case("twice", "the same batch twice at once", _beside(lambda world: world.start())),
        Case("overlapping", "overlapping schedules", _overlapping),
        Case("doubled-hour", "two runs of one slot, an hour apart", _beside(lambda world: world.start(ahead=3600))),
        Case("believed-dead", "a run believed dead wakes up", _believed_dead),
        Case("operator", "an operator beside a schedule", _beside(_operator)),
        Case("two-answers", "two people answer one hold beside a schedule", _two_answers, before=leave_held),
        Case("office-pays", "the back office pays between search and call", _held_up(_back_office("pay"))),
        Case("office-cancels", "the back office cancels between search and call", _held_up(_back_office("cancel"))),
        Case("office-holds", "REVER puts it on hold between search and call", _held_up(_back_office("hold"))),
        Case(
            "approval", "a second approval between two runs", _second_approval,
            ("two_methods", "approved_two_of_three", "in_warehouse", "partially_reviewed", "costs_smaller"),
        ),
        Case("fifty", "the same webhook fifty times", _beside(_fifty)),
        Case(
            "restore", "a backup of mid-work is restored after more was done, and answered", _restored,
            bad_days.SCENARIOS, before=bad_days.make_some_dear, after=bad_days.go_over,
        ),
        Case(
            "ledger-lost", "the ledger is gone after effects and answers, and is made anew", _lost,
            bad_days.SCENARIOS, before=bad_days.make_some_dear, after=bad_days.go_over,
        ),
        Case(
            "asked", "each worker asks for a review, a cancellation, two labels and a return, as all before it did",
            _beside(lambda world: world.start()), (*ASKED_OF.values(), *MADE_LABELS, "two_methods"), before=_asked,
        ),
        Case(
            "inspections", "each worker imports the same file of inspections, as all before it did",
            _beside(lambda world: world.start()), ("in_warehouse", "partially_reviewed", "two_methods"),
            before=_warehouse,
        ),
        Case(
            "returns", "each worker imports the same list of returns to be made, as all before it did",
            _beside(lambda world: world.start()), ("collected", "two_methods"), before=_list,
        ),
        Case(
            "own-rules",
            "the merchant's own rules, which take a fee, give a sum, and ask a person, who approves between the runs",
            _beside(lambda world: world.start()),
            (*REGRETTED, "costs_larger", "foreign_exact", "label_needed_pickup"),
            before=_own_rules, after=_approve_and_inspect,
        ),
        Case(
            "shipping", "two returns of an order, whose shipping the merchant's own rules refund, in every worker",
            _beside(lambda world: world.start()), before=_shipping,
        ),
        Case(
            "called-off", "the merchant's own rules call returns off that nobody has sent, in every worker",
            _beside(lambda world: world.start()), ("label_ready", "label_needed_drop_off", "two_methods", "collected"),
            before=_called_off,
        ),
        Case(
            "several-labels", "returns travel in up to three parcels, and one carrier is refused, in every worker",
            _beside(lambda world: world.start()), (*IN_PARCELS, "two_methods"), before=_several_labels,
        ),
        Case(
            "reissue", "every worker has the same label replaced, which is lost or old, or scanned first", _reissued,
            ("label_ready", "label_needed_drop_off", "two_methods"), before=_lost_label,
        ),
        Case(
            "cancel-return", "every worker calls the same returns off, later one that was paid",
            _beside(lambda world: world.start()), (*CANCELLED_BY_HAND, "two_methods"), before=_cancelled_by_hand,
            after=_cancel_a_paid_one_too,
        ),
        Case(
            "archived", "returns that were archived, by a worker that was killed, run again, in every worker",
            _beside(lambda world: world.start()), ("approved_one", "approved_thirds", "declined", "costs_larger"),
            before=_archived, after=_approve_archived,
        ),
        Case("clock-ahead", "before it a worker with a clock 400 days ahead, killed", _alone, before=_far_ahead),
        Case(
            "parcels", "the rules pay at the first scan, and parcels move on and back between search and call",
            _held_up(_move_parcels), ("collected", "label_ready", "two_methods", "label_needed_drop_off"),
            before=_paid_at_the_scan, after=_move_parcels,
        ),
        Case(
            "stores", "three stores side by side, one of which REVER refuses, in one worker or in two",
            _one_store_broken,
            (
                "two_methods", "approved_thirds", "exchange_reviewed", "label_needed_pickup", "refund_and_exchange",
                "costs_smaller", "approved_one", "partially_reviewed",
            ),
            before=_three_stores,
        ),
    )
}  # fmt: skip
"""Name -> case. On PostgreSQL `twice` is two workers on a shared ledger."""
