"""How `init` speaks of texts with spans."""

from perennial.kinds.wording import Wording, gate_per_label

WORDING = Wording(
    answer="any number of labelled spans in each text",
    wanted="a text and sound spans",
    missing="no spans",
    baseline="a list of the spans seen in training",
    offered_gate=gate_per_label("f1"),
    length="longer ones are read in several windows",
    # On CoNLL-2003 the two together gave a strict F1 of 0.909 instead of 0.903.
    training="  epochs: 5             # spans take longer to learn than one label a text\n"
    "  label_smoothing: 0    # would blur where spans end\n",
)
