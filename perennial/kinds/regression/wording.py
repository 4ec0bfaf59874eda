"""How `init` speaks of texts with a number each."""

from perennial.kinds.wording import Wording

WORDING = Wording(
    answer="a number for each text",
    wanted="a text and a number",
    missing="no number",
    baseline="the better of the mean and TF-IDF with ridge regression",
    offered_gate="{metric: rmse, max: 0.5}    # in the column's own unit; so is mae. Lower is better",
    unlike_label="For a number that is to be predicted, add --kind regression.",
    instead="They are numbers: to learn how much, not which one, run init with --kind regression --force.",
)
