"""Sections on how good the model is: figures, labels, mistakes, slices, flips, calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from perennial import kinds
from perennial.core.percent import percent
from perennial.evaluation.report import charts, wording
from perennial.evaluation.report.blocks import Block, Cell, Matrix, Section, Table, Words
from perennial.evaluation.report.charts import Point, Row
from perennial.evaluation.report.material import Material
from perennial.evaluation.report.sections.common import WIDEST_MATRIX, without
from perennial.evaluation.report.wording import NOTHING, between, number, plain, several, share
from perennial.metrics import clusters
from perennial.records.evaluation import Comparison, Evaluation, Metrics, SliceFigures

CONFUSIONS = 20
INTERVAL = "Lines show the {confidence} confidence interval, by resampling the test rows{together}."


def figures_section(material: Material) -> Section:
    """Candidate, champion and baselines, metric by metric."""
    evaluation = material.evidence.evaluation
    blocks: list[Block] = [_rivals(evaluation), _metrics(material)]
    if evaluation.comparison:
        blocks += _compared(material, evaluation.comparison)
    return Section("figures", "Beside the champion and the baselines", tuple(blocks))


def labels_section(material: Material) -> Section:
    """Each label's own figures."""
    evaluation = material.evidence.evaluation
    kind = kinds.kind_named(material.spec.kind)
    if not evaluation.candidate.per_label:
        return without("labels", "Labels", "This kind of task has no labels with figures of their own.")
    metric = "f1" if "f1" in kind.label_metrics else kind.label_metrics[0]
    names = sorted(evaluation.candidate.support, key=lambda name: -evaluation.candidate.support[name])
    rows = [
        Row(name, _of_label(evaluation.candidate, name, metric), _of_label(evaluation.champion, name, metric))
        for name in names
    ]
    caption = f"{plain(metric)} of each label, the label with most test rows first. {_interval(material)}"
    chart = charts.points("labels-chart", f"{plain(metric)} by label", caption, plain(metric), rows)
    return Section("labels", "Labels", (chart, _label_table(material, names)))


def mistakes_section(material: Material) -> Section:
    """The confusion matrix."""
    candidate = material.evidence.evaluation.candidate
    names = tuple(candidate.support)
    if not candidate.confusion:
        return without("mistakes", "Mistakes", "This kind of task has no confusion matrix.")
    caption = "Test rows by true label (down) and predicted label (across); shaded by their share of the true label."
    table = _confusions(names, candidate.confusion)
    if len(names) <= WIDEST_MATRIX:
        return Section("mistakes", "Mistakes", (Matrix(names, candidate.confusion, caption), table))
    chart = charts.heat("confusion", "Confusion matrix", caption, names, candidate.confusion)
    return Section("mistakes", "Mistakes", (chart, table))


def slices_section(material: Material) -> Section:
    """Parts of the test rows by themselves."""
    figures = material.evidence.evaluation.slices
    if not figures:
        return without("slices", "Slices", "No part of the test rows was judged by itself in this run.")
    metric = kinds.kind_named(material.spec.kind).headline_metric
    rows = [Row(part.name, _point(part.candidate, metric), _point(part.champion, metric)) for part in figures]
    caption = f"{plain(metric)} on parts of the test rows. {_interval(material)}"
    chart = charts.points("slices-chart", f"{plain(metric)} by slice", caption, plain(metric), rows)
    head = ("slice", "told apart by", "holds", "n", "candidate", "interval", "champion", "difference")
    table = Table(
        head, tuple(_slice(part, metric, material.bounds) for part in figures), words=frozenset({1, 2}), folded=True,
        caption="All slices",
    )  # fmt: skip
    note = Words(
        "The more slices there are, the likelier one looks bad by chance; gates that name slices account for it.",
        "quiet",
    )
    return Section("slices", "Slices", (chart, note, table))


