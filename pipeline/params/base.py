"""What every section of params.yaml is."""

import pydantic


class Section(pydantic.BaseModel):
    """A frozen section: unknown keys are refused, and no value is coerced from another type."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)
