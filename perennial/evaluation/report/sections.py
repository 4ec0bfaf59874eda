"""The sections of a report, each made from the run's records: what was measured, and where something was not, that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perennial import kinds
from perennial.artifacts import (
    BehaviourFigures,
    Check,
    Comparison,
    Evaluation,
    Metrics,
    ServingFigures,
    SliceFigures,
    TrainedModel,
    Verdict,
)
from perennial.evaluation.report import charts, wording
from perennial.evaluation.report.blocks import Block, Cell, Chart, Facts, Matrix, Section, Table, Tone, Words
from perennial.evaluation.report.charts import Point, Row
from perennial.evaluation.report.material import Material
from perennial.evaluation.report.wording import NOTHING, between, number, plain, several, share

TONES: Mapping[Verdict, Tone] = {
    Verdict.PASS: "good",
    Verdict.FAIL: "bad",
    Verdict.UNDECIDED: "doubt",
    Verdict.SKIPPED: "quiet",
}
MARKS = {
    Verdict.PASS: "✓ pass",
    Verdict.FAIL: "✗ fail",
    Verdict.UNDECIDED: "? undecided",
    Verdict.SKIPPED: "– not judged",
}
WORST_FIRST = (Verdict.FAIL, Verdict.UNDECIDED, Verdict.SKIPPED, Verdict.PASS)
WIDEST_MATRIX = 12
"""Labels up to which the confusion matrix is a table."""
CONFUSIONS = 20
INTERVAL = "Lines show the {confidence:.0%} confidence interval, by resampling the test rows."


def all_of(material: Material) -> tuple[Section, ...]:
    """Every section, in the order of the page."""
    made = (
        figures, checks, labels, mistakes, slices, flips, calibration, behaviours, fairness, serving, training, data,
        lineage,
    )  # fmt: skip
    return tuple(make(material) for make in made)


def figures(material: Material) -> Section:
    """Candidate, champion and baselines, metric by metric."""
    found = material.evidence.evaluation
    blocks: list[Block] = [_rivals(found), _metrics(material)]
    if found.comparison:
        blocks += _compared(material, found.comparison)
    return Section("figures", "Beside the champion and the baselines", tuple(blocks))


def checks(material: Material) -> Section:
    """Every gate applied."""
    decision = material.evidence.decision
    ordered = sorted(decision.checks, key=lambda check: WORST_FIRST.index(check.verdict))
    head = ("check", "value", "limit", "interval", "n", "verdict", "reason")
    table = Table(head, tuple(map(_check, ordered)), words=frozenset({5, 6}), stacked=True)
    if not ordered:
        return Section("checks", "Checks", (Words("No gate applied to this run.", "doubt"),))
    note = (
        "Δ is candidate minus champion on the same rows: a check passes if the whole interval lies on the right side "
        "of the margin. Failures are declared for all comparisons together (Holm's correction)."
    )
    return Section("checks", "Checks", (table, Words(note, "quiet")))


def labels(material: Material) -> Section:
    """Each label's own figures."""
    found = material.evidence.evaluation
    kind = kinds.get(material.spec.kind)
    if not found.candidate.per_label:
        return _without("labels", "Labels", "This kind of task has no labels with figures of their own.")
    metric = "f1" if "f1" in kind.label_metrics else kind.label_metrics[0]
    names = sorted(found.candidate.support, key=lambda name: -found.candidate.support[name])
    rows = [
        Row(name, _of_label(found.candidate, name, metric), _of_label(found.champion, name, metric)) for name in names
    ]
    caption = f"{plain(metric)} of each label, the label with most test rows first. {_interval(material)}"
    chart = charts.points("labels-chart", f"{plain(metric)} by label", caption, plain(metric), rows)
    return Section("labels", "Labels", (chart, _label_table(material, names)))


def mistakes(material: Material) -> Section:
    """The confusion matrix."""
    found = material.evidence.evaluation.candidate
    names = tuple(found.support)
    if not found.confusion:
        return _without("mistakes", "Mistakes", "This kind of task has no confusion matrix.")
    caption = "Test rows by true label (down) and predicted label (across); shaded by their share of the true label."
    table = _confusions(names, found.confusion)
    if len(names) <= WIDEST_MATRIX:
        return Section("mistakes", "Mistakes", (Matrix(names, found.confusion, caption), table))
    chart = charts.heat("confusion", "Confusion matrix", caption, names, found.confusion)
    return Section("mistakes", "Mistakes", (chart, table))