def flips_section(material: Material) -> Section:
    """Rows the champion gets right and the candidate wrong."""
    title = "Negative flips"
    comparison = material.evidence.evaluation.comparison
    if comparison is None:
        return without("flips", title, "There was no champion to compare answers with.")
    if comparison.negative_flips is None:
        return without("flips", title, "This kind's answers are not simply right or wrong.")
    lost, won, n = comparison.negative_flips, comparison.positive_flips or 0, comparison.n
    caption = (
        f"{several(lost, 'row')} of {n:,} ({share(lost, n)}) that the champion gets right, the candidate gets wrong; "
        f"{won:,} ({share(won, n)}) went the other way."
    )
    by = f", by {'groups' if comparison.clustered_by == clusters.GROUP else 'texts'}" if comparison.clusters else ""
    if comparison.mcnemar_p is not None:
        caption += f" McNemar's exact test of the two counts{by}: p = {comparison.mcnemar_p:.3g}."
    blocks: list[Block] = [Words(caption)]
    if comparison.worst:
        blocks.append(_worst(comparison, material.texts))
    return Section("flips", title, tuple(blocks))


def calibration_section(material: Material) -> Section:
    """Whether scores mean what they say."""
    title = "Calibration"
    if not material.reliability:
        return without("calibration", title, "There are no scores at hand that could be read as probabilities.")
    caption = (
        "Answers of like scores together: how sure the model was (across) and how often it was right (up). On the "
        "dotted line a score of 0.8 is right eight times in ten."
    )
    rows = [
        (f"{model}, {part.mean_score:.3f}", f"{part.accuracy:.3f}", f"{part.n:,}")
        for model, bins in material.reliability.items()
        for part in bins
    ]
    table = Table(("model, mean score", "share right", "n"), tuple(rows), folded=True, caption="The diagram's figures")
    chart = charts.calibration("Reliability diagram", caption, material.reliability)
    return Section("calibration", title, (chart, table))


def _interval(material: Material) -> str:
    candidate = material.evidence.evaluation.candidate
    shared = "group" if candidate.clustered_by == clusters.GROUP else "text"
    together = "" if candidate.clusters is None else f", those of a {shared} together"
    return INTERVAL.format(confidence=percent(material.spec.evaluation.confidence), together=together)


def _point(metrics: Metrics | None, metric: str) -> Point | None:
    if metrics is None or metric not in metrics.values:
        return None
    return Point(metrics.values[metric], metrics.intervals.get(metric))


def _of_label(metrics: Metrics | None, name: str, metric: str) -> Point | None:
    value = metrics.per_label.get(name, {}).get(metric) if metrics else None
    if metrics is None or value is None:
        return None
    return Point(value, metrics.label_intervals.get(name, {}).get(metric))


def _rivals(evaluation: Evaluation) -> Words:
    if evaluation.champion_problem:
        return Words(
            f"The champion, version {evaluation.champion_version}, can't be judged: {evaluation.champion_problem}",
            "bad",
        )
    if evaluation.champion is None:
        return Words("There is no champion yet: the candidate stands beside the baselines alone.", "quiet")
    own = evaluation.candidate
    rows = clusters.in_words(own.n, own.clusters, own.clustered_by)
    caption = f"On {rows}; the champion is version {evaluation.champion_version}."
    if evaluation.new_labels or evaluation.dropped_labels:
        caption += " The two do not know the same labels and are compared on those that both know."
        caption += f" New: {', '.join(evaluation.new_labels)}." if evaluation.new_labels else ""
        caption += f" Gone: {', '.join(evaluation.dropped_labels)}." if evaluation.dropped_labels else ""
    return Words(caption)


def _metrics(material: Material) -> Table:
    evaluation, kind = material.evidence.evaluation, kinds.kind_named(material.spec.kind)
    rivals = {f"champion, v{evaluation.champion_version}": evaluation.champion} if evaluation.champion else {}
    if (anchor := evaluation.anchor) and anchor.metrics and anchor.version != evaluation.champion_version:
        rivals[f"anchor, v{anchor.version}"] = anchor.metrics
    rivals |= evaluation.baselines
    head = ("metric", "candidate", *rivals, f"interval, {percent(material.spec.evaluation.confidence)}")
    rows: list[tuple[Cell | str, ...]] = []
    for metric in kind.metrics:
        name = plain(metric) + (" ↓" if metric in kind.lower_is_better else "")
        own = evaluation.candidate
        others: Iterator[Cell | str] = (number(other.values.get(metric)) for other in rivals.values() if other)
        cells = (Cell(number(own.values.get(metric)), strong=True), *others, between(own.intervals.get(metric)))
        rows.append((name, *cells))
    arrow = " ↓: lower is better." if kind.lower_is_better else ""
    own = evaluation.candidate
    counted = clusters.in_words(own.n, own.clusters, own.clustered_by)
    return Table(head, tuple(rows), caption=f"n = {counted}.{arrow}")


