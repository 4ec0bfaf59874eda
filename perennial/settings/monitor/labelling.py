"""Settings of which texts people are asked to label."""

from typing import Self

from pydantic import Field, model_validator

from perennial.settings.base import Label, Settings, Share


class LabellingSpec(Settings):
    """Which live texts are worth a person's time, and where their labels go."""

    file: str = "labelled/labels.jsonl"
    """Where labels are written, relative to the pipeline's folder: a line a label. Name it in data.source, and the next
    run learns from it."""
    texts: int = Field(default=50, ge=1, le=10_000)
    """How many texts wait to be labelled, at most."""
    random_share: Share = 0.2
    """Of those, chosen by chance, so that what they say of accuracy is fair to all texts."""
    novel_share: Share = 0.2
    """Of those, unlike any that was labelled. The rest are those that the model is least sure of."""
    meanings: dict[Label, str] = Field(default={})
    """What a label means, in a sentence, by label: shown to people where they choose it."""

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.random_share + self.novel_share > 1:
            raise ValueError(
                f"random_share and novel_share are {self.random_share + self.novel_share:g} together; they are parts "
                "of one list, so 1 is the most"
            )
        return self
