"""The base class of every section of params.yaml."""

import pydantic


class Section(pydantic.BaseModel):
    """A frozen section: unknown keys, values of another type, NaN and infinity are refused."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )
