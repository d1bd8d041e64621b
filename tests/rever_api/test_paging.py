"""Walks over lists that move: every entry that stays is yielded exactly once, whatever leaves or comes meanwhile."""

from collections.abc import Callable
from functools import cache
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rever_api.errors import OutcomeUnknown
from rever_api.models import ReturnProcess, SearchPage, SearchQuery, UnreadableProcess
from rever_api.paging import Walk

Between = Callable[[list[int]], None]


@cache
def entry(number: int) -> ReturnProcess:
    return ReturnProcess(rever_process_id=str(number), rever_process_status="RUNNING", return_line_items=())


def served(listed: list[int], query: SearchQuery, *, told: bool, largest: int = 100) -> SearchPage:
    """What REVER would answer at this moment."""
    part = listed[query.offset : query.offset + min(query.limit, largest)]
    return SearchPage(processes=tuple(entry(number) for number in part), rowcount=len(listed) if told else None)


def walked(
    listed: list[int], limit: int, between: list[Between], *, told: bool = True, largest: int = 100
) -> list[int]:
    """Walk a list; before each page but the first, something happens to it."""
    walk, found, changes = Walk(SearchQuery(limit=limit)), [], iter(between)
    while (query := walk.query) is not None:
        found += [
            int(new.rever_process_id)
            for new in walk.take(served(listed, query, told=told, largest=largest))
            if isinstance(new, ReturnProcess)
        ]
        next(changes, lambda _: None)(listed)
    return found


def paged(
    listed: list[int], leaves: Callable[[int], bool], arrivals: int, told: Callable[[int], int | None], most: int
) -> tuple[list[int], int]:
    """Walk as a run does: what `leaves` of a page is done before the next one is asked for, as new entries arrive."""
    walk, found, pages, left = Walk(SearchQuery(limit=100)), [], 0, most
    while (query := walk.query) is not None:
        page = served(listed, query, told=False).model_copy(update={"rowcount": told(len(listed))})
        new = [int(each.rever_process_id) for each in walk.take(page) if isinstance(each, ReturnProcess)]
        pages += 1
        found += new
        gone = {number for number in new if leaves(number)}
        listed[:] = [number for number in listed if number not in gone]
        if new and left:
            come = min(arrivals, left)
            left -= come
            first = max([*listed, *found]) + 1
            listed += range(first, first + come)
    return found, pages


def walk_on(walk: Walk, answer: Callable[[SearchQuery], SearchPage]) -> None:
    """Walk, for a thousand pages at most."""
    for _ in range(1000):
        assert walk.query is not None
        walk.take(answer(walk.query))


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("limit", [1, 2, 3, 50])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 7, 100])
def test_a_list_that_stands_still(length: int, limit: int, told: bool) -> None:
    assert walked(list(range(length)), limit, [], told=told) == list(range(length))


def test_a_server_may_give_smaller_pages_than_asked() -> None:
    assert walked(list(range(10)), 50, [], told=False, largest=3) == list(range(10))


@pytest.mark.parametrize("largest", [10, 25, 99])
@pytest.mark.parametrize(
    "told", [lambda shown, _: shown, lambda shown, _: shown - 1, lambda *_: None, lambda _, all_: all_]
)
def test_no_number_of_a_smaller_page_is_taken_for_that_of_the_list(
    told: Callable[[int, int], int | None], largest: int
) -> None:
    walk, listed, found = Walk(SearchQuery(limit=100)), list(range(250)), []
    while (query := walk.query) is not None:
        page = served(listed, query, told=False, largest=largest)
        page = page.model_copy(update={"rowcount": told(len(page.processes), len(listed))})
        found += [int(new.rever_process_id) for new in walk.take(page) if isinstance(new, ReturnProcess)]
    assert found == listed


@pytest.mark.parametrize(("length", "limit", "pages"), [(0, 100, 1), (9, 100, 1), (10, 100, 2), (4, 5, 1), (5, 5, 2)])
def test_a_short_list_is_one_page(length: int, limit: int, pages: int) -> None:
    walk, listed, asked = Walk(SearchQuery(limit=limit)), list(range(length)), 0
    while (query := walk.query) is not None:
        walk.take(served(listed, query, told=True))
        asked += 1
    assert asked == pages


def test_a_plain_next_offset_would_have_missed_one() -> None:
    listed = list(range(6))
    assert walked(listed, 3, [lambda now: now.remove(0)]) == [0, 1, 2, 3, 4, 5]


