"""What a check of the doctor has found."""

from dataclasses import dataclass
from typing import Literal, Self

Verdict = Literal["ok", "warn", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table; all but an ok one say what to do."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""

    @classmethod
    def ok(cls, check: str, found: str) -> Self:
        """Return a finding of which nothing need be done."""
        return cls(check, "ok", found)

    @classmethod
    def warn(cls, check: str, found: str, advice: str) -> Self:
        """Return a finding that a run survives."""
        return cls(check, "warn", found, advice)

    @classmethod
    def wrong(cls, check: str, found: str, advice: str) -> Self:
        """Return a finding that a run will fail of."""
        return cls(check, "wrong", found, advice)
