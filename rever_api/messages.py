"""A request before it is sent, and the answer to it: its body, its JSON or the error that it means, and its time."""

import json
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from rever_api.errors import (
    NotFound,
    OutcomeUnknown,
    Reason,
    Refused,
    RefusedForNow,
    ReverError,
    Unauthorized,
    WrongRoute,
)
from rever_api.limits import seconds_to_wait
from rever_api.models.base import Spoiled
from rever_api.redaction import redacted, shown

_GRPC_NOT_FOUND = 5
_REQUEST_ID = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid")
"""The headers that may name a request (REVER's is not known)."""

_UNKNOWN = (OutcomeUnknown, "What was done is not known.")
_REDIRECTED = (
    OutcomeUnknown,
    "A redirect is also the answer to a request that was carried out, so what was done is not known. Check"
    " REVER_BASE_URL and the endpoint table.",
)
_WRONG_ROUTE = (WrongRoute, "That is not where the operation is: check REVER_BASE_URL and the endpoint table.")
_CHECK_KEY = "check REVER_API_KEY, and that it belongs to this account."
_ADVICE: Mapping[int, tuple[type[ReverError], str]] = {
    401: (Unauthorized, f"REVER refused the API key (401): {_CHECK_KEY}"),
    403: (Unauthorized, f"REVER does not let this API key do that (403): {_CHECK_KEY}"),
    405: _WRONG_ROUTE,
    407: (Unauthorized, "A proxy on the way to REVER wants credentials of its own (407): check HTTPS_PROXY."),
    408: _UNKNOWN,
    425: _UNKNOWN,
    429: (RefusedForNow, "Too many requests: try again later."),
    499: _UNKNOWN,
    501: (Refused, "REVER does not do this automatically; nothing was done."),
}


@dataclass(frozen=True)
class Request:
    """One call, ready to be sent. What may hold a shopper's data or a signature stays out of its repr.

    `effect` says that it moves money, goods or an inspection: it is never sent twice by the client. Without `with_key`
    it goes to where a label's file lies, and not to REVER.
    """

    operation: str
    method: str
    url: str = field(repr=False)
    params: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    json: dict[str, Any] | None = field(default=None, repr=False)
    with_key: bool = True
    effect: bool = False


@dataclass(frozen=True)
class Answer:
    """Status, headers (lower-case names) and whole body of one answer, and how REVER's words are masked.

    `at` is when it came, aware; it is what a `Retry-After` date is measured from. `effect` says that it answers an
    effect, which may have been carried out whatever the answer says. `took` is how many seconds the attempt took, and
    `theirs` that it comes from where the API is, and not from where a label's file lies.
    """

    operation: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    at: datetime
    mask: Callable[[str], str] = field(default=shown, repr=False)
    effect: bool = False
    took: float = 0.0
    theirs: bool = True

    def document(self) -> Any:
        """The JSON of a 2xx, numbers with a point read as `Decimal`; raises what any other answer means."""
        if not 200 <= self.status < 300:
            raise self.error()
        try:
            found = read_json(self.body)
        except ValueError:
            found = _NOT_JSON
        if isinstance(found, Spoiled):
            raise self.unreadable(f"its body of {len(self.body)} bytes is not JSON")
        return found

    def unreadable(self, why: str) -> OutcomeUnknown:
        """The error of a 2xx that does not say what it should; `why` holds no value of the body."""
        sentence = f"REVER answered {self.status} to {self.operation}, but {why}: what was done is not known."
        return OutcomeUnknown(sentence, operation=self.operation, status=self.status, request_id=self.request_id)

    @property
    def request_id(self) -> str:
        """REVER's id of the request, "" where no header names one."""
        named = next((self.headers[name] for name in _REQUEST_ID if name in self.headers), "")
        return self.mask(named) if named else ""

    def error(self) -> ReverError:
        """The error that a status outside 2xx means (`rever_api.errors` lists the classes)."""
        body = self._body()
        code, words = self._words(body)
        kind, advice = _judge(self.status, code, words, effect=self.effect)
        # The class and the code, not the words: these may quote a shopper's name and street.
        reason = reason_of(self.status, code, words)
        said = "".join([f": {reason.words}" if reason.words else "", f" (code {code})" if code is not None else ""])
        sentence = f"REVER answered {self.status} to {self.operation}{said}. {advice}"
        wait = seconds_to_wait(self.headers.get("retry-after"), self.at)
        return kind(
            sentence,
            operation=self.operation,
            status=self.status,
            code=code,
            message=words,
            retry_after=wait,
            reason=reason,
            request_id=self.request_id,
            body=redacted(body, self.mask),
        )

    def _body(self) -> Any:
        """The JSON of an error body, else its text, else None."""
        try:
            return read_json(self.body)
        except ValueError:
            return self.body[:_MOST_TEXT].decode("utf-8", "replace") or None

    def _words(self, document: Any) -> tuple[int | None, str]:
        """The code and the masked message of an error body; text, HTML, bad UTF-8 or nothing have neither."""
        if not isinstance(document, dict):
            return None, ""
        inner = document.get("error")
        source = {**document, **inner} if isinstance(inner, dict) else document
        words = next((word for word in (source.get("message"), inner) if isinstance(word, str) and word), "")
        code = str(source.get("code"))
        return int(code) if re.fullmatch("[0-9]{1,9}", code) else None, self.mask(words)


