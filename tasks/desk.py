"""The desk: what every step of a run works with. One client, one ledger, one clock, one set of rules per store."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from rever_api import AsyncReverClient, ClientConfig, Endpoints
from rever_api.errors import NotFound, ReverError, Unauthorized, WrongSetup
from rever_api.messages import OtherClock, in_words
from rever_api.models import Warehouse
from rever_api.shop import ShopClient
from tasks.budget import Budget
from tasks.files.fact_tables import facts_by_store, read_store_facts
from tasks.gather_facts import Gathered
from tasks.ledger import Actor, Ledger, LedgerError, Rehearsal, server_clock
from tasks.policy.actions import Warehouse as SendTo
from tasks.policy.clocks import DIFFER, StoreZone, store_zone, translated
from tasks.policy.label_choice import carrier_name, named_warehouse
from tasks.policy.label_files import WantedFile
from tasks.policy.merchant_rules import MerchantRule
from tasks.policy.policy_file import PolicyFile, PolicyFileError, read_policy
from tasks.policy.ruling import idle_where_rever_pays
from tasks.policy.shadow import Candidate, read_candidate, unjudged
from tasks.policy.side_facts import SHOP_TELLS, SideFacts, needed
from tasks.policy.store import RefundsBy, StoreRules
from tasks.reporting.report import Mode, RunReport
from tasks.settings import Settings

if TYPE_CHECKING:
    from tasks.effects.perform import Outcome


Clock = Callable[[], datetime]


class DeskError(Exception):
    """The run cannot go on because of how things are set up; the sentence says what and how to mend it."""


class WrongClockError(DeskError):
    """This machine's clock and REVER's are too far apart to act by: what was due, and for how long, would be wrong."""


class WrongNameError(DeskError):
    """What was typed or set names something that is not there; nothing was begun."""


class UnfitPolicyError(WrongNameError):
    """The policy file can be read and does not fit this desk: it has what nothing here would ever obey."""


def utc_now() -> datetime:
    """The clock of a real run."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Desk:
    """The means of one run. `stores` are the e-commerce ids it may touch; `report` grows as the run goes.

    `under_way` are the calls of effects that the report does not count yet, by intent, so that none is lost where the
    run is cut off. `unknown` are the returns of the effects whose outcome this run left open, by intent. `halted` is
    what ends the run at every store: a set-up for which an effect was refused, a clock that is wrong, a ledger that
    fails; no other effect of this run starts after it. `working` are the stores that are worked on at this moment, and
    `rehearsing` keeps the batches of a plan apart, which share their counters. `rever_clock` is
    how far REVER's clock is from ours. `began_at` is when the run began by our clock. `budget` is its cap on money, if
    it has one. `facts` is what rules ask for and REVER's returns do not tell. `candidate` decides in shadow, where the
    policy file names one. `label_files` are the files of labels that the run has found to be missing, and fetches at
    its end.
    """

    settings: Settings
    client: AsyncReverClient
    ledger: Ledger
    policies: PolicyFile
    mode: Mode
    actor: Actor
    stores: tuple[str, ...]
    report: RunReport
    rever_clock: OtherClock
    clock: Clock = utc_now
    began_at: datetime | None = None
    budget: Budget | None = None
    under_way: dict[str, "Outcome"] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    rehearsal: Rehearsal = field(default_factory=Rehearsal)
    halted: WrongSetup | DeskError | LedgerError | None = None
    working: set[str] = field(default_factory=set)
    rehearsing: asyncio.Lock = field(default_factory=asyncio.Lock)
    facts: Gathered = field(default_factory=Gathered)
    candidate: Candidate | None = None
    label_files: list[WantedFile] = field(default_factory=list)
    _rules: dict[str, StoreRules] = field(default_factory=dict)
    _warehouses: dict[str, tuple[Warehouse, ...]] = field(default_factory=dict)
    _halted_at: dict[str, WrongSetup] = field(default_factory=dict)
    _asking: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def halt(self, store: str, error: WrongSetup) -> None:
        """Start no further effect: of a store that the key may not act for, or where it is the only one, of any."""
        if isinstance(error, Unauthorized) and error.status == HTTPStatus.FORBIDDEN and len(self.stores) > 1:
            self._halted_at[store] = error
        else:
            self.halted = error

    def halted_at(self, store: str) -> WrongSetup | DeskError | LedgerError | None:
        """Why no further effect of a store starts in this run; None where they go."""
        return self.halted or self._halted_at.get(store)

    async def rules(self, store: str) -> StoreRules:
        """The rules of a store; its settings are asked from REVER once a run. Raises `DeskError`: no such store."""
        async with self._asking[store]:
            if store not in self._rules:
                rules = await self._ask_rules(store)
                if _sent_to(rules):
                    # Where the list cannot be read now, no label is made in this run, and nothing else waits for it.
                    with suppress(ReverError):
                        self._warehouses[store] = await self._ask_warehouses(rules)
                        rules = replace(rules, warehouses=self._warehouses[store])
                self._rules[store] = rules
                await self._check_clock(store)
        return self._rules[store]

    def wrong_clock(self) -> WrongClockError | None:
        """What is wrong with this machine's clock or REVER's, where they differ by more than `DIFFER`; else None.

        None too where REVER tells no time.
        """
        skew = self.rever_clock.ahead
        if abs(skew) <= DIFFER:
            return None
        way = "behind" if skew > timedelta(0) else "ahead of"
        return WrongClockError(
            f"this machine's clock is {in_words(abs(skew))} {way} REVER's (the Date of its answers): nothing is sent."
            f" Synchronise it (NTP: `timedatectl`); they may differ by {in_words(DIFFER)}"
        )

    async def _check_clock(self, store: str) -> None:
        """End a run that acts, before it has changed anything, where the clock is wrong: REVER is asked twice."""
        if self.mode is not Mode.ACT or self.wrong_clock() is None:
            return
        await self.client.get_ecommerce_settings(store)
        if (wrong := self.wrong_clock()) is not None:
            self.halted = wrong
            raise wrong

    async def _ask_warehouses(self, rules: StoreRules) -> tuple[Warehouse, ...]:
        """The store's warehouses. Raises `DeskError` where its own rules send goods to one that it does not have."""
        houses = tuple(await self.client.list_warehouses(rules.store))
        if strange := sorted(name for name in _sent_to(rules) if named_warehouse(houses, name) is None):
            known = ", ".join(sorted(house.name or house.id for house in houses)) or "none"
            raise DeskError(
                f"the policy file's rules for store {rules.store!r} send goods to {', '.join(map(repr, strange))}, and "
                f"its warehouses at REVER are {known}; correct the name (REVER_POLICY)"
            )
        return houses

    async def _ask_rules(self, store: str) -> StoreRules:
        try:
            policy = self.policies.for_store(store)
        except PolicyFileError as problem:
            raise UnfitPolicyError(str(problem)) from None
        try:
            settings = await self.client.get_ecommerce_settings(store)
        except NotFound:
            known = "REVER_STORES" if self.settings.stores else "REVER_GROUP"
            raise DeskError(f"REVER knows no store {store!r} for this key; correct {known}") from None
        zone = store_zone(settings.timezone)
        self.report.zones[store] = zone.zone
        if zone.problem:
            self.report.notes.append(f"store {store!r}: {zone.problem}; its days are those of UTC")
        named = {*policy.label_carriers, *policy.labels.carriers}
        if named and len(self.stores) == 1:  # else it may be of another store
            carriers = {carrier_name(carrier) for carrier in settings.carriers}
            if strange := sorted(named - carriers):
                names, known = ", ".join(strange), ", ".join(sorted(carriers)) or "none"
                note = f"store {store!r}: the policy file names {names}, and its carriers at REVER are {known}"
                self.report.notes.append(f"{note}; what is said of them does nothing")
        return StoreRules(
            store=store,
            settings=settings,
            refunds_by=self.settings.refunds_by(store),
            policy=policy,
            settle_after=self.settings.settle_delay,
            on_its_way_after=timedelta(days=self.settings.on_its_way_after),
            omits_empty_fields=self.settings.omits_empty_fields,
            merchant_rules=self.policies.rules.for_store(store),
            zone=zone.zone,
            side=self.facts.side(store) if self.settings.policy else None,
        )

    async def warehouses(self, store: str) -> tuple[Warehouse, ...]:
        """The store's warehouses, asked from REVER once a run.

        Raises `DeskError` where the store's own rules send goods to one that it does not have.
        """
        rules = await self.rules(store)
        async with self._asking[store]:
            if store not in self._warehouses:
                self._warehouses[store] = await self._ask_warehouses(rules)
                self._rules[store] = replace(rules, warehouses=self._warehouses[store])
        return self._warehouses[store]

    async def zone(self, store: str) -> StoreZone:
        """The store's time zone, for its days. Raises as `rules` does."""
        return store_zone((await self.rules(store)).settings.timezone)

    def chosen(self, stores: list[str]) -> tuple[str, ...]:
        """The stores of a run: those asked for, or all. Raises `WrongNameError` for one that is not this desk's."""
        return chosen_stores(stores, self.stores)


