"""The page of a store's open holds in Prefect's UI: what each is about, and a link for each answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from tasks.ledger import HoldRow
from tasks.policy.clocks import clock_time
from tasks.policy.facts import counted
from tasks.policy.money import shown
from tasks.policy.parcel import ParcelLine
from tasks.policy.record import HoldKind
from tasks.reporting.printable import code, markdown, plain_words
from tasks.reporting.report import amounts
from tasks.reporting.report_page import linked

MOST_HOLDS = 100
"""Holds on one page; `rever-returns holds` lists all."""

_HELD_BY: Mapping[str, str] = {
    HoldKind.UNKNOWN_OUTCOME: "an unknown outcome",
    HoldKind.GUARD: "a cap of the policy",
    HoldKind.APPROVAL: "the policy, which wants a person's approval",
    HoldKind.REFUSED: "REVER, which refused",
    HoldKind.OUT_OF_STOCK: "a variant that is out of stock",
    HoldKind.FOREIGN_REFUND: "a refund or exchange that was not made here",
    HoldKind.NOT_PAID_BY_REVER: "REVER, which has not paid",
    HoldKind.LABEL: "its label",
    HoldKind.CONTRADICTION: "figures that contradict each other",
    HoldKind.UNKNOWN_VALUE: "a value that is not known here",
    HoldKind.UNREADABLE: "a return that cannot be read",
    HoldKind.AFTER_RESTORE: "a restored or new ledger",
    HoldKind.ON_ITS_WAY: "money that is still on its way",
    HoldKind.CAME_BACK: "money that came back",
}

_REVIEWED = {"APPROVED": "approved", "DECLINED": "declined", "MISSING": "missing"}


_BY_LINK = (
    "A link opens the form of that answer, filled in: add your name and what the form asks for, and submit. Nothing is"
    " done before that."
)
_BY_COMMAND = "Each answer has the command that gives it: write your name, and what else is in capitals."


@dataclass(frozen=True, slots=True)
class Cause:
    """Holds of one rule or kind. `form` is where all of them are answered at once; empty where there is no form."""

    name: str
    many: int
    form: str


def in_order(holds: Sequence[HoldRow], zone: tzinfo = UTC) -> list[HoldRow]:
    """The holds as the page lists them: the newest day first, of a day the largest amount, then the newest."""
    return sorted(holds, key=lambda hold: (hold.since.astimezone(zone).date(), _amount(hold), hold.since), reverse=True)


def holds_page(
    store: str,
    holds: Sequence[HoldRow],
    forms: Mapping[str, Mapping[str, str]],
    causes: Sequence[Cause],
    stopped: Sequence[str],
    back_office: str,
    now: datetime,
    zone: tzinfo = UTC,
) -> str:
    """The page as markdown. `forms` has, by hold id, each answer's form; a hold without gets the commands to type.

    `stopped` are the sentences at its top: what went quiet, and that the store is paused. `zone` is the store's.
    """
    return "\n".join(_lines(store, holds, forms, causes, stopped, back_office, now, zone)) + "\n"


def _lines(
    store: str,
    holds: Sequence[HoldRow],
    forms: Mapping[str, Mapping[str, str]],
    causes: Sequence[Cause],
    stopped: Sequence[str],
    back_office: str,
    now: datetime,
    zone: tzinfo,
) -> Iterator[str]:
    yield f"### Open holds of {markdown(store)}\n"
    for words in stopped:
        yield f"**{markdown(words[0].upper() + words[1:])}.**\n"
    if not holds:
        yield "Nothing waits for a person.\n"
        yield _written(now, zone)
        return
    money = f", {markdown(amounts(sums))} in all" if (sums := sums_of(holds)) else ""
    yield f"**{counted(len(holds), 'hold')}**{money}. Newest day first; of a day, the largest amount first.\n"
    yield f"{_BY_LINK if forms else _BY_COMMAND} An answer to a hold that has changed since is refused.\n"
    listed = in_order(holds, zone)[:MOST_HOLDS]
    if len(holds) > MOST_HOLDS:
        oldest = clock_time(min(hold.since for hold in holds), zone)
        yield f"Listed are {MOST_HOLDS}; `rever-returns holds` lists all, the oldest since {oldest}.\n"
    if causes:
        yield "Many of one cause at once: " + ", ".join(map(_cause, causes)) + ".\n"
    yield _written(now, zone)
    for hold in listed:
        yield from _hold(hold, forms.get(hold.hold_id, {}), back_office, now, zone)


def _written(now: datetime, zone: tzinfo) -> str:
    return f"Written {clock_time(now, zone)}; any run in which a hold changes writes it anew.\n"


def _cause(cause: Cause) -> str:
    name = f"{cause.many} of {code(cause.name)}"
    return f"[{name}]({cause.form})" if cause.form else name


def _hold(hold: HoldRow, forms: Mapping[str, str], back_office: str, now: datetime, zone: tzinfo) -> Iterator[str]:
    order = linked(hold.process_id, back_office, hold.order_name)
    money = "no amount" if hold.amount is None else markdown(shown(hold.amount, hold.currency))
    yield f"\n---\n\n#### {order}: {money}\n"
    since = clock_time(hold.since, zone)
    by, why = _HELD_BY.get(hold.kind, "a rule"), markdown(plain_words(hold.why))
    yield f"Held for {age(now - hold.since)}, since {since}, by {by} ({code(hold.rule)}): {why}\n"
    if hold.parcel:
        yield "In the parcel:\n"
        yield from (f"- {_goods(line)}" for line in hold.parcel)
        yield "\nAnswers:\n"
    for word, does in hold.answers.items():
        if word in forms:
            yield f"- **[{markdown(word)}]({forms[word]})**: {markdown(plain_words(does))}"
        else:
            yield f"- {code(word)}: {markdown(plain_words(does))}. {code(command(hold, word))}"
    yield f"\n{markdown(hold.process_id)}, hold {code(hold.hold_id)}, version {hold.version}"


def command(hold: HoldRow, answer: str) -> str:
    """The command that gives this answer, with what is to be filled in in capitals."""
    needs = {"drop": " reason=WHY", "done_by_hand": " reference=WHERE"}.get(answer, "")
    about = f"hold_id={hold.hold_id} version={hold.version} answer={answer}"
    return f"rever-returns run answer-hold {about} by=NAME{needs} mode=act"


def _goods(line: ParcelLine) -> str:
    sku = f" (SKU {markdown(line.sku)})" if line.sku else ""
    said = [f"{line.quantity} x {markdown(line.product or line.line_id)}{sku}"]
    said += [f"returned for {markdown(line.reason)}"] if line.reason else []
    reviews = [f"{many} {_REVIEWED.get(status, markdown(status))}" for status, many in line.reviews.items()]
    declined = f" ({'; '.join(map(markdown, line.declined_for))})" if line.declined_for else ""
    return "; ".join([*said, (", ".join(reviews) + declined) if reviews else "not inspected yet"])


def age(passed: timedelta) -> str:
    """How long, in the largest unit that fits: `4 min`, `3 h`, `12 days`."""
    minutes = max(0, int(passed.total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"


def _amount(hold: HoldRow) -> Decimal:
    return Decimal(-1) if hold.amount is None else hold.amount


def sums_of(holds: Sequence[HoldRow]) -> dict[str, Decimal]:
    """What the holds are about, by currency; those without an amount are left out."""
    sums: dict[str, Decimal] = {}
    for hold in holds:
        if hold.amount is not None:
            sums[hold.currency] = sums.get(hold.currency, Decimal(0)) + hold.amount
    return sums
