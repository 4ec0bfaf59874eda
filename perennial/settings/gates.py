"""Settings of the gates: what must hold before a candidate may serve."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from perennial.settings.base import Settings

DAYS = 365


class GateSpec(Settings):
    """One condition on figures of the candidate. Exactly one of min, max and versus; with `per: behaviour` none is
    needed."""

    metric: str
    """A metric of the kind of task; or negative_flip_rate, batch_flip_rate, padding_flip_rate, latency_p50,
    latency_p95, throughput, peak_memory, size; agreement (Krippendorff's alpha of the people who gave the labels);
    faithfulness (of explanations, docs/explanations.md); near_copy_rate (the share of test rows that are near
    copies of train rows); truncated_share (test rows longer than model.max_length, which lose their ends); with
    `per: behaviour` pass_rate; with `per: group` flip_rate or score_shift."""
    per: Literal["label", "slice", "behaviour", "group"] | None = None
    """label, slice, behaviour (a behavioural test), group (of swapped names and the like): the condition holds for
    each one's own figure."""
    slice: str | None = Field(default=None, min_length=1)
    """The condition holds for this slice's figure, for example "sector=banks", "time: newest quarter", or "near
    copies: none": the test rows that are no near copies of train rows."""
    min: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The floor: the metric must be at least this. Only of what is better the higher it is."""
    max: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The ceiling: the metric must be at most this. Only of what is better the lower it is."""
    versus: Literal["champion", "anchor", "baseline"] | None = None
    """champion: compared with the model serving now, on the same rows. anchor: with the best champion of the last
    `days`, so that margins can't add up from one promotion to the next; on all test rows only. baseline: with the best
    of the baselines."""
    margin: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """With versus: how much worse the candidate may be; negative: how much better it must be. With versus: champion or
    anchor that has to be shown: the whole confidence interval of the difference must lie on the right side, so 0 asks
    for a candidate that is shown to be better. Versus the anchor it is all that may be lost over time."""
    days: int = Field(default=DAYS, ge=1, exclude_if=lambda days: days == DAYS)
    """With versus: anchor: how far back champions count. A year: an old model is no high bar once its world has
    changed, as it answers today's test rows."""
    ratio: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """With versus: champion, of what serving costs: at most this many times the champion's (throughput: at least)."""
    min_n: int = Field(default=1, ge=1)
    """Fewer independent rows than this (texts, or groups where data.columns.group is named) leave the check undecided,
    which holds the candidate."""
    small: Literal["hold", "skip"] = "hold"
    """Of a slice with fewer independent rows than min_n: hold the candidate, or skip the slice, which is said."""
    slices: Literal["each", "pooled"] = Field(default="each", exclude_if=lambda slices: slices == "each")
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
        if self.versus == "anchor" and (self.per is not None or self.slice is not None):
            raise ValueError("versus: anchor is about all test rows; leave per and slice out")
        if self.days != DAYS and self.versus != "anchor":
            raise ValueError("days goes with versus: anchor; it says how far back champions count")
        if self.slice is not None and self.per is not None:
            raise ValueError(f"slice and per: {self.per} exclude each other; name one slice, or say per: slice")
        if self.small == "skip" and self.slice is None and self.per != "slice":
            raise ValueError("small: skip goes with slice or per: slice; nothing else may be skipped")
        if self.slices == "pooled" and (self.per != "slice" or self.versus != "champion"):
            raise ValueError("slices: pooled goes with per: slice and versus: champion")
        return self