def _sent_to(rules: StoreRules) -> set[str]:
    """The warehouses that a store's own rules name."""
    return {action.name for rule in rules.merchant_rules for action in rule.then if isinstance(action, SendTo)}


def chosen_stores(asked: Sequence[str], ours: tuple[str, ...]) -> tuple[str, ...]:
    """The stores asked for, or all. Raises `WrongNameError` for one that is not ours."""
    strange = sorted(set(asked) - set(ours))
    if strange:
        names = ", ".join(map(repr, strange))
        raise WrongNameError(f"this desk has no store {names}; its stores are {', '.join(ours)}")
    return tuple(dict.fromkeys(asked)) or ours


def one_store(asked: str, ours: tuple[str, ...]) -> str:
    """The store that a file is of. Raises `WrongNameError` for one that is not ours, and where several may be meant."""
    stores = chosen_stores([asked] if asked else [], ours)
    if len(stores) > 1:
        which = ", ".join(stores)
        raise WrongNameError(f"name the store whose orders the file is of (`store:` in the mapping): one of {which}")
    return stores[0]


def client_config(settings: Settings, endpoints: Endpoints | None = None) -> ClientConfig:
    """How a client calls REVER by these settings. Raises `EndpointsError`, unless `endpoints` are loaded already."""
    return ClientConfig(
        base_url=settings.base_url,
        api_key=settings.api_key,
        timeout=settings.timeout,
        rate=settings.rate,
        max_in_flight=settings.max_in_flight,
        endpoints=endpoints or Endpoints.load(settings.endpoints),
    )


