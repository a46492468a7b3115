"""The examples of README and docs/: found, and run as they stand there.

Python is run by ``doctest`` of the standard library, which knows what an example is and compares
what it shows; finding fenced blocks is one regular expression, which no package need bring.
"""

from __future__ import annotations

import doctest
import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    *("README.md", "CONTRIBUTING.md", "config/README.md", "benchmarks/README.md"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")),
)
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Example(NamedTuple):
    """A fenced block.

    Attributes:
        where: Page and line.
        language: What stands behind its fence: ``python``, ``yaml``, or nothing for commands.
        text: What it holds, without the indentation of the list that it may stand in.
    """

    where: str
    language: str
    text: str

    def commands(self) -> Iterator[list[str]]:
        """The words of each command line, joined where it goes on, without comments."""
        for line in self.text.replace("\\\n", " ").splitlines():
            for command in re.split(r" \| | && ", line):
                if words := shlex.split(command, comments=True):
                    yield words


def examples(page: str, language: str | None = None) -> list[Example]:
    """Those of a page in order; of one language, or of all."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = [
        Example(
            f"{page}:{text.count(chr(10), 0, fence.start()) + 1}",
            fence[2],
            textwrap.dedent(fence[3]),
        )
        for fence in _FENCE.finditer(text)
    ]
    return [one for one in found if language is None or one.language == language]


def run_python(example: Example, instead: Mapping[str, str], **names: Any) -> dict[str, Any]:
    """Run an example of Python, and compare what it shows with what comes out.

    Args:
        example: With prompts (``>>>``) it shows what comes out, without it is a program.
        instead: What stands in the place of something else, such as of a large study's folder.
        names: What the page takes as given.

    Returns:
        The names that it leaves.
    """
    text = replaced(example.text, instead)
    if ">>>" not in text:
        exec(compile(text, example.where, "exec"), names)  # noqa: S102
        return names
    test = doctest.DocTestParser().get_doctest(text, names, example.where, example.where, 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=_OPTIONS).run(
        test, out=said.append, clear_globs=False
    )
    assert result.attempted > 0, f"{example.where} has no example"
    assert result.failed == 0, "".join(said)
    return test.globs


def replaced(text: str, instead: Mapping[str, str]) -> str:
    """A text with some parts exchanged."""
    for old, new in instead.items():
        text = text.replace(old, new)
    return text
