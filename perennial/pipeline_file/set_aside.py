"""What `--set` changes of what decides about a candidate: nobody sets gates aside without saying why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perennial.core.errors import SpecError, listing
from perennial.pipeline_file import loader
from perennial.records.run import Overrides
from perennial.settings.pipeline import PipelineSpec

WATCHED = (
    "gates", "registry", "data.splits", "data.columns.group", "data.corrections", "evaluation", "behaviours",
    "rollout",
)  # fmt: skip
"""Settings, or groups of them, that say how a candidate is judged and who may let it serve.

Which rows belong together makes intervals wide or narrow, and corrections reach test rows, too.
"""


def read_overrides(path: Path, overrides: Sequence[str], reason: str) -> Overrides | None:
    """What `overrides` change of WATCHED in the pipeline at `path`, with the `reason` for it; None: nothing.

    A value that pipeline.yaml has anyway changes nothing. Raises SpecError where they do and no reason is given, or one
    is given for nothing.
    """
    names = _changed(path, overrides)
    if names and not reason.strip():
        raise SpecError(
            f"--set changes {listing(names)}, by which pipeline.yaml says how a candidate is judged and who may let it "
            "serve, and --reason is missing.",
            remedy="Say why with --reason: it is kept in the ledger, on the version and in the report, and told to who "
            "is notified. Or change pipeline.yaml.",
        )
    if reason.strip() and not names:
        raise SpecError(
            f"--reason is given, but --set changes nothing of {listing(WATCHED, 20)}.",
            remedy="Leave it out.",
        )
    return Overrides(settings=names, reason=" ".join(reason.split())) if names else None


def _changed(path: Path, overrides: Sequence[str]) -> tuple[str, ...]:
    named = [override.partition("=")[0].strip() for override in overrides]
    asked = tuple(name for name in WATCHED if any(_is_about(one, name) for one in named))
    if not asked:
        return ()
    after = loader.read_pipeline(path, overrides)
    try:
        before = loader.read_pipeline(path)
    except SpecError:
        return asked  # without them it is no pipeline at all, so nothing is as it was written
    return tuple(name for name in asked if _value(before, name) != _value(after, name))


def _is_about(named: str, watched: str) -> bool:
    """Whether setting `named` changes what `watched` names: itself, something in it, or the group that it is in."""
    return f"{named}.".startswith(f"{watched}.") or f"{watched}.".startswith(f"{named}.")


def _value(spec: PipelineSpec, name: str) -> Any:
    value: Any = spec
    for part in name.split("."):
        value = getattr(value, part)
    return value