def slices(material: Material) -> Section:
    """Parts of the test rows by themselves."""
    found = material.evidence.evaluation.slices
    if not found:
        return _without("slices", "Slices", "No part of the test rows was judged by itself in this run.")
    metric = kinds.get(material.spec.kind).headline_metric
    rows = [Row(part.name, _point(part.candidate, metric), _point(part.champion, metric)) for part in found]
    caption = f"{plain(metric)} on parts of the test rows. {_interval(material)}"
    chart = charts.points("slices-chart", f"{plain(metric)} by slice", caption, plain(metric), rows)
    head = ("slice", "told apart by", "holds", "n", "candidate", "interval", "champion", "difference")
    table = Table(
        head, tuple(_slice(part, metric, material.bounds) for part in found), words=frozenset({1, 2}), folded=True,
        caption="All slices",
    )  # fmt: skip
    note = Words(
        "The more slices there are, the likelier one looks bad by chance; gates that name slices account for it.",
        "quiet",
    )
    return Section("slices", "Slices", (chart, note, table))


def flips(material: Material) -> Section:
    """Rows the champion gets right and the candidate wrong."""
    title = "Negative flips"
    comparison = material.evidence.evaluation.comparison
    if comparison is None:
        return _without("flips", title, "There was no champion to compare answers with.")
    if comparison.negative_flips is None:
        return _without("flips", title, "This kind's answers are not simply right or wrong.")
    lost, won, n = comparison.negative_flips, comparison.positive_flips or 0, comparison.n
    told = (
        f"{several(lost, 'row')} of {n:,} ({share(lost, n)}) that the champion gets right, the candidate gets wrong; "
        f"{won:,} ({share(won, n)}) went the other way."
    )
    if comparison.mcnemar_p is not None:
        told += f" McNemar's exact test of the two counts: p = {comparison.mcnemar_p:.3g}."
    blocks: list[Block] = [Words(told)]
    if comparison.worst:
        blocks.append(_worst(comparison, material.texts))
    return Section("flips", title, tuple(blocks))


def calibration(material: Material) -> Section:
    """Whether scores mean what they say."""
    title = "Calibration"
    if not material.reliability:
        return _without("calibration", title, "There are no scores at hand that could be read as probabilities.")
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


def behaviours(material: Material) -> Section:
    """Behavioural tests."""
    title = "Behaviours"
    found = material.evidence.evaluation.behaviours
    if not found:
        return _without("behaviours", title, "This pipeline has no behavioural tests.")
    rivals = {test.name: test for test in material.evidence.evaluation.champion_behaviours}
    caption = "Share of the cases of each behavioural test that passed; the upright mark is the least that it asks for"
    caption += ", the diamond the champion's share." if rivals else "."
    head = ("test", "capability", "type", "passed", "of", "rate", *(["champion"] if rivals else []), "needed")
    rows = tuple(_behaviour(test, rivals) for test in found)
    table = Table(head, rows, words=frozenset({1, 2}), stacked=True)
    chart = charts.behaviours("Pass rates", caption, found, rivals)
    return Section("behaviours", title, (chart, table, *_failing(found, material.cases)))


def fairness(material: Material) -> Section:
    """What swapping names and groups does to the answers."""
    title = "Fairness"
    found = material.evidence.evaluation.fairness
    if not any(group.n for group in found):
        return _without("fairness", title, "No test row has a name or group that could be swapped for another.")
    caption = (
        "Test rows whose names or groups were swapped for others: how often the answer changed, though it should not."
    )
    head = ("swapped", "rows", "answers changed", "share", "mean shift of the score")
    rows = tuple(
        (group.group, f"{group.n:,}", f"{group.flips:,}", share(group.flips, group.n), f"{group.mean_shift:.4f}")
        for group in found
    )
    chart = charts.fairness("Answers that changed", caption, [group for group in found if group.n])
    return Section("fairness", title, (chart, Table(head, rows)))