_NOT_JSON = Spoiled("no JSON")
_MOST_TEXT = 4000
_MOST_DIGITS = 40
_DEEPEST = 100
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def read_json(body: bytes) -> Any:
    """Parse JSON without binary floating point; raises ValueError for what is not JSON.

    What no field could take (NaN, a number of thousands of digits, a name with two values, a list in a list in a list
    without end) becomes a `Spoiled` in its place: it spoils the object that it is in, and not a page of a hundred.
    Bytes that are no text in the body's encoding and bare control characters are let through to the models, which
    clean free text and refuse ids and amounts. A byte order mark is passed over (RFC 8259, 8.1).
    """
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return _DECODER.decode(_without_depths(text))


def _fraction(digits: str) -> Any:
    try:
        return Decimal(digits) if len(digits) <= _MOST_DIGITS else Spoiled("a number of too many digits")
    except ArithmeticError:
        return Spoiled("a number beyond all bounds")


def _whole(digits: str) -> Any:
    return int(digits) if len(digits) <= _MOST_DIGITS else Spoiled("a number of too many digits")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; a name that is there twice with two values has none."""
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if type(found[name]) is not type(value) or found[name] != value:
                found[name] = Spoiled("two values of one name")
    return found


_DECODER = json.JSONDecoder(
    parse_float=_fraction,
    parse_int=_whole,
    parse_constant=lambda name: Spoiled(f"{name}, which is no number"),
    object_pairs_hook=_object,
    strict=False,
)


def _without_depths(text: str) -> str:
    """The text with NaN, which is read as spoiled, in place of each list or object that lies too deep."""
    kept, done, depth = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == _DEEPEST:
                kept.append(text[done : token.start()])
        elif token[0] in "]}":
            depth -= 1
            if depth == _DEEPEST - 1:
                kept.append("NaN")
                done = token.end()
    if depth >= _DEEPEST:
        raise ValueError("nested too deeply, and without an end")
    return "".join((*kept, text[done:]))


def _judge(status: int, code: int | None, words: str, *, effect: bool) -> tuple[type[ReverError], str]:
    """Tell which error a status means, and what a person can do about it.

    303 is the normal answer to a POST that acted (RFC 9110, 15.4.4), and a proxy may send another on the way back.

    A gateway that does not know a route answers 404 with code 5 and the bare words "Not Found"; one whose service does
    not know the resource answers code 5 in the service's own words (gRPC-gateway).
    """
    if status in _ADVICE:
        return _ADVICE[status]
    if status == 404 and code == _GRPC_NOT_FOUND and words.strip(". ").lower() != "not found":
        return NotFound, "There is nothing of that id at REVER."
    if effect and 300 <= status < 400:
        return _REDIRECTED
    if 300 <= status < 400 or status == 404:
        return _WRONG_ROUTE
    if 400 <= status < 500:
        return Refused, "Nothing was done; the same call would be refused again."
    return _UNKNOWN


# The codes are gRPC's, as REVER's reference names two of them (3 and 12); the words are those of its reference and, for
# want of more, those that such systems use (assumed).
_SAID = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"reject[ _]?reason", Reason.REJECT_REASON),
        (r"combination|combinaci", Reason.COMBINATION),
        (r"out of stock|no stock|insufficient (stock|inventory)|inventory|sold out", Reason.OUT_OF_STOCK),
        (r"pick-?up|\bslots?\b|holiday|festiv|non[- ]?working day|weekend|time (range|window)", Reason.PICKUP),
        (r"address|postcode|postal|zip code|phone|country|province|city\b|street", Reason.ADDRESS),
        # After pickups and addresses: only what speaks of carrier and method themselves is worth another carrier.
        (
            r"not supported (by|for|with) |unsupported carrier"
            r"|\b(carrier|provider)\b.*\b(not|un)\W*(support|available|valid|allow)",
            Reason.COMBINATION,
        ),
        (r"already.*refund|refund.*already|fully refunded|above what is still refundable", Reason.ALREADY_REFUNDED),
        (r"already.*review|review.*already", Reason.ALREADY_REVIEWED),
        (r"\bamount\b|currency", Reason.AMOUNT),
        (r"payment|transaction|gateway declined|insufficient funds|\biban\b", Reason.PAYMENT),
        (r"already", Reason.ALREADY_DONE),
        (r"process is |return is |\bstatus\b|\bstate\b", Reason.NOT_RUNNING),
        (r"by hand|manual", Reason.BY_HAND),
        (r"not found|no such|does not exist|unknown ", Reason.NOT_FOUND),
    )
)
_OF_STATUS = {401: Reason.NO_ACCESS, 403: Reason.NO_ACCESS, 429: Reason.TOO_MANY, 501: Reason.BY_HAND}
_OF_CODE = {
    5: Reason.NOT_FOUND,
    6: Reason.ALREADY_DONE,
    7: Reason.NO_ACCESS,
    8: Reason.TOO_MANY,
    12: Reason.BY_HAND,
    16: Reason.NO_ACCESS,
}


def reason_of(status: int, code: int | None, words: str) -> Reason:
    """The class of an answer: by its status where that says it, else by REVER's words, else by the gRPC code."""
    if status in _OF_STATUS:
        return _OF_STATUS[status]
    if status >= 500:
        return Reason.FAULT
    said = next((reason for pattern, reason in _SAID if pattern.search(words.lower())), None)
    return said or _OF_CODE.get(code or 0, Reason.OTHER)


