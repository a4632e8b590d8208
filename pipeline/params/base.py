"""What every section of params.yaml is."""

from typing import Annotated

import pydantic

Seed = Annotated[int, pydantic.Field(ge=0, lt=1 << 31)]  # that every library takes


class Section(pydantic.BaseModel):
    """A frozen section: unknown keys are refused, no value is coerced, every number is one."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )
