"""What export makes: the package that is judged, registered and served."""

from perennial.core.percent import percent
from perennial.core.record import Record


class CascadeFigures(Record):
    """What a linear model before the transformer did on the validation rows on which its threshold was chosen."""

    threshold: float | None
    """The lowest probability at which the linear model answers; None: it answers nothing, and is not in the package."""
    share: float
    """Of the rows, those that it answers."""
    rows: int
    metric: str
    """The kind's main metric, of which …"""
    alone: float
    """… the transformer has so much alone, …"""
    together: float
    """… and both so much."""

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.threshold is None:
            return (
                "The linear model of the cascade answers nothing: whatever rows it is given, more validation "
                f"{self.metric} is lost than export.cascade allows, against {self.alone:.3f} of the transformer alone."
            )
        return (
            f"A linear model answers {percent(self.share)} of {self.rows:,} validation rows, the transformer the "
            f"others: validation {self.metric} is {self.together:.3f}, {self.alone:.3f} of the transformer alone."
        )


class OnnxPackage(Record):
    """The folder that is registered and served: model.onnx, tokenizer.json, package.json; linear.npy of a cascade."""

    digest: str
    """sha256 of package.json, which names the sha256 of every other file."""
    path: str
    precision: str
    """What it really is: fp32, int8 or fp16."""
    fallback: str | None
    """Why it is not the precision asked for; None: it is."""
    size_bytes: int
    parity: dict[str, float]
    """max_logit_difference, int8_agreement, …: as measured at export."""
    cascade: CascadeFigures | None = None
    """None: none was asked for."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was not as usual, each in a sentence."""
        return (*([self.fallback] if self.fallback else []), *([self.cascade.sentence] if self.cascade else []))


class Champion(Record):
    """The version the alias `champion` points to, with the package it serves; or another one that a candidate is judged
    beside."""

    version: str
    package_digest: str
    path: str
    """Where its package lies in the store."""
    splits: str | None = None
    """Fingerprint of the splits it was trained with; None: not known."""


class Anchor(Record):
    """The best champion of some time, beside which a candidate is judged so that margins can't add up."""

    version: str
    package: Champion | None
    """None: it can't be had, because of `problem`."""
    problem: str | None = None
    stands_for: str = ""
    """Which versions it stands in for, as they can't serve any more, in a sentence; empty: for none."""