def test_all_that_was_read_may_leave_at_once() -> None:
    def leave(now: list[int]) -> None:
        del now[:4]

    assert walked(list(range(8)), 4, [leave]) == list(range(8))
    assert walked(list(range(8)), 4, [leave], told=False) == list(range(8))


def test_an_empty_page_in_mid_list_does_not_end_the_walk() -> None:
    def leave(now: list[int]) -> None:
        del now[:8]

    assert walked(list(range(12)), 8, [leave], told=False) == list(range(12))


TOLD: dict[str, Callable[[int], int | None]] = {
    "as it is": lambda count: count,
    "nothing": lambda _: None,
    "too few": lambda count: count // 3,
    "none": lambda _: 0,
    "too many": lambda count: count + 1000,
    "always the same": lambda _: 2000,
    "one thing, then another": lambda count: count * (count * 7919 % 5),
}
LEAVES: dict[str, Callable[[int], bool]] = {
    "all": lambda _: True,
    "one in five stays": lambda number: number % 5 != 0,
    "half": lambda number: number % 2 == 0,
    "one in a hundred": lambda number: number % 100 == 0,
    "all of every second hundred": lambda number: number // 100 % 2 == 0,
    "now one, now many": lambda number: number % 100 == 0 if number // 100 % 2 else True,
    "first none, then all": lambda number: number >= 1000,
}


@pytest.mark.parametrize("arrivals", [0, 30, 130])
@pytest.mark.parametrize("leaves", LEAVES.values(), ids=LEAVES)
@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_a_list_that_is_done_while_it_is_read_comes_whole(
    told: Callable[[int], int | None], leaves: Callable[[int], bool], arrivals: int
) -> None:
    """A run pays a page and its returns leave the list: however many do, none is skipped and the run goes on."""
    most = 1000 if arrivals else 0
    found, _ = paged(list(range(2000)), leaves, arrivals, told, most)
    assert sorted(found) == list(range(2000 + most))


@pytest.mark.parametrize(
    ("leaves", "told", "most"),
    [
        ("all", "as it is", 45),
        ("one in five stays", "as it is", 45),
        ("half", "as it is", 45),
        ("all", "nothing", 50),
        ("one in five stays", "nothing", 95),
    ],
)
def test_a_list_that_is_done_while_it_is_read_costs_few_pages(leaves: str, told: str, most: int) -> None:
    """20 pages at least; about two for each where REVER tells the total."""
    found, pages = paged(list(range(2000)), LEAVES[leaves], 0, TOLD[told], 0)
    assert len(found) == 2000
    assert pages <= most


def test_a_total_that_falls_for_no_reason_makes_nobody_read_all_again() -> None:
    totals = count(10**6, -400)
    found, pages = paged(list(range(5000)), lambda _: False, 0, lambda _: next(totals), 0)
    assert found == list(range(5000))
    assert pages < 170


def test_a_view_from_before_hides_nothing() -> None:
    """REVER may answer one page from an older view: the page repeats what has left, and the next one is behind it."""
    listed, views, found, pages = list(range(1000)), [], [], 0
    walk = Walk(SearchQuery(limit=100))
    while (query := walk.query) is not None:
        views.append(list(listed))
        pages += 1
        view = views[-2] if pages % 3 == 0 else listed
        new = [
            int(each.rever_process_id)
            for each in walk.take(served(view, query, told=True))
            if isinstance(each, ReturnProcess)
        ]
        found += new
        listed = [number for number in listed if number not in new]
    assert found == list(range(1000))
    assert pages < 60


CHANGES = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["leave", "come first", "come last", "come within"]), st.integers(0, 10**6)),
        max_size=6,
    ),
    max_size=12,
)


@given(
    length=st.integers(0, 40), limit=st.integers(1, 9), told=st.booleans(), changes=CHANGES, largest=st.integers(2, 9)
)
@settings(max_examples=100, deadline=None)
def test_every_entry_that_stays_comes_exactly_once(
    length: int, limit: int, told: bool, changes: list[list[tuple[str, int]]], largest: int
) -> None:
    listed = [number * 1000 for number in range(length)]
    begun, left = set(listed), set()
    fresh = iter(range(1, 999))

    def happen(events: list[tuple[str, int]]) -> Between:
        def between(now: list[int]) -> None:
            for what, place in events:
                if what == "leave" and now:
                    left.add(now.pop(place % len(now)))
                elif what == "come first":
                    now.insert(0, min([0, *now]) - 1)
                elif what == "come last":
                    now.append(max([0, *now]) + 1000)
                elif what == "come within" and now:
                    at = place % len(now)
                    now.insert(at + 1, now[at] + next(fresh)) if now[at] % 1000 == 0 else None

        return between

    found = walked(listed, limit, [happen(events) for events in changes], told=told, largest=largest)
    assert len(found) == len(set(found))
    assert begun - left <= set(found)


