"""How `init` speaks of texts with one label each."""

from perennial.kinds.wording import Wording, gate_per_label

WORDING = Wording(
    answer="exactly one label for each text",
    wanted="a text and a label",
    missing="no label",
    baseline="the better of the majority label and TF-IDF with logistic regression",
    offered_gate=gate_per_label("recall"),
)
