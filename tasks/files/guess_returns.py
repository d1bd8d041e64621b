"""The first mapping of a file of returns, guessed: columns, and which words of REVER's the shop's own are.

What is not sure is left out, with its candidates as comments; a person fills it in.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from tasks.files.guess import MOST_WORDS, Candidate, FileGuess, Guessed, guess_file
from tasks.files.known_names import RETURN_MEANINGS, RETURN_NAMES, SURE, plain
from tasks.files.mapping import fold
from tasks.files.return_mapping import FROM_ABOVE, NEEDED, ReturnColumns
from tasks.files.table import Table


@dataclass(frozen=True, slots=True)
class ReturnsGuess(FileGuess):
    """The guessed mapping of a file of returns. `words` are those of the columns `reason` and `method`."""

    words: Mapping[str, tuple[Guessed, ...]] = field(default_factory=dict)

    @property
    def lacks(self) -> tuple[str, ...]:
        """What a person has to say before the mapping can be used, in sentences."""
        found = self.meant
        lacking = [
            f"which column holds the {name} is not sure, or there is none" for name in NEEDED if name not in found
        ]
        for what, words in self.words.items():
            lacking += [f"which {what} of REVER's the word {it.what!r} is" for it in words if not it.meant]
        if "key" not in found:
            lacking.append(
                "whether the rows of one order are one return (`one_return_per: order`) or each by itself (`row`)"
            )
        return tuple(lacking)


def guess_returns(table: Table) -> ReturnsGuess:
    """Guess the mapping of a file of returns by its header and its first rows. Raises `InputFileError`."""
    file = guess_file(table, tuple(ReturnColumns.model_fields), RETURN_NAMES, FROM_ABOVE, ("sku",))
    columns = tuple(_with_few_words(it, file.values) for it in file.columns)
    shared = {each.name: getattr(file, each.name) for each in fields(file)} | {"columns": columns}
    meant = {it.what for it in columns if it.meant}
    return ReturnsGuess(
        **shared, words={what: _words(what, file.values[what]) for what in RETURN_MEANINGS if what in meant}
    )


def _with_few_words(it: Guessed, values: Mapping[str, Sequence[str]]) -> Guessed:
    """A column of very many different words is not sure to be one of reasons or methods."""
    many = it.what in RETURN_MEANINGS and len(set(map(fold, values.get(it.what, ())))) > MOST_WORDS
    return Guessed(it.what, "", it.candidates) if many else it


def _words(what: str, values: Sequence[str]) -> tuple[Guessed, ...]:
    """What the words of a column probably are at REVER, the most frequent first; a word in two spellings is one."""
    spelled = {fold(value): " ".join(value.split()) for value in reversed(values)}
    found = []
    for word, times in Counter(map(fold, values)).most_common():
        rows = f"in {times:,} row{'' if times == 1 else 's'}"
        known = spelled[word].upper().replace(" ", "_")
        means, sure = RETURN_MEANINGS[what].get(plain(word), ("", 0))
        if not means and known in {each for each, _ in RETURN_MEANINGS[what].values()}:
            means, sure = known, 99
        if not means:
            found.append(Guessed(spelled[word], "", (Candidate("?", 0, f"{rows}; not a known word"),)))
            continue
        why = "what it says" if sure >= SURE else "it may be meant otherwise"
        found.append(Guessed(spelled[word], means if sure >= SURE else "", (Candidate(means, sure, f"{rows}; {why}"),)))
    return tuple(found)
