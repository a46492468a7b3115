"""The one exception for everything that a user can cause, and how it is worded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

HINT = "next"  # names the line of a message that says what to do


def brief(error: Exception) -> str:
    """Kind and first line of an exception that another library raised."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


class AirshedError(Exception):
    """A problem that the user can mend; shown without a traceback.

    Args:
        what: The rule that was broken, one sentence.
        where: File, variable, timestamp or config key.
        expected: What would have been accepted.
        found: What was there instead.
        hint: What to do next.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        found: object = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        parts = {"where": where, "expected": expected, "found": found, HINT: hint}
        self.details = {name: str(value) for name, value in parts.items() if value is not None}
        super().__init__(self.render())

    def render(self) -> str:
        """The message as several aligned lines, the rule that was broken first."""
        lines = [self.what]
        lines += [f"  {name + ':':<10}{value}" for name, value in self.details.items()]
        return "\n".join(lines)


def split_hint(message: str) -> tuple[str, str | None]:
    """A rendered message without its line on what to do next, and that line's advice."""
    lines, mark = message.splitlines(), f"  {HINT}:"
    hints = [line.removeprefix(mark).strip() for line in lines if line.startswith(mark)]
    others = [line for line in lines if not line.startswith(mark)]
    return "\n".join(others), hints[-1] if hints else None


@contextmanager
def refusing(
    *errors: type[Exception],
    what: str,
    where: object,
    expected: object = None,
    hint: str | None = None,
    found: Callable[[Exception], str] = brief,
) -> Iterator[None]:
    """Turn errors that other libraries raise into a problem that the user can mend.

    Args:
        errors: Their kinds; an :class:`AirshedError` passes as it is.
        what: The rule that was broken, one sentence.
        where: File, variable, timestamp or config key.
        expected: What would have been accepted.
        hint: What to do next.
        found: What the message says of the error: its kind and first line, or all of it (``str``).

    Raises:
        AirshedError: One of these errors was raised; it is what was found.
    """
    try:
        yield
    except AirshedError:
        raise
    except errors as error:
        raise AirshedError(
            what, where=where, expected=expected, found=found(error), hint=hint
        ) from error
