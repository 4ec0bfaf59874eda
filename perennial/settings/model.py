"""Settings of the pretrained model."""

from typing import Literal

from pydantic import Field

from perennial.settings.base import Settings


class ModelSpec(Settings):
    """The pretrained model that is fine-tuned."""

    base: str = "sentence-transformers/all-MiniLM-L6-v2"
    """A folder (relative to the pipeline's), a hub id, or a hub id that an installed package carries."""
    revision: str | None = None
    """Commit or tag on the hub."""
    max_length: int = Field(default=128, ge=8, le=8192)
    """Tokens; longer texts lose their ends. token-classification: tokens in one window; longer texts are read in
    several that overlap, and lose nothing."""
    pooling: Literal["auto", "mean", "cls"] = "auto"
    """mean: a linear head on the mean of the token vectors. cls: the architecture's own head.
    auto: mean for sentence-embedding models, whose own pooler was never trained; cls for others.
    token-classification answers each word and pools nothing."""
