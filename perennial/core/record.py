"""What all records are made of: frozen, comparable, JSON beside the files they name."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A step's output: immutable, comparable, written as JSON beside the files it names."""

    # A figure that is no number has to come back as it was: JSON has none, so it is written as a string.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")
