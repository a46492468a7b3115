"""One suggestion."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Step:
    """What to do, and why.

    Attributes:
        what: What is suggested.
        known: What the study says about it already; empty if nothing.
        command: What finds out; empty if the study has the answer.
        because: The comparison that asks for it, with its numbers.
    """

    what: str
    known: str
    command: str = ""
    because: str = ""

    def also_for(self, other: Step) -> Step:
        """The same suggestion, which another variant asks for as well."""
        known = [self.known, *([other.known] if other.known != self.known else [])]
        because = f"{self.because}; {other.because}"
        return replace(self, because=because, known="; ".join(filter(None, known)))
