"""The base class of every section of params.yaml."""

from typing import Annotated

import pydantic

Seed = Annotated[int, pydantic.Field(ge=0, lt=1 << 31)]  # that every library takes


class Section(pydantic.BaseModel):
    """A frozen section: unknown keys, values of another type, NaN and infinity are refused."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )
