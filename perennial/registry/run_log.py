"""The log of one pipeline run in MLflow: parameters, metrics, the data it was made from, and the reports. No text."""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial.core import digest
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.records.data import Snapshot
from perennial.records.evaluation import Metrics
from perennial.records.run import Evidence
from perennial.records.training import TrainedModel
from perennial.registry import tags, tracking
from perennial.rows.splits import fingerprint
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

REPORT = "validation"
"""The validation report, beside the run."""
ANSWERS = "answers"
"""What the models answered to the test rows, without text: from it a decision can be made again."""
JUDGINGS = "judgings"
"""What later judgings of the same package rest on, a folder each; what the first one rests on is at the top."""
WEIGHTS = "weights"
"""The trained weights, beside the run, where the next training is to start from them."""
PARAM_LENGTH = 500
PARAMS_AT_ONCE = 100
DETAIL_LENGTH = 1000
"""Of a tag; MLflow takes 5,000 characters."""
DATASET_DIGEST_LENGTH = 36
"""MLflow's limit; the whole digest is in the tag perennial.data_digest."""


def open_run(client: "MlflowClient", home: Home, name: str, run_key: str) -> "Run":
    """The unfinished MLflow run of this pipeline run, or a new one, in the experiment called `name`."""
    from mlflow.entities import RunStatus

    experiment = _experiment(client, home, name)
    for run in client.search_runs([experiment], f"tags.`{tags.RUN_KEY}` = '{run_key}'"):
        if run.info.status != RunStatus.to_string(RunStatus.FINISHED):
            client.update_run(run.info.run_id, status=RunStatus.to_string(RunStatus.RUNNING))
            return run
    return client.create_run(experiment, tags={tags.RUN_KEY: run_key}, run_name=f"{name}-{run_key[:8]}")


def write_run(
    client: "MlflowClient", home: Home, run_id: str, spec: PipelineSpec, evidence: Evidence, report: Path, folder: str
) -> None:
    """Log everything about the run but its model; `report`: the folder with its validation report.

    Written twice, MLflow shows the later figures; what the judging rests on goes to `folder` of the run's artifacts, so
    that no judging takes another one's place.
    """
    from mlflow.entities import Metric, Param, RunTag

    params = [Param(name, value) for name, value in parameters(spec, evidence.trained).items()]
    for start in range(0, len(params), PARAMS_AT_ONCE):
        client.log_batch(run_id, params=params[start : start + PARAMS_AT_ONCE])
    moment = int(time.time() * 1000)
    figures = [Metric(name, value, moment, 0) for name, value in figures_of(evidence).items()]
    run_tags = [RunTag(name, value) for name, value in tags_of(spec, evidence).items()]
    client.log_batch(run_id, metrics=figures, tags=run_tags)
    client.log_inputs(run_id, datasets=[_dataset(home, spec, evidence.snapshot)])
    client.log_artifacts(run_id, str(report), within(folder, REPORT))
    client.log_text(run_id, evidence.decision.model_dump_json(indent=1), within(folder, "decision.json"))
    client.log_text(run_id, evidence.evaluation.model_dump_json(indent=1), within(folder, "evaluation.json"))


def within(folder: str, name: str) -> str:
    """The path of the artifact `name` in `folder`; "": at the top."""
    return f"{folder}/{name}" if folder else name


def parameters(spec: PipelineSpec, trained: TrainedModel) -> dict[str, str]:
    """Every setting under its dotted name, lists as JSON, cut to 500 characters; and what `auto` came to."""
    settings = dict(_flat(spec.model_dump(mode="json"), ""))
    return settings | {
        "base_revision": trained.base_revision,
        "pooling": trained.pooling,
        "training_precision": trained.precision,
    }


def figures_of(evidence: Evidence) -> dict[str, float]:
    """Every number of the run under a name that MLflow accepts, such as recall.positive or champion.accuracy."""
    evaluation = evidence.evaluation
    figures = _figures(evaluation.candidate)
    if evaluation.champion:
        figures |= _prefixed("champion", _figures(evaluation.champion))
    for name, metrics in evaluation.baselines.items():
        figures |= _prefixed(f"baseline.{_safe(name)}", _figures(metrics))
    figures |= _prefixed("validation", evidence.trained.validation)
    if evidence.trained.distillation:
        figures |= _prefixed("teacher.validation", evidence.trained.fine_tuned.validation)
    figures |= _prefixed("parity", evidence.package.parity)
    if evidence.package.cascade:
        figures["cascade.share"] = evidence.package.cascade.share
    figures |= _prefixed("seconds", evidence.seconds)
    figures |= _prefixed("rows", {**evidence.validated.rows, "quarantined": evidence.validated.quarantined})
    figures |= {"package_bytes": evidence.package.size_bytes, "best_epoch": evidence.trained.best_epoch}
    return {_safe(name): float(value) for name, value in figures.items()}