def _compared(material: Material, comparison: Comparison) -> Iterator[Block]:
    kind = kinds.kind_named(material.spec.kind)
    differences = {metric: comparison.values[metric] for metric in kind.metrics if metric in comparison.values}
    spread = {
        plain(metric) + (" ↓" if metric in kind.lower_is_better else ""): Point(difference.value, difference.interval)
        for metric, difference in differences.items()
    }
    same = clusters.in_words(comparison.n, comparison.clusters, comparison.clustered_by, "row")
    caption = (
        f"Candidate minus champion on the same {same}, by paired bootstrap. {_interval(material)} Right of 0 the "
        "candidate's figure is higher; where ↓ stands, lower is better."
    )
    if not spread:
        return
    yield charts.differences("differences", "What changed against the champion", caption, spread)
    rows = tuple(
        (name, wording.difference(difference)) for name, difference in zip(spread, differences.values(), strict=True)
    )
    yield Table(("metric", "difference (interval)"), rows, folded=True, caption="The differences")


def _label_table(material: Material, names: Sequence[str]) -> Table:
    evaluation, kind = material.evidence.evaluation, kinds.kind_named(material.spec.kind)
    head = ["label", "n"]
    for metric in kind.label_metrics:
        head += [plain(metric), "interval"] + ([f"champion's {plain(metric)}"] if evaluation.champion else [])
    rows: list[tuple[Cell | str, ...]] = []
    for name in names:
        cells: list[Cell | str] = [name, f"{evaluation.candidate.support[name]:,}"]
        for metric in kind.label_metrics:
            point = _of_label(evaluation.candidate, name, metric)
            cells += [number(point.value if point else None), between(point.interval if point else None)]
            if evaluation.champion:
                rival = _of_label(evaluation.champion, name, metric)
                cells.append(number(rival.value if rival else None))
        rows.append(tuple(cells))
    return Table(tuple(head), tuple(rows), folded=True, caption="Every label's figures")


def _confusions(names: Sequence[str], counts: Sequence[Sequence[int]]) -> Table | Words:
    wrong = [
        (true, given, count, sum(row))
        for true, row in zip(names, counts, strict=True)
        for given, count in zip(names, row, strict=True)
        if true != given and count
    ]
    worst = sorted(wrong, key=lambda one: -one[2])[:CONFUSIONS]
    if not worst:
        return Words("No test row was given another label than its own.", "good")
    rows = tuple((true, given, f"{count:,}", share(count, total)) for true, given, count, total in worst)
    caption = "Most frequent mistakes" if len(wrong) > len(worst) else "Every mistake"
    return Table(
        ("true label", "predicted", "rows", "of the label"), rows, words=frozenset({1}), folded=True, caption=caption
    )


def _slice(part: SliceFigures, metric: str, bounds: Mapping[str, str]) -> tuple[Cell | str, ...]:
    rival = part.champion.values.get(metric) if part.champion else None
    difference = part.comparison.values.get(metric) if part.comparison else None
    own = part.candidate
    counted = wording.counted(own.n, own.clusters, own.clustered_by)
    return (
        part.name, part.by, bounds.get(part.name, NOTHING), counted, number(own.values.get(metric)),
        between(own.intervals.get(metric)),
        number(rival), wording.difference(difference),
    )  # fmt: skip


def _worst(comparison: Comparison, texts: Mapping[str, str]) -> Table:
    caption = "The negative flips the candidate is surest of, by row id"
    if not texts:
        return Table(("row id",), tuple((row,) for row in comparison.worst), caption=caption, folded=True)
    rows = tuple((row, texts.get(row, NOTHING)) for row in comparison.worst)
    return Table(("row id", "text"), rows, words=frozenset({1}), caption=caption)
