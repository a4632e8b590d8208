"""The result of a check, and the reason that a command gives."""

from dataclasses import dataclass
from typing import Literal, Self

Verdict = Literal["ok", "warn", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table, with advice unless it is ok."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""

    @classmethod
    def ok(cls, check: str, found: str) -> Self:
        """Return a finding that needs no action."""
        return cls(check, "ok", found)

    @classmethod
    def warn(cls, check: str, found: str, advice: str) -> Self:
        """Return a finding that does not stop a run."""
        return cls(check, "warn", found, advice)

    @classmethod
    def wrong(cls, check: str, found: str, advice: str) -> Self:
        """Return a finding that will make a run fail."""
        return cls(check, "wrong", found, advice)


def why(printed: str) -> str:
    """Return the line in which a command says why it failed; empty if it printed none.

    DVC names its support page below that line, so the last one will not do.
    """
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return [*lines, *errors][-1] if lines else ""
