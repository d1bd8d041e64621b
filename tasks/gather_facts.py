"""Gather what a merchant's rules ask for and REVER's returns do not tell, each once in a run, before they are decided.

Nothing here ends a run: what could not be learned stays unknown, with the reason, and the rule that needs it holds the
return. The tables of the policy file are read when the desk is opened; asked are the shop, for its orders, REVER, for
a shopper's other returns, and the ledger, for what was refunded to the shopper and of an order's shipping. An e-mail
address is only asked for and compared: it is kept for the run alone.
"""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from rever_api import AsyncReverClient
from rever_api.errors import NotFound, NotSent, ReverError
from rever_api.models import ReturnProcess, SearchQuery, UnreadableProcess
from rever_api.shop import ShopClient
from tasks.ledger import load_records, refunded_returns, shipping_parts
from tasks.policy.earlier_returns import earlier_of
from tasks.policy.facts import incomplete, one_mailbox
from tasks.policy.merchant_rules import AppliesTo, MerchantRule
from tasks.policy.record import OrderShipping
from tasks.policy.return_facts import EarlierReturn, ShippingPart, Unknown
from tasks.policy.shop_facts import not_asked, shop_facts
from tasks.policy.side_facts import EARLIER, SHOP_TELLS, OrderFacts, SideFacts, needed
from tasks.policy.store import StoreRules

if TYPE_CHECKING:
    from tasks.desk import Desk
    from tasks.fetch_returns import PendingReturn

MOST_FOUND = 200
"""Returns of a store that REVER's search may show for one e-mail address; more are not its shopper's alone."""

_AT_ONCE = 8
_FAILURES = 5
"""Orders in a row that a shop did not tell, after which it is left alone for the rest of the run."""
_SHORTEST_TEXT = 3
_EARLIER = "the shopper's earlier returns"