# How far another clock is from ours, as far as its answers show.

_LAST_TIMES = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """One time of another clock, and between which two of ours it was read. `grain`: how coarse it is."""

    time: datetime
    asked_at: datetime
    came_at: datetime
    grain: timedelta = timedelta(0)


def sample(date: str | None, asked_at: datetime, came_at: datetime) -> list[Sample]:
    """Read an HTTP `Date`, which is cut to whole seconds; none where there is none to read."""
    try:
        time = parsedate_to_datetime(date or "")
    except (ValueError, TypeError, IndexError, OverflowError):  # what the parser meets in a text that is no date
        return []
    return [Sample(time, asked_at, came_at, timedelta(seconds=1))] if time.tzinfo else []


def ahead(samples: Sequence[Sample]) -> timedelta:
    """By how much the other clock is ahead of ours at least (behind: negative); 0 where they may agree."""
    least = max(each.time - each.came_at for each in samples)
    most = min(each.time - each.asked_at + each.grain for each in samples)
    return least if least > timedelta(0) else most if most < timedelta(0) else timedelta(0)


class OtherClock:
    """REVER's clock beside ours, by the `Date` of the last answers that have one.

    Of the last two the one nearest to ours is believed, so that none decides alone (an old one, or a server that is
    wrong), and a clock that jumps during a run is noticed at the second answer after it.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=_LAST_TIMES)

    def hear(self, answer: Answer) -> None:
        """Note the time of an answer, if it has one. A malformed one raises nothing: it may answer an effect."""
        now = self._clock()
        if answer.theirs and answer.headers.get("age", "0").strip() == "0":  # no label's file, nothing out of a cache
            self._samples += sample(answer.headers.get("date"), now - timedelta(seconds=answer.took), now)

    @property
    def ahead(self) -> timedelta:
        """By how much REVER's clock is ahead of ours (behind: negative); 0 where it may agree or sends no time."""
        return min((ahead([each]) for each in self._samples), key=abs, default=timedelta(0))