def tags_of(spec: PipelineSpec, evidence: Evidence) -> dict[str, str]:
    """The tags that a run and its version share."""
    champion = evidence.decision.champion_version or tags.NO_CHAMPION
    overridden = {tags.OVERRIDES: str(evidence.overrides)[:DETAIL_LENGTH]} if evidence.overrides else {}
    return overridden | {
        tags.DATA_DIGEST: evidence.snapshot.digest,
        tags.PACKAGE_DIGEST: evidence.package.digest,
        tags.PRECISION: evidence.package.precision,
        tags.DECISION: evidence.decision.outcome.value,
        tags.DECISION_DIGEST: evidence.decision.digest,
        tags.CHAMPION_AT_DECISION: tags.UNJUDGED if evidence.evaluation.rival_problem else champion,
        tags.SPLITS: fingerprint(spec.data),
        tags.TRIGGER: evidence.trigger.kind,
        tags.TRIGGER_DETAIL: evidence.trigger.detail[:DETAIL_LENGTH],
    }


def check_experiment(client: "MlflowClient", home: Home, name: str) -> None:
    """Raises RegistryError if a run can't be written to the experiment `name`: it was deleted, or lies elsewhere."""
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        _check_experiment(experiment, home)


def _experiment(client: "MlflowClient", home: Home, name: str) -> str:
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name, artifact_location=tracking.artifacts(home, name)))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return _experiment(client, home, name)  # another process made it meanwhile
    _check_experiment(experiment, home)
    return str(experiment.experiment_id)


def _check_experiment(experiment: "Experiment", home: Home) -> None:
    if experiment.lifecycle_stage != "active":
        raise RegistryError(
            f"The MLflow experiment {experiment.name!r} (id {experiment.experiment_id}) was deleted; its name is still "
            "taken. " + tracking.UNTOUCHED,
            remedy=f"Bring it back with `mlflow experiments restore --experiment-id {experiment.experiment_id}`, or "
            "give the pipeline another name (name in pipeline.yaml), under which its versions are counted anew.",
        )
    # MLflow notes absolute places. After a move it would write to the old one, perhaps outside of any mounted disk.
    if tracking.is_built_in(home) and experiment.artifact_location != tracking.artifacts(home, experiment.name):
        raise RegistryError(
            f"MLflow keeps the artifacts of {experiment.name} in {experiment.artifact_location}, but its database now "
            f"lies in {home.mlflow}: the folder was moved or mounted elsewhere. {tracking.UNTOUCHED}",
            remedy="Move it back, or set PERENNIAL_HOME to the path it had; to share a registry between machines or "
            "containers, run an MLflow server and set MLFLOW_TRACKING_URI.",
        )


def _dataset(home: Home, spec: PipelineSpec, snapshot: Snapshot) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    folder = os.path.commonpath([part.path for part in snapshot.parts]) if snapshot.parts else ""
    profile = {
        "rows": snapshot.rows,
        "new_rows": snapshot.new_rows,
        "parts": len(snapshot.parts),
        "watermark": snapshot.watermark,
    }
    dataset = Dataset(
        name=spec.name,
        digest=snapshot.digest[:DATASET_DIGEST_LENGTH],
        source_type="local",
        source=json.dumps({"uri": str(home.store.root / folder)}),
        profile=json.dumps(profile),
    )
    marks = [InputTag(MLFLOW_DATASET_CONTEXT, "training"), InputTag(tags.DATA_DIGEST, snapshot.digest)]
    return DatasetInput(dataset, marks)


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
        return
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    yield name, text if len(text) <= PARAM_LENGTH else text[: PARAM_LENGTH - 1] + "…"


def _figures(metrics: Metrics) -> dict[str, float]:
    figures = {"n": float(metrics.n), **metrics.values}
    if metrics.clusters is not None:
        figures["clusters"] = float(metrics.clusters)
    for label, values in metrics.per_label.items():
        figures |= {f"{name}.{_safe(label)}": value for name, value in values.items()}
    return figures | {f"support.{_safe(label)}": float(count) for label, count in metrics.support.items()}


def _prefixed(prefix: str, values: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}.{name}": value for name, value in values.items()}


def _safe(name: str) -> str:
    # MLflow takes few characters, and two labels must not become one name: what is changed gets a mark of its own.
    safe = re.sub(r"[^\w .-]", "_", name, flags=re.ASCII)[:100].strip(" .")
    return safe if safe == name else f"{safe}_{digest.of_values(name=name)[:6]}"