@dataclass(slots=True)
class Gathered:
    """What one run knows besides what REVER's returns tell. `tables` are those of the policy file, by store; `shops`
    answer for the orders of their stores.
    """

    tables: Mapping[str, SideFacts] = field(default_factory=dict)
    shops: Mapping[str, ShopClient] = field(default_factory=dict)
    _orders: dict[str, dict[str, OrderFacts]] = field(default_factory=dict)
    _earlier: dict[str, dict[str, tuple[EarlierReturn, ...] | Unknown]] = field(default_factory=dict, repr=False)
    _shipping: dict[str, dict[str, tuple[ShippingPart, ...]]] = field(default_factory=dict)
    _planned: dict[tuple[str, str], tuple[ShippingPart, ...]] = field(default_factory=dict)
    _found: dict[str, tuple[ReturnProcess, ...] | Unknown] = field(default_factory=dict, repr=False)
    _read: dict[str, ReturnProcess | None] = field(default_factory=dict, repr=False)
    _failed: dict[str, int] = field(default_factory=dict)
    _unasked: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)
    _asking: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _searching: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock), repr=False)

    def side(self, store: str) -> SideFacts:
        """What is known of a store. What is gathered later is in it too."""
        orders, earlier = self._orders.setdefault(store, {}), self._earlier.setdefault(store, {})
        shipping = self._shipping.setdefault(store, {})
        tables = self.tables.get(store, SideFacts())
        return replace(tables, shop_orders=orders, earlier=earlier, shipping_parts=shipping)

    def unasked(self, pending: "PendingReturn") -> str:
        """Why the shop or REVER could not be asked about a return in this run; empty where they told, or have told no.

        An order that the shop does not have, or a search that does not find, is no different in the next run.
        """
        order = self._unasked.get((pending.store, pending.process.order_id), "")
        return order or self._unasked.get(("", _mailbox(pending)), "")

    async def add(
        self, desk: "Desk", rules: StoreRules, batch: Sequence["PendingReturn"], later: Sequence[MerchantRule] = ()
    ) -> None:
        """Learn what the rules of a store ask for about these returns of it, so far as it is not known yet.

        `later` are rules that are asked after these: an order that the shop is asked for now is read for them too.
        """
        today = desk.clock().astimezone(rules.zone).date()
        needs, payments = set(needed(in_force(rules.merchant_rules, today))), set(needed(in_force(later, today)))
        async with self._asking[rules.store]:
            if needs & SHOP_TELLS and rules.store in self.shops:
                await self._ask_shop(desk, rules, batch, payments="gateway" in needs | payments)
            if EARLIER in needs:
                await self._learn_earlier(desk, rules, batch)
        if "shipping" in needs:
            ids = sorted({pending.process.order_id for pending in batch} - {""})
            known = self._shipping.setdefault(rules.store, {})
            paid = await desk.ledger.aread(shipping_parts, rules.store, ids)
            known |= {order: parts + self._planned.get((rules.store, order), ()) for order, parts in paid.items()}

    def plan_shipping(self, store: str, process_id: str, shipping: OrderShipping) -> None:
        """Count what a plan would refund of an order's shipping: the order's next return of the same plan has the rest.

        A return that is asked about again has its part already.
        """
        planned = self._planned.get((store, shipping.order_id), ())
        if all(part.process_id != process_id for part in planned):
            part = ShippingPart(process_id, shipping.number, shipping.amount, shipping.worth)
            self._planned[store, shipping.order_id] = (*planned, part)
            known = self._shipping.setdefault(store, {})
            known[shipping.order_id] = (*known.get(shipping.order_id, ()), part)

    async def _ask_shop(
        self, desk: "Desk", rules: StoreRules, batch: Sequence["PendingReturn"], *, payments: bool
    ) -> None:
        known = self._orders.setdefault(rules.store, {})
        ids = dict.fromkeys(pending.process.order_id for pending in batch)

        async def learn(order_id: str) -> None:
            known[order_id] = await self._order(desk, rules, order_id, payments=payments)

        await _few_at_once(learn(order_id) for order_id in ids if order_id and order_id not in known)

    async def _order(self, desk: "Desk", rules: StoreRules, order_id: str, *, payments: bool) -> OrderFacts:
        """What the shop tells of an order. After some failures in a row it is not asked any more."""
        store, shop = rules.store, self.shops[rules.store]
        if self._failed.get(store, 0) >= _FAILURES:
            return self._failing(store, order_id, f"the shop did not answer {_FAILURES} times in a row")
        try:
            order = await shop.get_order(order_id)
        except ReverError as error:
            if error.status == 404:
                return not_asked("the shop has no such order")
            self._failed[store] = self._failed.get(store, 0) + 1
            why = reason(error)
            note = f"store {store!r}: {why} (REVER_SHOP_URL); what rules need of its orders stays unknown"
            if note not in desk.report.notes:
                desk.report.notes.append(note)
            return self._failing(store, order_id, why)
        self._failed[store] = 0
        try:
            legs = await shop.get_transactions(order_id) if payments else Unknown("")
        except ReverError as error:
            legs = Unknown(self._unasked.setdefault((store, order_id), reason(error)))
        return shop_facts(order, legs, rules.zone)

    def _failing(self, store: str, order_id: str, why: str) -> OrderFacts:
        self._unasked[store, order_id] = why
        return not_asked(why)

    async def _learn_earlier(self, desk: "Desk", rules: StoreRules, batch: Sequence["PendingReturn"]) -> None:
        """Learn of the shoppers' other returns: from REVER once in a run, from the ledger anew for each batch."""
        shoppers: dict[str, PendingReturn] = {}
        for pending in batch:
            if mailbox := _mailbox(pending):
                shoppers.setdefault(mailbox, pending)
        emails = {mailbox: _email(pending) for mailbox, pending in shoppers.items()}
        by_email = await desk.ledger.aread(refunded_returns, sorted(set(emails.values())))
        refunded = {
            mailbox: {name for name, store in by_email.get(email, {}).items() if store in desk.stores}
            for mailbox, email in emails.items()
        }

        async def learn(mailbox: str, pending: "PendingReturn") -> None:
            try:
                async with self._searching[mailbox]:  # they may return to several stores, which are asked side by side
                    if mailbox not in self._found:
                        self._found[mailbox] = await _returns_of(desk.client, desk.stores, mailbox, pending, rules)
                found = self._found[mailbox]
                if not isinstance(found, Unknown):
                    for name in sorted(refunded[mailbox] - {it.rever_process_id for it in found} - self._read.keys()):
                        self._read[name] = await _by_id(desk.client, name)
            except ReverError as error:
                why = f"REVER could not be asked ({type(error).__name__})"
                self._unasked["", mailbox] = why
                self._found[mailbox] = Unknown(f"{_EARLIER}: {why}")

        await _few_at_once(learn(mailbox, it) for mailbox, it in shoppers.items())
        shown: dict[str, list[ReturnProcess]] = {}
        for mailbox in shoppers:
            listed = self._found[mailbox]
            if not isinstance(listed, Unknown):
                further = [self._read.get(name) for name in sorted(refunded[mailbox])]
                shown[mailbox] = [*listed, *(it for it in further if it is not None)]
        ids = {it.rever_process_id for each in shown.values() for it in each}.union(*refunded.values())
        records = await desk.ledger.aread(load_records, sorted(ids))
        known = self._earlier.setdefault(rules.store, {})
        for mailbox in shoppers:
            listed = self._found[mailbox]
            known[mailbox] = (
                listed
                if isinstance(listed, Unknown)
                else earlier_of(
                    shown[mailbox],
                    mailbox,
                    rules.zone,
                    records,
                    refunded[mailbox],
                    omits_empty_fields=rules.omits_empty_fields,
                )
            )


