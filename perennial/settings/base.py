"""What every group of settings is made of."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Settings(BaseModel):
    """A group of settings: immutable; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def as_list(value: object) -> object:
    """A text by itself stands for a list of one."""
    return [value] if isinstance(value, str) else value


def _as_text(value: object) -> object:
    # Labels are text everywhere; YAML reads 0 and true as something else.
    if isinstance(value, bool):
        raise ValueError(f"{value} is YAML's truth value; put the label in quotes")
    return str(value) if isinstance(value, int | float) else value


Label = Annotated[str, Field(min_length=1), BeforeValidator(_as_text)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""Of something that other settings refer to."""
