"""The text of a policy file as plain values, each with its line: YAML (JSON is YAML too), or TOML.

YAML is read strictly, so that no value means one thing to the writer and another to the program: a word that some
programs read as a boolean, a number that is not written in plain digits, a key given twice, an alias and a tag are
problems, each with its line and what to write instead. Keys are always text.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

Where = tuple[str | int, ...]
"""The place of a value: the keys that lead to it, and the numbers of items in lists, from 0."""

NO_POLICY = "this is no policy; right would be `default:` and `stores:`, each with fields of its own."

_DEEPEST = 30
_WORDS = MappingProxyType({"true": True, "false": False, "null": None})
_BOOLEANS_OF_OTHERS = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false"})
_NULLS_OF_OTHERS = frozenset({"Null", "NULL", "~"})
_ENDS = ("]", '"""', "'''")
"""One of these stands in the last line of a TOML statement of several lines."""

_QUOTES = "\u201c\u201d\u201e\u201f\xab\xbb\u2018\u2019\u201a\u201b\u2039\u203a"
"""Quotation marks that word processors put in the place of straight ones."""

_TOO_LATE = "but got '<stream end>'"
_PUT_IN_QUOTES = " A text with a colon, a comma, a # or an apostrophe stands in quotes."
_HINTS = (
    (r"'\t'", " Indent with blanks, not with tabs."),
    ("undefined alias", " A `*` is no wildcard; put the text in quotes if it begins with one, see also `starts_with`."),
    ("cannot start any token", " Put the text in quotes."),
    ("expected ',' or", _PUT_IN_QUOTES),
    ("mapping values are not allowed", _PUT_IN_QUOTES),
)
"""A part of what PyYAML says -> what to do."""

_MOST_FAILURES = 300
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+")
_NUMBER = re.compile(
    r"""[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?
    |([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)""",
    re.VERBOSE,
)
"""All that YAML 1.1 or 1.2 takes for a number."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where, in which line (None where that is not known), and the sentence without both."""

    at: Where
    line: int | None
    words: str

    @property
    def store(self) -> str:
        """The store in whose part it is; empty where it is elsewhere."""
        return str(self.at[1]) if len(self.at) > 1 and self.at[0] == "stores" else ""

    def of(self, path: Path) -> str:
        """The problem as a sentence that names the file and the line."""
        return f"{path}{f', line {self.line}' if self.line else ''}: {self.words}"


