"""What every report is made of."""

import math

import pydantic


class Report(pydantic.BaseModel):
    """A frozen model; a field that is not declared is refused."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Estimate(Report):
    """A figure with its support and its interval; ``None`` where it is undefined, never 0."""

    point: float | None
    low: float | None  # two-sided interval at ``confidence``
    high: float | None
    n: int  # what the figure rests on: rows, pairs, texts
    confidence: float = 0.95
    detectable: float | None = None  # least departure found with 80% power, where it is known
    note: str = ""  # why it is undefined, or how the interval was made

    @pydantic.field_validator("point", "low", "high", "detectable")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("NaN and infinity are not figures; use None and say why in `note`")
        return value
