"""The base class of all reports, and the estimate that most of them hold."""

import math

import pydantic


class Report(pydantic.BaseModel):
    """A frozen model; a field that is not declared is refused."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Estimate(Report):
    """A figure with its sample size and interval; ``None``, never 0, where it is undefined."""

    point: float | None
    low: float | None  # two-sided interval at ``confidence``
    high: float | None
    n: int  # sample size: rows, pairs or texts
    confidence: float = 0.95
    detectable: float | None = None  # smallest departure found with 80% power, if known
    note: str = ""  # why it is undefined, or how the interval was made

    @pydantic.field_validator("point", "low", "high", "detectable")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and not math.isfinite(value):
            raise ValueError("NaN and infinity are not figures; use None and say why in `note`")
        return value