def test_a_page_that_hides_an_entry_is_noticed_by_the_number_of_matches() -> None:
    walk, found, first = Walk(SearchQuery(limit=3)), [], True
    while (query := walk.query) is not None:
        page = served([1, 2, 3, 4, 5], query, told=True)
        if first:
            page = page.model_copy(update={"processes": (entry(1), entry(3), entry(4))})
        first = False
        found += [new.rever_process_id for new in walk.take(page) if isinstance(new, ReturnProcess)]
    assert sorted(found) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("rowcount", [500, None])
def test_a_page_that_repeats_for_ever_is_noticed(rowcount: int | None) -> None:
    walk = Walk(SearchQuery(limit=5))
    page = SearchPage(processes=tuple(entry(number) for number in range(5)), rowcount=rowcount)
    with pytest.raises(OutcomeUnknown, match="as if it repeated itself"):
        walk_on(walk, lambda _: page)


def test_a_list_that_never_stands_still_is_noticed() -> None:
    numbers = count(10)

    def always_others(query: SearchQuery) -> SearchPage:
        number = next(numbers) if query.offset else 0
        return SearchPage(processes=(entry(number), entry(number + 1)), rowcount=10**9)

    with pytest.raises(OutcomeUnknown):
        walk_on(Walk(SearchQuery(limit=2)), always_others)


def test_what_cannot_be_read_is_told_once_and_hides_nothing() -> None:
    odd = [
        UnreadableProcess(process_id="", why="entry: dict_type"),
        UnreadableProcess(process_id="x", why="quantity: missing"),
    ]
    listed = [entry(1), *odd, odd[0], entry(2), odd[0]]
    walk, found = Walk(SearchQuery(limit=3)), []
    while (query := walk.query) is not None:
        part = tuple(listed[query.offset : query.offset + 3])
        found += walk.take(SearchPage(processes=part, rowcount=len(listed)))
    assert found == listed


def test_the_query_keeps_its_own_order_and_begins_at_its_offset() -> None:
    query = Walk(SearchQuery(sortby="updated_at", order="desc", offset=7, ecommerce_id="acme")).query
    assert query is not None
    assert (query.sortby, query.order, query.offset, query.ecommerce_id) == ("updated_at", "desc", 7, "acme")


@pytest.mark.parametrize("rowcount", [1, 13, 10**9])
def test_a_list_that_shows_nothing_though_rever_counts_some_is_no_empty_list(rowcount: int) -> None:
    walk = Walk(SearchQuery(limit=5))
    with pytest.raises(OutcomeUnknown, match=f"counts {rowcount} entries .* shows none"):
        walk_on(walk, lambda _: SearchPage(processes=(), rowcount=rowcount))


def test_what_rever_counts_and_never_shows_is_told() -> None:
    walk, found = Walk(SearchQuery(limit=5)), []
    while (query := walk.query) is not None:
        found += walk.take(served([1, 2, 3], query, told=False).model_copy(update={"rowcount": 7}))
    (told,) = (each for each in found if isinstance(each, UnreadableProcess))
    assert told.why == "REVER counts 7 entries in its list of return processes and shows 3"
    assert len(found) == 4


@pytest.mark.parametrize(("rowcount", "most"), [(13, 1200), (None, 3100)])
def test_a_list_without_an_end_is_given_up(rowcount: int | None, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rever_api.paging._MOST_ENTRIES", 3000)
    walk, taken = Walk(SearchQuery(limit=100)), 0

    def endless(query: SearchQuery) -> SearchPage:
        shown = tuple(
            UnreadableProcess(process_id=f"retp_{number}", why="")
            for number in range(query.offset, query.offset + query.limit)
        )
        return SearchPage(processes=shown, rowcount=rowcount)

    def walk_to_the_end() -> None:
        nonlocal taken
        while (query := walk.query) is not None:
            taken += len(walk.take(endless(query)))

    with pytest.raises(OutcomeUnknown, match="has no end: it showed"):
        walk_to_the_end()
    assert taken <= most
