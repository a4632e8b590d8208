"""The result of a check."""

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
