"""The pages as tests read them: their commands, the settings that they name, their headings and links."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
READERS = [ROOT / "docs" / f"{name}.md" for name in ("ops", "finance", "engineer", "developer")]

_PIPES = {"|", "||", "&&", ";", "&"}
_INTO = {">", ">>", "<"}
_SET = re.compile(r"[A-Z_][A-Z0-9_]*=")


@dataclass(frozen=True)
class Typed:
    """One command as it stands on a page. `piped`: what it reads comes from another one, or goes to it."""

    page: str
    line: int
    words: tuple[str, ...]
    piped: bool = False

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {shlex.join(self.words)}"


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """The fenced blocks of this language: the number of the first line, and the text without its indentation."""
    text = page.read_text("utf-8")
    found = re.finditer(rf"^( *)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [(text[: each.start(2)].count("\n") + 1, re.sub(rf"^{each[1]}", "", each[2], flags=re.M)) for each in found]


def commands(page: Path) -> list[Typed]:
    """Every command in the page's `console` blocks, and in those of no language that hold nothing but commands of ours.

    Where lines begin with `$`, the others are what is printed.
    """
    found = []
    plain = [
        (begin, text) for begin, text in blocks(page, "") if re.fullmatch(r"((echo .*\| )?rever-returns .*\n)+", text)
    ]
    for begin, text in sorted(blocks(page, "console") + plain):
        lines = text.splitlines()
        prompted = any(line.startswith("$ ") for line in lines)
        for number, line in enumerate(lines, begin):
            if line.strip() and (line.startswith("$ ") or not prompted):
                found += _typed(page, number, line.removeprefix("$ "))
    return found


def _typed(page: Path, number: int, line: str) -> list[Typed]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    parts: list[list[str]] = [[]]
    words = list(lexer)
    for before, word in zip(["", *words], words, strict=False):
        if word in _PIPES:
            parts.append([])
        elif word not in _INTO and before not in _INTO:
            parts[-1].append(word)
    name = page.relative_to(ROOT).as_posix()
    return [Typed(name, number, tuple(part), piped="|" in words) for part in parts if part]


def settings_named(page: Path) -> set[str]:
    """The variables that the page's commands and settings files set."""
    exported = [word for typed in commands(page) if typed.words[0] == "export" for word in typed.words[1:]]
    written = [line.strip() for _, text in blocks(page, "sh") for line in text.splitlines()]
    return {word.partition("=")[0] for word in exported + written if _SET.match(word)}


def anchors(page: Path) -> set[str]:
    """What a link may have behind its `#`, as GitHub makes it of the headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    made: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        made.append(slug if slug not in made else f"{slug}-{made.count(slug)}")
    return set(made)


def links(page: Path) -> list[str]:
    """The page's links to what is in this project."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", link)]
