"""Whether new data files lie where a pipeline reads them; what `schedule.watch` rests on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from perennial.core.errors import SourceError, listing
from perennial.core.home import Home
from perennial.core.store import write_atomically
from perennial.ingest.sources import file
from perennial.settings.data import FileSource
from perennial.settings.pipeline import PipelineSpec

STATE = "watched.json"
Stamps = Mapping[str, str]
"""Size and time of change by file, as the spec names it."""


@dataclass
class Watch:
    """Looks at the files of one pipeline, again and again, and remembers over restarts which of them started a run."""

    spec: PipelineSpec
    home: Home
    _latest: Stamps = field(default_factory=dict)
    _since: float = 0.0

    def look(self, now: float) -> str | None:
        """What came since the last `answered`, in words; None: nothing, or it was still changing a moment ago.

        `now`: seconds by any clock that only goes forward. A file counts when nothing has changed for
        schedule.settle_seconds. Files that went away are no news.
        """
        stamps = _stamps(self.spec)
        if stamps != self._latest:
            self._latest, self._since = stamps, now
        settle = self.spec.schedule.settle_seconds if self.spec.schedule else 0.0
        if now - self._since < settle:
            return None
        stamps_before = self._answered_stamps()
        came = [name for name, stamp in stamps.items() if stamps_before.get(name) != stamp]
        return f"{listing(came, 3)} came" if came else None

    def answered(self) -> None:
        """A run was started for what was seen last."""
        path = self.home.state(self.spec.name) / STATE
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(dict(self._latest), ensure_ascii=False, indent=1) + "\n")

    def _answered_stamps(self) -> Stamps:
        try:
            stamps: Stamps = json.loads((self.home.state(self.spec.name) / STATE).read_bytes())
        except (OSError, ValueError):
            # Then a run too many is started, which finds nothing new.
            return {}
        return stamps


def _stamps(spec: PipelineSpec) -> Stamps:
    if not isinstance(spec.data.source, FileSource):
        return {}
    try:
        return {piece.name: piece.stamp or "" for piece in file.pieces(spec, spec.data.source, ())}
    except SourceError:
        # None there yet, or one that went away meanwhile. What is wrong is said by the run.
        return {}
