"""Which labels' files are to be fetched, and how often one that did not come is asked for."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from pydantic import SecretStr

from rever_api.models import LogisticsEntry, ReturnProcess
from tasks.policy.label_files import MOST_TRIES, KnownFile, asks_again_at, due, file_of_new_label, files_of
from tasks.policy.record import IntentKind, IntentState, Replaced
from tasks.policy.replaced import mark_of
from tasks.policy.tracking import changes, view_of
from tests.tasks.policy.factories import NOW, intent, process, record

URL = "https://files.example/x?signature=s1gned"


def parcels(*statuses: str, urls: bool = False, status: str = "RUNNING") -> ReturnProcess:
    entries = tuple(
        LogisticsEntry(status=it, tracking_number=f"T{n}", carrier="DHL", label_url=SecretStr(URL if urls else ""))
        for n, it in enumerate(statuses)
    )
    return process(status=status).model_copy(update={"logistics": entries})


def test_the_youngest_label_that_is_ready_is_wanted_and_older_ones_where_their_address_is_shown() -> None:
    shown = parcels("CANCELED", "CREATED", "CREATED", "COLLECTED")
    assert [(it.parcel, it.youngest) for it in files_of(shown, "acme", ())] == [(3, True)]
    with_urls = files_of(parcels("CANCELED", "CREATED", "CREATED", "COLLECTED", urls=True), "acme", ())
    assert [(it.parcel, it.youngest, it.url.get_secret_value()) for it in with_urls] == [
        (3, True, URL),
        (2, False, URL),
    ]
    assert "s1gned" not in repr(with_urls) + repr(shown) + str(shown.model_dump(mode="json"))


def test_no_label_is_wanted_that_nobody_needs_any_more() -> None:
    assert files_of(parcels("COLLECTED", "IN_WAREHOUSE", "CANCELED", "ERROR"), "acme", ()) == []
    assert files_of(parcels("CREATED", status="CANCELED"), "acme", ()) == []
    assert files_of(process(logistics=None), "acme", ()) == []


def test_the_label_that_was_replaced_is_not_wanted_though_its_address_is_shown() -> None:
    shown = parcels("CREATED", "CREATED", urls=True)
    old = Replaced(1, mark_of("retp_1", "T0"), "olga", "the shopper lost it")
    known = record(intent(IntentKind.LABEL, IntentState.DONE, generation=2, replaces=old, id="label-2"))
    assert [it.parcel for it in files_of(shown, "acme", (), known)] == [2]
    assert [it.parcel for it in files_of(shown, "acme", ())] == [2, 1]


def test_a_parcel_keeps_its_number_where_the_list_is_in_another_order() -> None:
    known = changes((), view_of(parcels("CREATED", "CREATED")), NOW)
    turned = parcels("CREATED", "CREATED")
    assert turned.logistics
    turned = turned.model_copy(update={"logistics": turned.logistics[::-1]})
    assert [it.parcel for it in files_of(turned, "acme", known)] == [1]
    assert file_of_new_label(parcels("CANCELED"), "acme", ()).parcel == 2
    assert file_of_new_label(process(logistics=()), "acme", known).parcel == 3


def test_what_is_kept_or_was_removed_is_not_asked_for() -> None:
    wanted = files_of(parcels("CREATED"), "acme", ())
    known = KnownFile(wanted[0].process_id, 1, "acme")
    kept = replace(known, digest="d", kind="pdf", kept_at=NOW)
    assert list(due(wanted, [], NOW)) == wanted
    for row in (kept, replace(kept, removed_at=NOW), replace(known, removed_at=NOW)):
        assert list(due(wanted, [row], NOW)) == []
        assert asks_again_at(row, NOW) is None
    assert list(due(wanted, [replace(kept, parcel=2)], NOW)) == wanted


def test_a_file_that_does_not_come_is_asked_for_ever_more_seldom_and_not_without_end() -> None:
    (wanted,) = files_of(parcels("CREATED"), "acme", ())
    row, now, tries = KnownFile(wanted.process_id, 1, "acme"), NOW, []
    for _ in range(30 * 96):  # a run each quarter of an hour, for a month
        if list(due([wanted], [row], now)):
            tries.append((now - NOW) / timedelta(hours=1))
            row = replace(row, tries=row.tries + 1, tried_at=now)
        now += timedelta(minutes=15)
    assert len(tries) == MOST_TRIES
    assert tries[:5] == [0.0, 0.25, 0.75, 1.75, 3.75]
    assert max(later - before for before, later in pairwise(tries)) == 24
    assert asks_again_at(row, now) is None
    ahead = replace(row, tries=3, tried_at=now + timedelta(days=900))
    assert list(due([wanted], [ahead], now)) == [wanted], "a clock that was ahead once is not waited for"
