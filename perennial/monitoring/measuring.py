"""Windows of rows, measured beside what the champion learned lately and beside all that it learned.

The newest rows make one lasting shift one reason: once the champion has learned from it, rows like these are no news.
All rows are a second witness: weekends are no news on Monday's data either, and a slow drift, which a reference that
follows never sees, shows here. A figure counts where both say so.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from pydantic import Field

from perennial import kinds
from perennial.core import digest, progress
from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.monitoring import window_figures
from perennial.monitoring.rows import WindowRows, newest, sample, windows
from perennial.monitoring.window_figures import AskedChampion, Reference
from perennial.records.data import Part
from perennial.records.package import Champion
from perennial.settings.drift import TriggersSpec
from perennial.settings.pipeline import PipelineSpec

MIN_REFERENCE = 100
LEAST_NEWEST = 500
"""Of fewer rows' labels and scores chance makes too much, where windows are small."""
WORDS = {
    "labels": "labels shifted: PSI",
    "answers": "the champion's answers shifted: PSI",
    "scores": "the champion's scores shifted: PSI",
    "length": "text length shifted: PSI",
    "tokens": "vocabulary shifted: Jensen-Shannon distance",
    "domain": "new texts can be told from old ones: AUC",
}


class DriftWindow(Record):
    """Rows that came one after another, and how far they are from those the champion knows."""

    number: int
    """From 1, since the champion was trained."""
    rows: int
    since: datetime | None
    """The oldest time among them; None: no time column."""
    until: datetime | None
    figures: dict[str, float]
    """Beside the newest rows that the champion was trained and judged on, by the name of their limit; without those
    that this kind of task or source does not have."""
    beside_all: dict[str, float] = Field(default_factory=dict)
    """The same beside a sample of all of them; empty: there were no others."""

    def is_over(self, name: str, limit: float) -> bool:
        """Whether both say that it is far."""
        return self.figures[name] > limit and self.beside_all.get(name, self.figures[name]) > limit


class UnmeasuredError(PerennialError):
    """There is nothing to measure yet, or nothing to measure with."""


class Stream(Record):
    """The rows that came since the champion was trained."""

    parts: tuple[Part, ...]
    skip: int
    labelled: bool

    @property
    def rows(self) -> int:
        """How many."""
        return sum(part.rows for part in self.parts) - self.skip


def limits(settings: TriggersSpec) -> dict[str, float]:
    """What each figure that is wanted may be."""
    return {name: value for name, value in settings.limits.model_dump().items() if value is not None}


def over(settings: TriggersSpec, windows: Sequence[DriftWindow]) -> Iterator[tuple[str, str]]:
    """Each figure that is over its limit often enough, and in the latest of `windows`; and that in words."""
    latest = windows[-settings.of_last :]
    for name, limit in limits(settings).items():
        is_over = [window.is_over(name, limit) for window in latest if name in window.figures]
        if is_over and is_over[-1] and sum(is_over) >= settings.needed:
            yield (
                name,
                (
                    f"{WORDS[name]} {latest[-1].figures[name]:.2f} (limit {limit:g}) in {sum(is_over)} of the last "
                    f"{len(latest)} windows of {latest[-1].rows:,} rows"
                ),
            )


def distances(settings: TriggersSpec, windows: Sequence[DriftWindow], names: Sequence[str]) -> dict[str, float]:
    """How far the figures `names`, which are over their limits, are for certain: in all windows that a reason needs."""
    wanted, result = limits(settings), {}
    for name in names:
        latest = [
            one for one in windows[-settings.of_last :] if name in one.figures and one.is_over(name, wanted[name])
        ]
        result[name] = min(window.figures[name] for window in latest[-settings.needed :])
    return result


def learned(settings: TriggersSpec, windows: Sequence[DriftWindow]) -> Iterator[str]:
    """Each figure that is over its limit beside all rows, not beside the newest: slow drift, or an earlier shift."""
    latest = windows[-settings.of_last :]
    reasons = dict(over(settings, windows))
    for name, limit in limits(settings).items():
        is_over = [window.beside_all[name] > limit for window in latest if name in window.beside_all]
        if name not in reasons and is_over and is_over[-1] and sum(is_over) >= settings.needed:
            yield (
                f"{WORDS[name]} {latest[-1].beside_all[name]:.2f} (limit {limit:g}) beside all rows that the champion "
                f"learned, {latest[-1].figures[name]:.2f} beside the newest of them"
            )