def serving(material: Material) -> Section:
    """What it costs to ask the package."""
    title = "Speed, memory, size"
    found, rival = material.evidence.evaluation.serving, material.evidence.evaluation.champion_serving
    if found is None:
        package = material.evidence.package
        told = f"Not measured in this run. The package is {package.precision}, {package.size_bytes / 1e6:.1f} MB."
        return Section("serving", title, (Words(told, "quiet"),))
    head = ("on this machine", "candidate", "champion", "ratio")
    note = Words(
        f"Of {found.n:,} rows, {several(found.batch_flips, 'is', 'are')} answered otherwise alone than in a batch, and "
        f"{found.padding_flips:,} otherwise with more padding. Both packages were measured in the same minute."
    )
    return Section("serving", title, (Table(head, tuple(_costs(found, rival))), note))


def training(material: Material) -> Section:
    """The curves of the training."""
    title = "Training"
    trained, metric = material.evidence.trained, kinds.get(material.spec.kind).selection_metric
    told = (
        f"{trained.base}, {trained.epochs:g} epochs in {trained.precision} on {trained.train_rows:,} rows, "
        f"{trained.seconds:,.0f} s; the checkpoint after epoch {trained.best_epoch:g} was kept."
    )
    blocks: list[Block] = [Words(" ".join([told, *trained.remarks]))]
    scores = _curve(material.history, f"eval_{metric}")
    loss = _curve(material.history, "loss")
    if loss[0]:
        held_out = _curve(material.history, "eval_log_loss")
        blocks.append(charts.losses("Loss by epoch", _losses_caption(loss, held_out), loss, held_out))
    if scores[0]:
        blocks.append(_scores(metric, scores, trained.best_epoch))
    if not loss[0] and not scores[0]:
        blocks.append(Words("The training's log is not in this store.", "quiet"))
    return Section("training", title, tuple(blocks))


def data(material: Material) -> Section:
    """The rows: how many, what was set aside, how the new ones differ."""
    blocks = (*_rows(material), *_drift(material), *_quarantine(material), *_label_errors(material))
    return Section("data", "Data", blocks)


def lineage(material: Material) -> Section:
    """What the candidate was made from."""
    found = material.evidence
    trained, package, decision = found.trained, found.package, found.decision
    facts = (
        ("pipeline", f"{material.spec.name}, {material.spec.kind}"),
        ("data", f"{found.snapshot.digest} ({several(len(found.snapshot.parts), 'part')})"),
        ("newest row", found.snapshot.watermark or "no time column"),
        ("validated rows", found.validated.digest),
        ("base model", trained.base),
        ("base's weights", trained.base_revision),
        *_started_from(trained),
        *_taught_by(trained),
        ("trained weights", trained.digest),
        ("package", f"{package.digest} ({'; '.join([package.precision, *package.remarks])})"),
        ("evaluation", found.evaluation.digest),
        ("decision", decision.digest),
        ("champion compared with", f"version {decision.champion_version}" if decision.champion_version else "none yet"),
    )
    parts = Table(
        ("part", "rows", "set aside", "sha256"),
        tuple(
            (str(place), f"{part.source.rows:,}", f"{part.quarantined:,}", part.source.sha256)
            for place, part in enumerate(found.validated.parts, 1)
        ),
        words=frozenset({3}),
        folded=True,
        caption="The parts of the data",
    )
    libraries = Table(
        ("library", "version"), tuple(found.libraries.items()), words=frozenset({1}), folded=True,
        caption="Versions of the libraries",
    )  # fmt: skip
    times = Table(
        ("step", "seconds"), tuple((step, f"{seconds:,.1f}") for step, seconds in found.seconds.items()),
        folded=True, caption="Times of the steps",
    )  # fmt: skip
    return Section("lineage", "Lineage", (Facts(facts), *([libraries] if found.libraries else []), times, parts))


def _started_from(trained: TrainedModel) -> Iterator[tuple[str, str]]:
    if trained.start and trained.start.version:
        yield "started from", f"version {trained.start.version}, weights {trained.start.digest}"


