"""Walking all pages of a list that moves while it is read.

Offsets name places, not entries: when an entry leaves the list, all behind it move up by one, and the plain "next
offset" skips one. The rule here, for a list in a stable order (`started_at` ascending unless the query says otherwise):

1. Each next page begins at the last entry of the page before it, so that two pages overlap by one.
2. A page joins what was read when it begins at offset 0 or with an entry that was seen. Whatever stood before a seen
   entry was seen too, or came later; so after a joined page nothing up to its end is missing.
3. A page that does not join (its first entry is new, or it is empty) shows that the list moved. It is put aside and
   the walk steps back until a page joins: first by as many places as REVER's total fell since the page before, or as
   the list moved when a page last joined after a step (what is paid leaves the list while it is read, a whole page at a
   time), then twice as far each time. A guess is two pages at most: too far costs a page or two read again.
4. The walk ends with a joined page that brings nothing new, is not full, and reaches the number of matches REVER gave,
   or, where it gave none, holds no more than its overlap. It ends with its first page where that shows as many entries
   as REVER counts, and fewer than any server's page holds: then it was the whole list, at one moment. (Of more entries
   that number may be the page's own, on a server whose pages are smaller than was asked for.) If fewer entries were
   seen than REVER counts, it walks again, at most twice.
5. Pages that bring nothing new are bounded (20, and four more for each that did): a server that repeats a page for
   ever, or a list that moves faster than it is read, ends in `OutcomeUnknown`. So do a list without an end (200,000
   entries, or ten times and 1,000 more than a total that never changes) and one that shows nothing on any walk though
   REVER counts some.
6. Where REVER still counts more than were seen, the last entry is an unreadable one that says so.

So every process that stays in the list during the walk is yielded exactly once, by its id. An unreadable entry without
an id is known by its place, and may come twice when the list moves.
"""

from rever_api.errors import OutcomeUnknown
from rever_api.models import ReturnProcess, SearchPage, SearchQuery, UnreadableProcess

_SMALLEST_PAGE = 10
_WALKS_AGAIN = 2
_GUESSED_PAGES = 2
_FRUITLESS = 20
_FRUITLESS_PER_PAGE = 4
_MOST_ENTRIES = 200_000
_MOST_TIMES_TOTAL, _AND_MORE = 10, 1000


class Walk:
    """The state of one walk: ask for `query`, give the page to `take`, until `query` is None. Does no I/O."""

    def __init__(self, query: SearchQuery) -> None:
        stable = {"sortby": query.sortby or "started_at", "order": query.order or "asc", "limit": max(2, query.limit)}
        self._query = query.model_copy(update=stable)
        self._begin = self._offset = query.offset
        self._seen: set[str] = set()
        self._step = self._moved = self._from = 0
        self._total: int | None = None
        self._totals: set[int | None] = set()
        self._again = _WALKS_AGAIN
        self._fruitful = self._fruitless = 0
        self._over = False

    @property
    def query(self) -> SearchQuery | None:
        """The next page to ask for; None at the end."""
        return None if self._over else self._query.model_copy(update={"offset": self._offset})

    def take(self, page: SearchPage) -> list[ReturnProcess | UnreadableProcess]:
        """Take the page that was asked for and give its new entries; `OutcomeUnknown` when the walk leads nowhere."""
        keys = [_key(entry, self._offset + place) for place, entry in enumerate(page.processes)]
        fell = max(0, (self._total or 0) - (page.rowcount or 0))
        self._total = page.rowcount
        if self._offset > self._begin and not (keys and keys[0] in self._seen):
            self._count(fruitful=False)
            self._step_back(fell)
            return []
        new = {key: entry for key, entry in zip(keys, page.processes, strict=True) if key not in self._seen}
        smallest = min(self._query.limit, _SMALLEST_PAGE)
        whole = not self._seen and len(new) == len(keys) == (page.rowcount or 0) - self._begin < smallest
        if new and self._step:
            last_seen = self._offset + keys.index(next(iter(new))) - 1
            self._moved = max(self._moved // 2, self._from - last_seen)
        self._seen |= new.keys()
        self._totals = {*self._totals, page.rowcount} if len(self._totals) < 2 else self._totals
        self._check_end()
        self._count(fruitful=bool(new))
        self._step = 0 if new else self._step
        self._go_on(len(keys), page.rowcount, ended=not new or whole)
        return [*new.values(), *(self._hidden(page.rowcount) if self._over else [])]

    def _step_back(self, fell: int) -> None:
        """Go back to where the last entry that was seen may stand by now."""
        guess = min(max(fell, self._moved), _GUESSED_PAGES * self._query.limit)
        self._from = self._from if self._step else self._offset
        self._step = max(1, 2 * self._step, guess)
        self._offset = max(self._begin, self._offset - self._step)

    def _go_on(self, length: int, rowcount: int | None, *, ended: bool) -> None:
        """Decide where the next page begins, or that there is none."""
        end = self._offset + length
        self._offset = max(self._begin, end - 1)
        full = length >= self._query.limit
        if not ended or full or (length > 1 and (rowcount is None or end < rowcount)):
            return
        if rowcount is not None and self._again and len(self._seen) < rowcount - self._begin:
            self._again -= 1
            self._offset = self._begin
            return
        self._over = True

    def _hidden(self, rowcount: int | None) -> list[UnreadableProcess]:
        """An unreadable entry where REVER counts more entries than it showed; raises where it showed none at all."""
        shown, counted = len(self._seen), (rowcount or 0) - self._begin
        if shown >= counted:
            return []
        why = f"REVER counts {counted} entries in its list of return processes and shows {shown or 'none'}"
        if not shown:
            raise OutcomeUnknown(f"{why}.", operation="searchReturnProcesses")
        return [UnreadableProcess(process_id="", why=why)]

    def _check_end(self) -> None:
        """Give up on a list without an end."""
        most = _MOST_ENTRIES
        if len(self._totals) == 1 and (total := max(self._totals, key=lambda it: it or 0)):
            most = min(most, _MOST_TIMES_TOTAL * total + _AND_MORE) if total < most else 2 * total
        if len(self._seen) > most:
            raise OutcomeUnknown(
                f"REVER's list of return processes has no end: it showed {len(self._seen)} entries"
                + (f" and counts {self._total}." if self._total is not None else "."),
                operation="searchReturnProcesses",
            )

    def _count(self, *, fruitful: bool) -> None:
        """Count a page, and give up on a walk that leads nowhere."""
        self._fruitful += fruitful
        self._fruitless += not fruitful
        if self._fruitless > _FRUITLESS + _FRUITLESS_PER_PAGE * self._fruitful:
            raise OutcomeUnknown(
                f"REVER's list of return processes cannot be walked: {self._fruitless} of "
                f"{self._fruitless + self._fruitful} pages brought nothing new, as if it repeated itself.",
                operation="searchReturnProcesses",
            )


def _key(entry: ReturnProcess | UnreadableProcess, place: int) -> str:
    """What identifies an entry."""
    if isinstance(entry, ReturnProcess):
        return entry.rever_process_id
    return entry.process_id or f"unreadable at {place}"
