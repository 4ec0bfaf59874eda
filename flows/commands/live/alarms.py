"""What `perennial alarms` does and answers: the list, an alarm that somebody looks after, a verdict on one."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from perennial.core.errors import SpecError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.alarms.alarm_table import acknowledge, alarms_of, judge
from perennial.monitoring.alarms.telling import series_name
from perennial.pipeline_file import loader

VERDICTS: dict[str | None, Literal["real", "false"]] = {"real": "real", "false": "false"}
SHOWN = 20
"""Alarms that are listed, the newest, unless all are asked for."""


class AlarmsShown(Record):
    """The alarms of a pipeline."""

    status: Literal["alarms", "acknowledged", "judged"]
    pipeline: str
    alarms: tuple[Alarm, ...]
    """The newest first, or the one that was changed."""
    all: int
    going_on: int
    real: int
    """Of those on which somebody gave a verdict."""
    false: int


def act(pipeline: str, action: str | None, one: str | None, verdict: str | None, *, every: bool = False) -> AlarmsShown:
    """What the arguments of the command ask for. Raises PerennialError where there is no such pipeline or alarm."""
    home = Home.from_environment()
    pipeline = loader.read_pipeline(loader.find_pipeline(pipeline)).name
    if action is None:
        return _shown(home, pipeline, "alarms", alarms_of(home, pipeline)[::-1][: None if every else SHOWN])
    if one is None:
        raise SpecError(
            f"Which alarm is meant by {action!r} is not said.", remedy=f"`perennial alarms {pipeline}` lists their ids."
        )
    if action == "acknowledge" and verdict is None:
        return _shown(home, pipeline, "acknowledged", [acknowledge(home, pipeline, one, _who(), datetime.now(UTC))])
    if action == "verdict" and verdict in VERDICTS:
        return _shown(home, pipeline, "judged", [judge(home, pipeline, one, VERDICTS[verdict])])
    raise SpecError(
        f"`perennial alarms {pipeline} {' '.join(filter(None, (action, one, verdict)))}` is not understood.",
        remedy=f"`perennial alarms {pipeline} acknowledge ID` or `perennial alarms {pipeline} verdict ID real|false`.",
    )


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return "somebody"


def _shown(
    home: Home, pipeline: str, status: Literal["alarms", "acknowledged", "judged"], alarms: Sequence[Alarm]
) -> AlarmsShown:
    every = alarms_of(home, pipeline)
    return AlarmsShown(
        status=status,
        pipeline=pipeline,
        alarms=tuple(alarms),
        all=len(every),
        going_on=sum(not one.is_over for one in every),
        real=sum(one.verdict == "real" for one in every),
        false=sum(one.verdict == "false" for one in every),
    )


def alarms_as_json(shown: AlarmsShown) -> dict[str, Any]:
    """The same as one JSON-ready object."""
    return shown.model_dump(mode="json")


def alarms_in_words(shown: AlarmsShown) -> str:
    """The same in sentences."""
    if not shown.all:
        return f"{shown.pipeline}: there was no alarm yet."
    judged = shown.real + shown.false
    verdicts = f" Of {judged:,} with a verdict, {shown.real:,} were real." if judged else ""
    more = f" The newest {len(shown.alarms):,} are shown; --all shows all." if len(shown.alarms) < shown.all else ""
    head = f"{shown.pipeline}: {shown.all:,} alarms, {shown.going_on:,} of which go on.{verdicts}"
    if shown.status != "alarms":
        head, more = f"{shown.pipeline}: {shown.status}.", ""
    return "\n\n".join([head + more, *map(alarm_in_words, shown.alarms)])


def alarm_in_words(alarm: Alarm, *, with_fate: bool = True) -> str:
    """An alarm in a few lines: what, when, where, who, which headlines, and (`with_fate`) what became of it."""
    surge = alarm.surge
    ending = {"cleared": "over", "usual now": "usual now", "waiting": "waits for sources"}.get(surge.state, "goes on")
    lines = [
        f"{surge.id}  {alarm.severity}, {ending}: {surge.label} in {series_name(surge.key)} from "
        f"{surge.opened:%Y-%m-%d %H:%M} to {surge.until:%Y-%m-%d %H:%M} UTC",
        f"  {surge.counted:,} of {surge.texts:,} ({surge.share:.0%}; usual are {surge.usual_share:.0%})"
        + (f", also in {', '.join(map(series_name, surge.also[:5]))}" if surge.also else ""),
    ]
    for name, mentions in (("sources", surge.sources), ("entities", surge.entities), ("topics", surge.topics)):
        if mentions:
            lines.append(f"  {name}: {', '.join(f'{one.name} ({one.texts:,})' for one in mentions[:5])}")
    lines += [f"  - {one.text}" for one in surge.headlines]
    return "\n".join([*lines, f"  {_fate(alarm)}"] if with_fate else lines)


def _fate(alarm: Alarm) -> str:
    notice = f"told {alarm.told[0]:%Y-%m-%d %H:%M} UTC" if alarm.told else "nobody was told"
    parts = [notice + (f" ({alarm.kept_back})" if alarm.kept_back else "")]
    if alarm.acknowledged:
        parts.append(f"acknowledged by {alarm.acknowledged_by} {alarm.acknowledged:%Y-%m-%d %H:%M} UTC")
    if alarm.verdict:
        parts.append(f"verdict: {alarm.verdict}")
    return "; ".join(parts)
