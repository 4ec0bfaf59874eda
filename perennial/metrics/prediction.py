"""What a model answers for one row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Prediction = Mapping[str, Any]
"""What the predictor answers for one row, ready for JSON, for example {"label": …, "score": …, "scores": {…}}."""