def _taught_by(trained: TrainedModel) -> Iterator[tuple[str, str]]:
    if trained.distillation:
        yield "teacher's weights", trained.fine_tuned.digest


def _without(name: str, title: str, why: str) -> Section:
    return Section(name, title, (Words(why, "quiet"),))


def _interval(material: Material) -> str:
    return INTERVAL.format(confidence=material.spec.evaluation.confidence)


def _point(metrics: Metrics | None, metric: str) -> Point | None:
    if metrics is None or metric not in metrics.values:
        return None
    return Point(metrics.values[metric], metrics.intervals.get(metric))


def _of_label(metrics: Metrics | None, name: str, metric: str) -> Point | None:
    value = metrics.per_label.get(name, {}).get(metric) if metrics else None
    if metrics is None or value is None:
        return None
    return Point(value, metrics.label_intervals.get(name, {}).get(metric))


def _rivals(found: Evaluation) -> Words:
    if found.champion_problem:
        return Words(
            f"The champion, version {found.champion_version}, can't be judged: {found.champion_problem}", "bad"
        )
    if found.champion is None:
        return Words("There is no champion yet: the candidate stands beside the baselines alone.", "quiet")
    told = f"On {several(found.candidate.n, 'test row')}; the champion is version {found.champion_version}."
    if found.new_labels or found.dropped_labels:
        told += " The two do not know the same labels and are compared on those that both know."
        told += f" New: {', '.join(found.new_labels)}." if found.new_labels else ""
        told += f" Gone: {', '.join(found.dropped_labels)}." if found.dropped_labels else ""
    return Words(told)


def _metrics(material: Material) -> Table:
    found, kind = material.evidence.evaluation, kinds.get(material.spec.kind)
    rivals = {f"champion, v{found.champion_version}": found.champion} if found.champion else {}
    rivals |= found.baselines
    head = ("metric", "candidate", *rivals, f"interval, {material.spec.evaluation.confidence:.0%}")
    rows: list[tuple[Cell | str, ...]] = []
    for metric in kind.metrics:
        name = plain(metric) + (" ↓" if metric in kind.lower_is_better else "")
        own = found.candidate
        others: Iterator[Cell | str] = (number(other.values.get(metric)) for other in rivals.values() if other)
        cells = (Cell(number(own.values.get(metric)), strong=True), *others, between(own.intervals.get(metric)))
        rows.append((name, *cells))
    arrow = " ↓: lower is better." if kind.lower_is_better else ""
    return Table(head, tuple(rows), caption=f"n = {found.candidate.n:,} test rows.{arrow}")


def _compared(material: Material, comparison: Comparison) -> Iterator[Block]:
    kind = kinds.get(material.spec.kind)
    known = {metric: comparison.values[metric] for metric in kind.metrics if metric in comparison.values}
    spread = {
        plain(metric) + (" ↓" if metric in kind.lower_is_better else ""): Point(found.value, found.interval)
        for metric, found in known.items()
    }
    caption = (
        f"Candidate minus champion on the same {comparison.n:,} rows, by paired bootstrap. {_interval(material)} Right "
        "of 0 the candidate's figure is higher; where ↓ stands, lower is better."
    )
    if not spread:
        return
    yield charts.differences("differences", "What changed against the champion", caption, spread)
    rows = tuple((name, wording.difference(found)) for name, found in zip(spread, known.values(), strict=True))
    yield Table(("metric", "difference (interval)"), rows, folded=True, caption="The differences")


def _check(check: Check) -> tuple[Cell | str, ...]:
    verdict = Cell(MARKS[check.verdict], TONES[check.verdict], strong=True)
    return (
        check.gate, number(check.value), number(check.limit), _known(check), f"{check.n:,}", verdict, check.reason,
    )  # fmt: skip


def _known(check: Check) -> str:
    """How well the value is known, or its difference from the champion's."""
    if check.difference is None or check.interval is None:
        return between(check.interval)
    return f"Δ {wording.spread(check.difference, check.interval)}"


