"""What every section of params.yaml is."""

import pydantic


class Section(pydantic.BaseModel):
    """A frozen section: unknown keys are refused, no value is coerced, every number is one."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )
