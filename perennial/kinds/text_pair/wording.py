"""How `init` speaks of pairs of texts with one label each."""

from perennial.kinds.wording import Wording, gate_per_label

WORDING = Wording(
    answer="exactly one label for each pair of texts",
    wanted="two texts and a label",
    missing="no label",
    baseline="the better of the majority label and TF-IDF with logistic regression",
    offered_gate=gate_per_label("recall"),
    length="of longer pairs the longer text loses its end",
)
