"""How `init` speaks of texts with any number of labels."""

from perennial.kinds.wording import Wording, gate_per_label

WORDING = Wording(
    answer="any number of labels for each text, none included",
    wanted="a text and a list of labels",
    missing="no list of labels that can be read",
    baseline="the better of the commonest labels and TF-IDF with a logistic regression for each label",
    offered_gate=gate_per_label("f1"),
)