@asynccontextmanager
async def open_desk(
    settings: Settings, report: RunReport, actor: Actor, clock: Clock = utc_now, *, begins: bool = False
) -> AsyncIterator[Desk]:
    """Open the client and the ledger for the run of this report, and close both at its end.

    For one that does not act the ledger is only read; no file is made. A ledger that is not there is made, or planned
    on as an empty one, only where REVER is this machine and the run is of a kind that `begins`; elsewhere `ledger
    create` makes it, and `NoLedgerError` says so: what is missing may be a volume that is not mounted.

    Raises `DeskError`, `LedgerError`, `PolicyFileError`, `EndpointsError` or a `ReverError`, each with a sentence that
    says how to mend it.
    """
    policies = read_policy(settings.policy, by_store=True)
    config = client_config(settings)
    url = settings.ledger_url.get_secret_value()
    rever_clock = OtherClock(clock)
    ledger = Ledger.open(
        url,
        account=settings.account,
        clock=clock,
        read_only=not report.acts,
        existing=not (begins and settings.loopback),
    )
    try:
        async with AsyncReverClient(config, watch=rever_clock.hear) as client, AsyncExitStack() as opened:
            stores = await stores_of(settings, client)
            check_policies(policies, stores, settings)
            policies, tables = await asyncio.to_thread(_with_facts, policies, settings, stores)
            going = tuple(store for store in stores if store not in policies.refused)
            candidate = await asyncio.to_thread(fitting_candidate, policies, settings, stores)
            asking = {
                store: [*policies.rules.for_store(store), *(candidate.merchant_rules(store) if candidate else ())]
                for store in going
            }
            shops = await open_shops(opened, settings, asking)
            report.stores, report.back_office = stores, settings.back_office
            report.watch(candidate)
            report.notes += unjudged(policies, candidate, going)
            report.progress.rate_waits = lambda: client.rate_waits
            mode = Mode.ACT if report.acts else Mode.PLAN
            by_ledger = await _by_ledgers_clock(actor, ledger, clock) if report.acts else actor
            parts = (settings, client, ledger, policies, mode, by_ledger, stores, report, rever_clock, clock)
            yield Desk(*parts, began_at=actor.run_began_at, facts=Gathered(tables, shops), candidate=candidate)
    finally:
        ledger.close()


