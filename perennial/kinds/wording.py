"""How `init` speaks of a kind of task."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """Words that differ by kind."""

    answer: str
    """What a row's answer is, beside `kind:` in pipeline.yaml."""
    wanted: str
    """What a usable row has, after "rows with"."""
    missing: str
    """What a row without a target lacks."""
    baseline: str
    """The simple models that a candidate is compared with, or the better of them."""
    offered_gate: str
    """A gate that is worth thinking of, as an item of YAML with what it is for."""
    length: str = "the rest lose their ends"
    """What model.max_length counts, after the number of tokens that nearly all texts have."""
    training: str = ""
    """Settings of training that suit the kind better than the defaults, as lines of YAML."""
    unlike_label: str = ""
    """What to do about a column that is no label because it holds what this kind learns."""
    instead: str = ""
    """What a pipeline of another kind says of its labels where this kind would do as well."""


def gate_per_label(metric: str) -> str:
    """The offered gate of a kind with labels: a floor under `metric` for each."""
    return f"{{metric: {metric}, per: label, min: 0.60}}    # no label is given up to please the others"
