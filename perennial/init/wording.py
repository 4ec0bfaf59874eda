"""How `init` speaks of each kind of task."""

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
    per_label: str
    """The metric of a floor for each label; "": there are no labels."""
    length: str
    """What model.max_length counts, after the number of tokens that nearly all texts have."""
    training: str = ""
    """Settings of training that suit the kind better than the defaults, as lines of YAML."""


_SINGLE = {
    "missing": "no label",
    "baseline": "the better of the majority label and TF-IDF with logistic regression",
    "per_label": "recall",
}
_CUT = "the rest lose their ends"
WORDING = {
    "text-classification": Wording(
        answer="exactly one label for each text", wanted="a text and a label", length=_CUT, **_SINGLE
    ),
    "text-pair": Wording(
        answer="exactly one label for each pair of texts",
        wanted="two texts and a label",
        length="of longer pairs the longer text loses its end",
        **_SINGLE,
    ),
    "multi-label": Wording(
        answer="any number of labels for each text, none included",
        wanted="a text and a list of labels",
        missing="no list of labels that can be read",
        baseline="the better of the commonest labels and TF-IDF with a logistic regression for each label",
        per_label="f1",
        length=_CUT,
    ),
    "token-classification": Wording(
        answer="any number of labelled spans in each text",
        wanted="a text and sound spans",
        missing="no spans",
        baseline="a list of the spans seen in training",
        per_label="f1",
        length="longer ones are read in several windows",
        # On CoNLL-2003 the two together gave a strict F1 of 0.909 instead of 0.903.
        training="  epochs: 5             # spans take longer to learn than one label a text\n"
        "  label_smoothing: 0    # would blur where spans end\n",
    ),
    "regression": Wording(
        answer="a number for each text",
        wanted="a text and a number",
        missing="no number",
        baseline="the better of the mean and TF-IDF with ridge regression",
        per_label="",
        length=_CUT,
    ),
}
"""By kind."""
