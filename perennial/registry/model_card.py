"""A short model card (after Mitchell et al. 2019) in Markdown: the description of a registered version."""

import html
import re
from collections.abc import Iterator

from perennial import kinds
from perennial.core.errors import listing
from perennial.core.percent import percent
from perennial.metrics import clusters, near_copy_figures
from perennial.records.evaluation import Metrics
from perennial.records.run import Evidence
from perennial.settings.pipeline import PipelineSpec

SHOWN_LABELS = 20
SHOWN_REASONS = 5
LONGEST_REASON = 300
LONGEST = 4800
"""Characters; MLflow takes 5,000."""
LINK = "**Report:**"


def model_card_of(spec: PipelineSpec, evidence: Evidence) -> str:
    """What the model is for, what it was made of, how good it is, where its limits are, and how it is used."""
    lines = [
        _made(spec, evidence), "", *_decided(evidence), "", f"**For:** {_purpose(spec)}", "",
        *_figures(spec, evidence), "", "**Limits:**", "", *(f"- {limit}" for limit in _limits(spec, evidence)), "",
        f'**Use:** `perennial predict {spec.name} "a text"`, or in Python '
        f'`mlflow.pyfunc.load_model("models:/{spec.name}@champion")`.',
    ]  # fmt: skip
    return "\n".join(lines)[:LONGEST]


def linked(card: str, experiment: str, run: str, folder: str = "") -> str:
    """`card` with a link to the report in `folder` of the MLflow run's artifacts.

    A link that it brought from elsewhere is dropped.
    """
    page = f"{folder}/report.html" if folder else "report.html"
    kept = "\n".join(line for line in card.splitlines() if not line.startswith(LINK)).rstrip()
    return f"{kept}\n\n{LINK} [report.html](#/experiments/{experiment}/runs/{run}/artifacts/{page})"


def _made(spec: PipelineSpec, evidence: Evidence) -> str:
    trained, package, evaluation = evidence.trained, evidence.package, evidence.evaluation
    metric, own = kinds.kind_named(spec.kind).headline_metric, evaluation.candidate
    rivals = {f"champion, version {evaluation.champion_version}": evaluation.champion, **evaluation.baselines}
    beside = [f"{name} {_shown(rival, metric)}" for name, rival in rivals.items() if rival]
    return (
        f"{trained.base}, fine-tuned on {trained.train_rows:,} rows of data {evidence.snapshot.digest[:12]} and packed "
        f"as {package.precision} ({package.size_bytes / 1e6:.1f} MB). "
        f"{''.join(f'{_plain(remark)} ' for remark in trained.remarks)}"
        f"On {clusters.in_words(own.n, own.clusters, own.clustered_by)} its {metric} is {_shown(own, metric)}"
        f"{f' ({listing(beside)})' if beside else ''}: {evidence.decision.outcome.value}."
    )


def _decided(evidence: Evidence) -> Iterator[str]:
    reasons = evidence.decision.reasons
    yield f"**Decision:** {evidence.decision.outcome.value}"
    yield from ("", *(f"- {_plain(reason[:LONGEST_REASON])}" for reason in reasons[:SHOWN_REASONS])) if reasons else ()
    if len(reasons) > SHOWN_REASONS:
        yield f"- and {len(reasons) - SHOWN_REASONS:,} more; the report has all"


def _purpose(spec: PipelineSpec) -> str:
    labels = [_code(label) for label in spec.data.labels]
    return f"{spec.kind}" + (f"; it knows {listing(labels, SHOWN_LABELS)}." if labels else ".")


def _figures(spec: PipelineSpec, evidence: Evidence) -> Iterator[str]:
    evaluation = evidence.evaluation
    rivals = {"champion": evaluation.champion, **evaluation.baselines}
    others = {name: metrics for name, metrics in rivals.items() if metrics}
    yield "| " + " | ".join(["metric", "value", f"{percent(spec.evaluation.confidence)} interval", *others]) + " |"
    yield "|" + "---|" * (3 + len(others))
    for metric in kinds.kind_named(spec.kind).metrics:
        interval = evaluation.candidate.intervals.get(metric)
        interval_text = f"{interval.low:.3f} to {interval.high:.3f}" if interval else "—"
        values = [_shown(metrics, metric) for metrics in (evaluation.candidate, *others.values())]
        yield "| " + " | ".join([metric, values[0], interval_text, *values[1:]]) + " |"


def _limits(spec: PipelineSpec, evidence: Evidence) -> Iterator[str]:
    evaluation = evidence.evaluation
    rows, digest = evidence.snapshot.rows, evidence.validated.digest[:12]
    yield f"The figures hold for texts like those of its {rows:,} rows (validated: {digest}), not for others."
    yield from map(_plain, near_copy_figures.sentences(kinds.kind_named(spec.kind).headline_metric, evaluation))
    if spec.data.labels:
        yield "It answers with the labels it knows, whatever it is asked."
    if not kinds.kind_named(spec.kind).reads_whole:
        test = evaluation.lost_ends.splits.get("test") if evaluation.lost_ends else None
        longer = f" Of the test rows that is {test.in_words}." if test else ""
        yield f"Of a text longer than {spec.model.max_length} tokens, the end is not read.{longer}"
    if len(kinds.kind_named(spec.kind).text_columns) > 1:
        yield "Its two texts are told apart by the separator between them: token types (BERT's segments) are not given."
    if evaluation.faithfulness is not None:
        yield _plain(evaluation.faithfulness.sentence)
    weak = {label: values["f1"] for label, values in evaluation.candidate.per_label.items() if "f1" in values}
    if weak:
        worst = min(weak, key=lambda label: weak[label])
        support = evaluation.candidate.support.get(worst, 0)
        yield f"It is weakest on {_code(worst)}: f1 {weak[worst]:.3f} (n = {support:,})."
    below = [test.name for test in evaluation.behaviours if test.n and test.passed / test.n < test.min_pass_rate]
    if below:
        yield f"Behavioural tests below the rate they ask for: {listing(map(_code, below))}."
    if evaluation.serving and (rate := evaluation.serving.batch_flip_rate):
        asked = evaluation.serving.batch_answers or evaluation.serving.n
        yield f"In a server's batches {percent(rate)} of {asked:,} answers were other than to the same row alone."
    yield from map(_plain, evidence.package.remarks)


def _shown(metrics: Metrics, name: str) -> str:
    return f"{metrics.values[name]:.3f}" if name in metrics.values else "not known"


def _code(name: str) -> str:
    """A user's word as Markdown shows it unchanged; HTML inside is none."""
    return f"`{' '.join(name.replace('`', 'ʼ').split())}`"


def _plain(text: str) -> str:
    """A sentence that may quote a label, without anything that Markdown or HTML would read."""
    marked = re.sub(r"([\\`*_\[\]|#])", r"\\\1", html.escape(text, quote=False))
    return " ".join(marked.split())