def _label_table(material: Material, names: Sequence[str]) -> Table:
    found, kind = material.evidence.evaluation, kinds.get(material.spec.kind)
    head = ["label", "n"]
    for metric in kind.label_metrics:
        head += [plain(metric), "interval"] + ([f"champion's {plain(metric)}"] if found.champion else [])
    rows: list[tuple[Cell | str, ...]] = []
    for name in names:
        cells: list[Cell | str] = [name, f"{found.candidate.support[name]:,}"]
        for metric in kind.label_metrics:
            point = _of_label(found.candidate, name, metric)
            cells += [number(point.value if point else None), between(point.interval if point else None)]
            if found.champion:
                rival = _of_label(found.champion, name, metric)
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
    return (
        part.name, part.by, bounds.get(part.name, NOTHING), f"{own.n:,}", number(own.values.get(metric)),
        between(own.intervals.get(metric)),
        number(rival), wording.difference(difference),
    )  # fmt: skip


def _worst(comparison: Comparison, texts: Mapping[str, str]) -> Table:
    caption = "The negative flips the candidate is surest of, by row id"
    if not texts:
        return Table(("row id",), tuple((row,) for row in comparison.worst), caption=caption, folded=True)
    rows = tuple((row, texts.get(row, NOTHING)) for row in comparison.worst)
    return Table(("row id", "text"), rows, words=frozenset({1}), caption=caption)


def _behaviour(test: BehaviourFigures, rivals: Mapping[str, BehaviourFigures]) -> tuple[Cell | str, ...]:
    tone: Tone = "good" if _passes(test.passed, test.n, test.min_pass_rate) else "bad"
    own = (test.name, test.capability, test.type, f"{test.passed:,}", f"{test.n:,}")
    rival = rivals.get(test.name)
    beside = (share(rival.passed, rival.n) if rival else NOTHING,) if rivals else ()
    return (*own, Cell(share(test.passed, test.n), tone), *beside, f"{test.min_pass_rate:.1%}")


def _passes(passed: int, n: int, least: float) -> bool:
    return n > 0 and passed / n >= least


def _failing(found: Sequence[BehaviourFigures], texts: Mapping[str, str]) -> Iterator[Block]:
    names = [case for test in found for case in test.failing]
    if not names:
        return
    caption = "Failing cases, some of each test"
    if texts:
        rows = tuple((name, texts.get(name, NOTHING)) for name in names)
        yield Table(("case", "text"), rows, words=frozenset({1}), folded=True, caption=caption)
    else:
        yield Table(("case",), tuple((name,) for name in names), folded=True, caption=caption)


def _costs(own: ServingFigures, rival: ServingFigures | None) -> Iterator[tuple[Cell | str, ...]]:
    named = {
        "latency, median (ms)": "latency_p50",
        "latency, 95th percentile (ms)": "latency_p95",
        "throughput (rows a second)": "throughput",
        "peak memory (MB)": "peak_memory",
        "size (MB)": "size",
    }
    for name, figure in named.items():
        value = float(getattr(own, figure))
        other = float(getattr(rival, figure)) if rival else None
        beside = f"{other:,.1f}" if other is not None else NOTHING
        yield name, Cell(f"{value:,.1f}", strong=True), beside, wording.ratio(value, other)


def _curve(history: Sequence[Mapping[str, Any]], name: str) -> tuple[list[float], list[float]]:
    found = [(float(entry["epoch"]), float(entry[name])) for entry in history if name in entry and "epoch" in entry]
    return [epoch for epoch, _ in found], [value for _, value in found]


def _losses_caption(loss: tuple[list[float], list[float]], held_out: tuple[list[float], list[float]]) -> str:
    told = f"Training loss (with label smoothing and dropout) from {loss[1][0]:.3f} to {loss[1][-1]:.3f}"
    if not held_out[0]:
        return f"{told}."
    return f"{told}; log loss on the validation rows from {held_out[1][0]:.3f} to {held_out[1][-1]:.3f}."


def _scores(metric: str, scores: tuple[list[float], list[float]], best: float) -> Chart:
    caption = f"{plain(metric)} on the validation rows after each epoch; the star marks the checkpoint that was kept."
    return charts.validation("Score on the validation rows", caption, plain(metric), scores, best)