def newest_rows(settings: TriggersSpec) -> int:
    """How many of the champion's newest rows windows are compared with.

    Twice those that a shift needs to be seen in, so that it is half of them at least as soon as a champion learned it:
    of a lasting shift from 29% to 60%, an index of 0.1 is left. No more than are looked at, so that it is most of them.
    """
    return max(LEAST_NEWEST, min(2 * settings.needed, settings.of_last) * settings.window_rows)


def live_spec(spec: PipelineSpec, settings: TriggersSpec) -> PipelineSpec:
    """`spec` with the live source in the place of its own, whose rows have texts, perhaps a time, and nothing else.

    What a kind of task reads beside the texts is read from the text's column, and means nothing.
    """
    kind = kinds.name_for_bare_texts(kinds.kind_named(spec.kind))
    names = spec.data.columns
    form = names.time_format if settings.time else None
    columns = type(names)(
        text=names.text, text_pair=names.text_pair, label=names.text, time=settings.time, time_format=form
    )
    data = spec.data.model_copy(update={"source": settings.source, "columns": columns})
    return spec.model_copy(update={"kind": kind, "data": data}).located(spec.folder)


def measured(
    spec: PipelineSpec,
    settings: TriggersSpec,
    home: Home,
    champion: Champion,
    known_parts: Sequence[Part],
    stream: Stream,
    before: Mapping[str, DriftWindow],
) -> dict[str, DriftWindow]:
    """The latest windows by key; those that were measured before are taken from `before`."""
    read = spec if stream.labelled else live_spec(spec, settings)
    size, last = settings.window_rows, settings.of_last
    measured_windows: dict[str, DriftWindow] = {}
    references: tuple[Reference, Reference | None] | None = None
    for number, rows in windows(read, stream.parts, home.store, size, stream.skip, last):
        key = _key(settings, champion, rows, labelled=stream.labelled)
        if key in before:
            measured_windows[key] = before[key]
            continue
        progress.advance(len(measured_windows), last, unit="windows", detail=f"window {number}")
        if references is None:
            references = _references(spec, settings, home, champion, known_parts, labelled=stream.labelled)
        lately, always = references
        since, until = rows.times
        measured_windows[key] = DriftWindow(
            number=number,
            rows=len(rows.texts),
            since=since,
            until=until,
            figures=lately.figures(rows),
            beside_all=always.figures(rows) if always else {},
        )
    return measured_windows


def _references(
    spec: PipelineSpec,
    settings: TriggersSpec,
    home: Home,
    champion: Champion,
    known_parts: Sequence[Part],
    *,
    labelled: bool,
) -> tuple[Reference, Reference | None]:
    """The newest rows, and a sample of all of them; None: those are all."""
    total, wanted = sum(part.rows for part in known_parts), newest_rows(settings)
    if total < MIN_REFERENCE:
        raise UnmeasuredError(
            f"Version {champion.version} was trained on {total:,} rows; drift is measured against {MIN_REFERENCE} or "
            "more."
        )
    asked = AskedChampion(spec, champion, home)
    lots = [newest(spec, known_parts, home.store, wanted)]
    if total > wanted:
        lots.append(sample(spec, known_parts, home.store, settings.reference_rows))
    lately, *always = (Reference(spec, settings, rows, asked, labelled=labelled) for rows in lots)
    return lately, (always[0] if always else None)


def _key(settings: TriggersSpec, champion: Champion, rows: WindowRows, *, labelled: bool) -> str:
    return digest.of_values(
        recipe=window_figures.RECIPE,
        package=champion.package_digest,
        rows=rows.digest,
        labelled=labelled,
        reference=settings.reference_rows,
        newest=newest_rows(settings),
        wanted=sorted(limits(settings)),
    )