async def gather_facts(desk: "Desk", batch: Sequence["PendingReturn"]) -> list["PendingReturn"]:
    """Learn what the rules need to know of these returns, and REVER does not tell with them.

    Returns them, each with why something could not be asked for.
    """
    for store in dict.fromkeys(pending.store for pending in batch):
        rules = await desk.rules(store)
        if rules.merchant_rules:
            ours = [pending for pending in batch if pending.store == store and pending.unread is None]
            await desk.facts.add(desk, rules, ours, desk.candidate.merchant_rules(store) if desk.candidate else ())
    return [replace(pending, unasked=desk.facts.unasked(pending)) for pending in batch]


def _email(pending: "PendingReturn") -> str:
    return pending.process.shopper.email.strip() if pending.process.shopper else ""


def _mailbox(pending: "PendingReturn") -> str:
    return one_mailbox(_email(pending))


def in_force(rules: Iterable[MerchantRule], today: date) -> list[MerchantRule]:
    """The rules that may be about a return now: those of all returns by today, of new ones where they have begun."""
    return [
        rule
        for rule in rules
        if not (rule.begins and rule.begins > today)
        and not (rule.applies_to is AppliesTo.ALL and rule.ends and rule.ends < today)
    ]


async def _few_at_once(asked: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Carry these out, a few at a time, in their order."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def in_place(each: Coroutine[Any, Any, None]) -> None:
        async with places:
            await each

    await asyncio.gather(*[in_place(each) for each in asked])


def reason(error: ReverError) -> str:
    """Why a shop does not tell, by the class of what happened: its words may hold a shopper's data."""
    if error.status in {401, 403}:
        return f"the shop refuses the key ({error.status})"
    if error.status is None:
        return "the shop cannot be reached" if isinstance(error, NotSent) else "the shop's answer did not come"
    return "the shop's answer cannot be read" if error.status < 300 else f"the shop answered {error.status}"


async def _returns_of(
    client: AsyncReverClient, stores: Sequence[str], mailbox: str, pending: "PendingReturn", rules: StoreRules
) -> tuple[ReturnProcess, ...] | Unknown:
    """All returns of a mailbox at these stores, by REVER's text search. Unknown where the search may have left any out.

    That the search finds by e-mail at all is seen by its finding this return. Raises `ReverError`.
    """
    texts = [text for text in dict.fromkeys((_email(pending), mailbox)) if len(text) >= _SHORTEST_TEXT]
    found: dict[str, ReturnProcess] = {}
    for store in stores:
        for text in texts:
            query = SearchQuery(ecommerce_id=store, freetext=text, sortby="started_at", order="desc", limit=100)
            left = MOST_FOUND
            async for entry in client.walk_return_processes(query):
                if isinstance(entry, UnreadableProcess):
                    return Unknown(f"{_EARLIER}: return {entry.process_id} cannot be read")
                if entry.shopper is None or not entry.shopper.email:
                    return Unknown(f"{_EARLIER}: REVER's list does not say whose each return is")
                if one_mailbox(entry.shopper.email) == mailbox:
                    found[entry.rever_process_id] = entry
                left -= 1
                if not left:
                    return Unknown(f"{_EARLIER}: the search was cut short after {MOST_FOUND} returns of a store")
    if pending.process_id not in found:
        return Unknown(f"{_EARLIER}: REVER's search does not find this one by its e-mail")
    return tuple([await _whole(client, process, rules) for process in found.values()])


async def _by_id(client: AsyncReverClient, process_id: str) -> ReturnProcess | None:
    """A return that the search left out, though this desk has refunded it; None where REVER has no such (any more).

    Raises `ReverError` where REVER does not say.
    """
    try:
        return await client.get_return_process(process_id)
    except NotFound:
        return None


async def _whole(client: AsyncReverClient, process: ReturnProcess, rules: StoreRules) -> ReturnProcess:
    """A return with all its fields: a list may leave some out."""
    if not incomplete(process, rules):
        return process
    try:
        return await client.get_return_process(process.rever_process_id)
    except ReverError:
        return process