def _rows(material: Material) -> Iterator[Block]:
    found = material.evidence
    snapshot = found.snapshot
    told = f"{several(snapshot.rows, 'row')}, {snapshot.new_rows:,} of them new in this run"
    told += f", {snapshot.corrected_rows:,} corrected" if snapshot.corrected_rows else ""
    told += f"; {several(snapshot.deleted_rows, 'row')} deleted" if snapshot.deleted_rows else ""
    told += (
        f"; {several(snapshot.repeated_rows, 'row was', 'rows were')} there already" if snapshot.repeated_rows else ""
    )
    told += f"; {several(snapshot.late_rows, 'row')} too old to be taken in" if snapshot.late_rows else ""
    yield Words(told + ".")
    splits = found.validated.rows
    names = sorted({name for counts in found.validated.label_rows.values() for name in counts})
    ordered = [name for name in material.spec.data.labels if name in names] or names
    rows = [("all", *(f"{count:,}" for count in splits.values()))]
    rows += [
        (name, *(f"{found.validated.label_rows.get(split, {}).get(name, 0):,}" for split in splits)) for name in ordered
    ]
    caption = "Rows that may be learned from and judged on"
    yield Table(
        ("label" if ordered else "rows", *splits), tuple(rows), caption=caption, folded=len(rows) > WIDEST_MATRIX
    )


def _drift(material: Material) -> Iterator[Block]:
    found = material.drift
    if found is None:
        told = (
            "There is nothing new to compare with the older rows." if not material.evidence.snapshot.new_rows
            else "The rows are not in this store, so the new ones were not compared with the older ones."
        )  # fmt: skip
        yield Words(told, "quiet")
        return
    if found.old is None:
        yield Words("All rows are new: there are no older ones to compare with.", "quiet")
    distance = found.label_distance
    order = sorted(found.new.labels, key=lambda name: -found.new.labels[name])
    order += [name for name in (found.old.labels if found.old else ()) if name not in found.new.labels]
    if order:
        caption = "Share of each label among the new rows" + (" and among the older ones." if found.old else ".")
        if distance is not None:
            limit = material.spec.data.max_label_shift
            caption += f" Their total variation distance is {distance:.3f}; above {limit:g} the run warns."
        yield charts.label_shares("Label shares", caption, order, found)
    caption = f"Length of the texts: the new rows' median is {found.new.median_length:,.0f} characters"
    caption += f", the older rows' {found.old.median_length:,.0f}." if found.old else "."
    yield charts.lengths("Text length", caption + " The last step holds all longer ones, too.", found)


def _quarantine(material: Material) -> Iterator[Block]:
    validated = material.evidence.validated
    for warning in validated.warnings:
        yield Words(f"Warning: {warning}", "doubt")
    if not validated.quarantined:
        yield Words("No row was set aside.", "good")
        return
    total = sum(part.source.rows for part in validated.parts)
    yield Words(f"{several(validated.quarantined, 'row')} set aside ({share(validated.quarantined, total)}).", "doubt")
    if material.set_aside:
        rows = tuple((reason, f"{count:,}") for reason, count in material.set_aside.items())
        yield Table(("set aside because", "rows"), rows, caption="A row may have several reasons")


def _label_errors(material: Material) -> Iterator[Block]:
    looked = material.evidence.evaluation.label_errors
    if looked is None:
        yield Words("Label errors were not looked for in this run.", "quiet")
        return
    told = (
        f"The candidate contradicts the label of {looked.found:,} of {several(looked.n, 'test and validation row')} "
        f"({share(looked.found, looked.n)})"
    )
    if not looked.found:
        yield Words(f"{told}.", "good")
        return
    yield Words(f"{told}: perennial review {material.spec.name} lists them with their texts, to be corrected.", "doubt")
    if material.doubts:
        rows = tuple(
            (doubt["row_id"], doubt["given"], doubt["suggested"], f"{doubt['score']:.4f}") for doubt in material.doubts
        )
        head = ("row id", "given label", "suggested", "support of the given one")
        caption = "Possible label errors, the most contradicted first"
        yield Table(head, rows, words=frozenset({1, 2}), folded=True, caption=caption)
