"""A look for surges in stored live texts, and who is told of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from perennial import notifications
from perennial.core import progress
from perennial.core.home import Home
from perennial.monitoring.alarms.looking import AlarmLook, look_for_surges
from perennial.monitoring.alarms.telling import AlarmNews, Told, tell_alarms
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa


def look_and_tell(spec: PipelineSpec, home: Home, tables: Iterable[pa.Table], now: datetime) -> AlarmLook:
    """`look_for_surges`, then tell of what it found; what a person should know is a note."""
    look = look_for_surges(spec, home, tables, now)
    for sentence in look.sentences:
        progress.note(sentence)
    outcome = tell_of_alarms(spec, home, now)
    if outcome.kept_back:
        progress.note(f"{outcome.kept_back:,} alarms wait to be told; `perennial alarms {spec.name}` says why.")
    return look


def tell_of_alarms(spec: PipelineSpec, home: Home, now: datetime) -> Told:
    """Tell the channels of `notify` what there is to tell of the pipeline's alarms."""

    def send(news: Sequence[AlarmNews]) -> bool:
        messages = [notifications.Message(title=one.title, body=one.body, mood=one.mood) for one in news]
        return notifications.send(spec, home, messages, "of alarms")

    return tell_alarms(spec, home, now, send)