def in_words(span: timedelta) -> str:
    """A span between two clocks, in the unit that fits it."""
    seconds = round(span.total_seconds())
    minutes, hours = round(seconds / 60), round(seconds / 3600)
    return f"{seconds} s" if seconds < 120 else f"{minutes} min" if minutes < 120 else f"{hours} h"


# The body of an answer as it comes in: unpacked piece by piece, and refused as soon as it is too long.
#
# Some kilobytes of gzip can hold gigabytes, and layers of it (`gzip, gzip`) far more. So no layer ever gives more than
# `MOST_BODY`, none hands on more than a piece at a time, and a body is whole only where every layer says so.

MOST_BODY = 32 * 1024 * 1024
"""Bytes of a body, and of each layer of it; a page of a hundred returns has some hundred kilobytes."""

_PIECE = 256 * 1024
_MOST_LAYERS = 3
_MOST_MEMBERS = 1000
_GZIP, _ZLIB, _RAW = 31, 15, -15
_GZIP_BEGINS = b"\x1f\x8b"
_ZLIB_FRAME = 2


class Body:
    """Collects a body. Raises `httpx.DecodingError` where it is too long or is not what its headers say."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        named = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
        layers = [name for name in named if name not in {"", "identity"}]
        if len(layers) > _MOST_LAYERS or any(name not in {"gzip", "x-gzip", "deflate"} for name in layers):
            raise httpx.DecodingError("the body is packed in a way that was not asked for")
        # What was packed last is unpacked first (RFC 9110, 8.4).
        self._layers = [_Layer(gzip="gzip" in name) for name in reversed(layers)]
        self._whole = bytearray()

    def take(self, chunk: bytes) -> Iterator[None]:
        """Take what came in. Yields after each piece, so that a caller can let others run."""
        for piece in self._unpacked(chunk, 0):
            if len(self._whole) + len(piece) > MOST_BODY:
                raise httpx.DecodingError("the body is too long")
            self._whole += piece
            yield

    def whole(self) -> bytes:
        """The body, once all of it came in."""
        for layer in self._layers:
            layer.check_end()
        return bytes(self._whole)

    def _unpacked(self, chunk: bytes, depth: int) -> Iterator[bytes]:
        if depth == len(self._layers):
            yield chunk
            return
        for piece in self._layers[depth].pieces(chunk):
            yield from self._unpacked(piece, depth + 1)


class _Layer:
    """One gzip or deflate around a body."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._stream = zlib.decompressobj(_GZIP if gzip else _ZLIB)
        self._head: bytes | None = b""
        self._taken = self._given = self._members = 0

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Unpack what came in, a piece at a time."""
        self._taken += len(chunk)
        while True:
            if self._stream.eof:
                if not self._gzip or not chunk.startswith(_GZIP_BEGINS):
                    return
                self._members += 1
                self._stream = zlib.decompressobj(_GZIP)  # gzip files may follow one another (RFC 1952, 2.2)
            piece = self._inflated(chunk)
            self._given += len(piece)
            if max(self._taken, self._given) > MOST_BODY or self._members > _MOST_MEMBERS:
                raise httpx.DecodingError("the body is too long")
            yield piece
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if not chunk and len(piece) < _PIECE:
                return

    def check_end(self) -> None:
        """Refuse a body that ends before this layer does."""
        if self._taken and not self._stream.eof:
            raise httpx.DecodingError("the body is cut off")

    def _inflated(self, chunk: bytes) -> bytes:
        try:
            piece = self._stream.decompress(chunk, _PIECE)
        except zlib.error as error:
            if self._gzip or self._head is None:
                raise httpx.DecodingError(f"the body is not packed as it says ({error})") from None
            # "deflate" without zlib's frame, as old servers send it; the frame would have been the first two bytes.
            self._stream, chunk, self._head = zlib.decompressobj(_RAW), self._head + chunk, None
            return self._inflated(chunk)
        if self._head is not None:
            self._head = self._head + chunk if len(self._head) + len(chunk) < _ZLIB_FRAME else None
        return piece