def _with_facts(
    policies: PolicyFile, settings: Settings, stores: Sequence[str]
) -> tuple[PolicyFile, dict[str, SideFacts]]:
    """The policies, without those of stores whose tables cannot be read; and what the tables of the others tell.

    Raises `PolicyFileError` where no store has a policy.
    """
    going = [store for store in stores if store not in policies.refused]
    tables, unread = facts_by_store(policies, settings.policy, going)
    refused = {**policies.refused, **unread}
    if set(stores) <= refused.keys():
        raise PolicyFileError(tuple(dict.fromkeys(problem for store in stores for problem in refused[store])))
    return replace(policies, refused=refused), tables


async def open_shops(
    opened: AsyncExitStack, settings: Settings, rules: Mapping[str, Sequence[MerchantRule]]
) -> dict[str, ShopClient]:
    """A client for the shop of each store of whose `rules` any asks for what the shop tells; stores of one shop share
    it.
    """
    clients: dict[tuple[str, str], ShopClient] = {}
    found: dict[str, ShopClient] = {}
    for store, asking in rules.items():
        shop = settings.shop(store)
        if shop is None or not SHOP_TELLS & set(needed(asking)):
            continue
        url, key = shop
        name = (url, key.get_secret_value())
        if name not in clients:
            config = replace(client_config(settings), base_url=url, api_key=key, read_attempts=2, read_patience=20)
            clients[name] = await opened.enter_async_context(ShopClient(config))
        found[store] = clients[name]
    return found


def fitting_candidate(policies: PolicyFile, settings: Settings, stores: tuple[str, ...]) -> Candidate | None:
    """The candidate that the live policy names, with its tables; None where it names none.

    What is wrong with it, or does not fit these stores, is its problem and raises nothing: the live policy goes on.
    """
    found = read_candidate(policies)
    if found is None or found.policies is None:
        return found
    try:
        check_policies(found.policies, stores, settings, candidate=found.name)
        return replace(found, sides=read_store_facts(found.policies, found.file, stores))
    except DeskError as problem:
        return found.refused(str(problem))
    except PolicyFileError as problem:
        return found.refused(*problem.problems)


async def _by_ledgers_clock(actor: Actor, ledger: Ledger, clock: Clock) -> Actor:
    """The actor with the beginning of its run by the ledger's clock, which is the same for all machines.

    Rather too early, by the time that the question takes, than too late: what came in after it is looked at again.
    None where one of the two clocks is wrong: then the run stands for no event.
    """
    theirs = await ledger.aread(server_clock)
    if theirs is None or actor.run_began_at is None:
        return actor
    return replace(actor, run_began_at=translated(actor.run_began_at, here=clock(), there=theirs))


def check_policies(policies: PolicyFile, stores: tuple[str, ...], settings: Settings, *, candidate: str = "") -> None:
    """Refuse a policy for a store that is not ours: a misspelt id would leave the real store without its caps.

    And rules about money where REVER pays: nobody would carry them out. `candidate` names the file where it is one.
    Raises `UnfitPolicyError`.
    """
    file = f"the candidate {candidate}" if candidate else "the policy file"
    where = f"in {candidate}" if candidate else "REVER_POLICY"
    strange = sorted({*policies.stores, *policies.refused} - set(stores))
    if strange:
        raise UnfitPolicyError(
            f"{file} has rules for {', '.join(map(repr, strange))}, and this desk's stores are "
            f"{', '.join(stores)}; correct the name ({where})"
        )
    for store in stores:
        idle = idle_where_rever_pays(policies.rules.for_store(store), store, where)
        if idle and settings.refunds_by(store) is RefundsBy.REVER:
            raise UnfitPolicyError(idle)


async def stores_of(settings: Settings, client: AsyncReverClient) -> tuple[str, ...]:
    """The stores that the settings name, else those that REVER shows. Raises `DeskError` where there are none."""
    if settings.stores:
        return settings.stores
    stores = tuple(shop.ecommerce_id for shop in await client.list_ecommerces(settings.group))
    if not stores:
        raise DeskError(f"REVER shows no store in group {settings.group!r} for this key; correct REVER_GROUP")
    try:
        settings.check_stores(stores)
    except ValueError as problem:
        raise WrongNameError(str(problem)) from None
    return stores