@dataclass(frozen=True, slots=True)
class PolicyText:
    """What a policy file holds. `values` is empty where the text cannot be read at all; `problems` then say why.

    `lines` is place -> line, from 1: that of the key, or of the item of a list; in TOML, of the statement. `unread` are
    the places of the values that have a problem of their own and stand as None in `values`. A number that is not exact
    has a problem and is read all the same: whoever knows what belongs there can say it better.
    """

    values: dict[str, Any] = field(default_factory=dict)
    lines: Mapping[Where, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    unread: frozenset[Where] = frozenset()

    def line(self, at: Where) -> int | None:
        """The line of a place, or of the nearest place around it."""
        for end in range(len(at), 0, -1):
            if (line := self.lines.get(at[:end])) is not None:
                return line
        return None


def read_toml(text: str) -> PolicyText:
    """The tables of a TOML text, numbers exact."""
    try:
        return PolicyText(tomllib.loads(text, parse_float=Decimal), _toml_lines(text))
    except tomllib.TOMLDecodeError as error:
        hint = " A YAML file has a name that ends in .yaml."
        return PolicyText(problems=(Problem((), None, f"this is not TOML: {error}.{hint}"),))
    except RecursionError:
        return PolicyText(problems=(Problem((), None, "this is nested too deep."),))


def _toml_lines(text: str) -> dict[Where, int]:
    """The line in which the statement of each place begins, of a text that is TOML.

    No TOML library that is well kept tells positions. But a statement (a table's name, or a key with its value) is TOML
    by itself, and ends in the first line with which it is. One of many lines whose end is hard to find is left out, and
    what comes after it too.
    """
    lines: dict[Where, int] = {}
    failures = 0
    tables: dict[Where, int] = {}
    here: Where = ()
    statement, begins = "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        is_first, begins = not statement, begins if statement else number
        statement += f"{line}\n"
        if not is_first and not any(end in line for end in _ENDS):
            continue
        try:
            found = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:  # its value goes on in the next line
            failures += 1
            if failures > _MOST_FAILURES:
                return lines
            continue
        is_table = statement.lstrip().startswith("[")
        if is_table:
            here = _table(found, tables)
        for place in [here] if is_table else _places(found, here):
            for end in range(1, len(place) + 1):
                lines.setdefault(place[:end], begins)
        statement = ""
    return lines


def _table(found: Any, tables: dict[Where, int]) -> Where:
    """The place of the table that a statement `[name]` or `[[name]]` begins. `tables` counts those of each array."""
    place: Where = ()
    while found:
        ((name, found),) = found.items()
        place = (*place, name)
        if isinstance(found, list):
            (found,) = found
            tables[place] = tables.get(place, 0) + 1
        if place in tables:
            place = (*place, tables[place] - 1)
    return place


def _places(value: Any, at: Where) -> Iterator[Where]:
    """The place of a value, and of all within it."""
    yield at
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(part, (*at, name))


def read_yaml(text: str, no_fields: str = NO_POLICY) -> PolicyText:
    """The values of a YAML text and all problems that stand in the way of reading it in one way only.

    `no_fields` is what is said of a text that has no fields at all.
    """
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or ""
        if what.endswith(_TOO_LATE):  # where the text ends nobody looks for the mistake
            mark = error.context_mark or mark
        hint = next((hint for part, hint in _HINTS if part in what), "")
        words = f"this is not YAML: {what}.{hint}"
        return PolicyText(problems=(Problem((), mark.line + 1 if mark else None, words),))
    except yaml.YAMLError as error:
        return PolicyText(problems=(Problem((), None, f"this is not YAML: {str(error).splitlines()[0]}."),))
    except RecursionError:
        return PolicyText(problems=(Problem((), None, "this is nested too deep."),))
    reader = _Reader()
    values = {} if root is None else reader.value(root, ())
    if not isinstance(values, dict):
        return PolicyText(problems=(*reader.problems, Problem((), 1, no_fields)))
    return PolicyText(values, reader.lines, tuple(reader.problems), frozenset(reader.unread))


class _Reader:
    """Turns YAML's nodes into values, and notes lines and problems."""

    def __init__(self) -> None:
        self.lines: dict[Where, int] = {}
        self.problems: list[Problem] = []
        self.unread: set[Where] = set()
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, at: Where, *, in_braces: bool = False) -> Any:
        """The value of a node. None where it has a problem, which is noted."""
        self.lines.setdefault(at, node.start_mark.line + 1)
        if wrong := self._wrong(node, at):
            empty = in_braces and isinstance(node, yaml.ScalarNode) and not node.value
            more = "; if a comma belongs to a text, put the text in quotes" if empty else ""
            self.problems.append(Problem(at, self.lines[at], f"{shown(at)} {wrong}{more}."))
            if isinstance(node, yaml.ScalarNode) and not _is_quoted(node) and _FLOAT.fullmatch(node.value):
                return Decimal(node.value)
            self.unread.add(at)
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*at, number)) for number, item in enumerate(node.value)]
        text = str(node.value)
        if _is_quoted(node):
            return text
        return _WORDS[text] if text in _WORDS else int(text) if _WHOLE.fullmatch(text) else text

    def _wrong(self, node: yaml.Node, at: Where) -> str:
        """What about a node could be read in more than one way, and what to write instead; empty where nothing is."""
        plain = {yaml.MappingNode: "map", yaml.SequenceNode: "seq", yaml.ScalarNode: "str"}[type(node)]
        if id(node) in self._seen:
            return "is an alias (`*name`), which is not read; write out what it stands for"
        if len(at) > _DEEPEST:
            return "is nested too deep"
        if node.tag not in {f"tag:yaml.org,2002:{plain}", "!"}:
            return f"has the tag {node.tag}, which is not read; remove it"
        if plain != "str" or _is_quoted(node):
            return ""
        if node.value[:1] in {*_QUOTES}:
            return f'is {node.value}, whose quotation marks YAML takes for letters; write "{node.value.strip(_QUOTES)}"'
        return _misread(node.value)

    def _mapping(self, node: yaml.MappingNode, at: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(at, line, "a key is no plain word; right would be `name: value`."))
                continue
            key = str(key_node.value)
            place = (*at, key)
            if key in found:
                words = f"{shown(place)} is given twice, first in line {self.lines[place]}; keep one of them."
                self.problems.append(Problem(place, line, words))
                continue
            self.lines[place] = line
            found[key] = self.value(value_node, place, in_braces=bool(node.flow_style))
        return found


def _is_quoted(node: yaml.Node) -> bool:
    """Whether a scalar is in quotes, or a block of text: then it is text, whatever it looks like."""
    return isinstance(node, yaml.ScalarNode) and bool(node.style)


def _misread(text: str) -> str:
    """Why a scalar without quotes is refused: empty where every program reads it alike."""
    if not text:
        return "has no value; write one, or remove the line"
    if text in _WORDS or _WHOLE.fullmatch(text):
        return ""
    several = f"is {text} without quotes, which programs read in more than one way"
    if text.casefold() in _BOOLEANS_OF_OTHERS or text in _NULLS_OF_OTHERS:
        right = "null" if text in _NULLS_OF_OTHERS else "true or false"
        return f'{several}; write {right}, or "{text}" for the text'
    if _FLOAT.fullmatch(text):
        return f'is {text} without quotes, which is not exact; write "{text}" with quotes'
    if _NUMBER.fullmatch(text):
        return f'{several}; write plain digits, such as 1000, or "{text}" for the text'
    return ""


def shown(at: Where) -> str:
    """A place as a person reads it: `stores.acme.rules[2].when`, items counted from 1, odd names in quotes."""
    text = ""
    for part in at:
        if isinstance(part, int):
            text += f"[{part + 1}]"
            continue
        name = part if re.fullmatch(r"[\w-]+", part) else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'
        text += f".{name}" if text else name
    return text or "the file"


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the word that was probably meant, however it is spelled in capitals."""
    words = {word.casefold(): word for word in known}
    close = difflib.get_close_matches(name.casefold(), list(words), n=1)
    return f" (did you mean {words[close[0]]}?)" if close else ""
