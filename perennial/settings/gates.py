"""Settings of the gates: what must hold before a candidate may serve."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from perennial.core.later_fields import LaterFields
from perennial.settings.base import Settings


class GateSpec(LaterFields, Settings):
    """One condition on figures of the candidate. Exactly one of min, max and versus; with `per: behaviour` none is
    needed."""

    LATER: ClassVar = frozenset({"slices"})

    metric: str
    """A metric of the kind of task; or negative_flip_rate, batch_flip_rate, padding_flip_rate, latency_p50,
    latency_p95, throughput, peak_memory, size; with `per: behaviour` pass_rate; with `per: group` flip_rate or
    score_shift."""
    per: Literal["label", "slice", "behaviour", "group"] | None = None
    """label, slice, behaviour (a behavioural test), group (of swapped names and the like): the condition holds for
    each one's own figure."""
    slice: str | None = Field(default=None, min_length=1)
    """The condition holds for this slice's figure, for example "sector=banks" or "time: newest quarter"."""
    min: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The floor: the metric must be at least this. Only of what is better the higher it is."""
    max: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The ceiling: the metric must be at most this. Only of what is better the lower it is."""
    versus: Literal["champion", "baseline"] | None = None
    """champion: compared with the model serving now, on the same rows. baseline: with the best of the baselines."""
    margin: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """With versus: how much worse the candidate may be; negative: how much better it must be. With versus: champion
    that has to be shown: the whole confidence interval of the difference must lie on the right side, so 0 asks for a
    candidate that is shown to be better."""
    ratio: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """With versus: champion, of what serving costs: at most this many times the champion's (throughput: at least)."""
    min_n: int = Field(default=1, ge=1)
    """Fewer independent rows than this (texts, or groups where data.columns.group is named) leave the check undecided,
    which holds the candidate."""
    small: Literal["hold", "skip"] = "hold"
    """Of a slice with fewer independent rows than min_n: hold the candidate, or skip the slice, which is said."""
    slices: Literal["each", "pooled"] = "each"
    """With per: slice and versus: champion. each: every slice must be shown by its own rows to be within the margin,
    which many small slices never are. pooled: a slice may lean on the others of its column, unless it stands out."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [name for name in ("min", "max", "versus") if getattr(self, name) is not None]
        if len(given) != 1 and (given or self.per != "behaviour"):
            conditions = " and ".join(given) if given else "none of them"
            raise ValueError(f"a gate needs exactly one of min, max and versus; this one has {conditions}")
        if self.margin and self.versus is None:
            raise ValueError("margin goes with versus; a floor or ceiling has none")
        if self.ratio is not None and (self.versus != "champion" or self.margin):
            raise ValueError("ratio goes with versus: champion, and without a margin")
        if self.slice is not None and self.per is not None:
            raise ValueError(f"slice and per: {self.per} exclude each other; name one slice, or say per: slice")
        if self.small == "skip" and self.slice is None and self.per != "slice":
            raise ValueError("small: skip goes with slice or per: slice; nothing else may be skipped")
        if self.slices == "pooled" and (self.per != "slice" or self.versus != "champion"):
            raise ValueError("slices: pooled goes with per: slice and versus: champion")
        return self
