import json
from pathlib import Path
from typing import Any

import pytest
from promoting import promote
from registry_helpers import LABELS, USER_TEXT, Run, make_run, note_status

from perennial import kinds
from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion import alias_move
from perennial.records.decision import Outcome
from perennial.records.evaluation import Metrics
from perennial.registry import aliases, run_log, tags, tracking, versions


def everything(run: Run) -> tuple[list[Any], list[Any], list[Any]]:
    """The runs, logged models and versions of the pipeline."""
    with tracking.session(run.home) as client:
        experiment = client.get_experiment_by_name(run.spec.name).experiment_id
        return (
            client.search_runs([experiment]),
            client.search_logged_models([experiment]),
            client.search_model_versions(f"name = '{run.spec.name}'"),
        )


def test_a_registered_version_carries_its_evidence(place: str, run: Run) -> None:
    registered = run.judged(Outcome.HOLD, None).register()
    (logged,), (model,), (version,) = everything(run)
    assert (registered.model, registered.version, registered.champion_version) == (run.spec.name, "1", None)
    assert registered.run_id == logged.info.run_id == version.run_id == model.source_run_id
    assert registered.package_digest == run.arguments["package"].digest
    assert version.tags == {
        tags.RUN_KEY: "a" * 64,
        tags.DATA_DIGEST: "c" * 64,
        tags.PACKAGE_DIGEST: registered.package_digest,
        tags.DECISION: "HOLD",
        tags.DECISION_DIGEST: "2" * 64,
        tags.PRECISION: "int8",
        tags.CHAMPION_AT_DECISION: tags.NO_CHAMPION,
        tags.SPLITS: "validation=0.1 test=0.15",
        tags.STATUS: tags.REGISTERED,
        tags.APPROVAL: "none",
        tags.TRIGGER: "hand",
        tags.TRIGGER_DETAIL: "",
    }
    assert version.description.startswith(
        "sentence-transformers/all-MiniLM-L6-v2, fine-tuned on 2,200 rows of data cccccccccccc and packed as int8 "
        "(22.8 MB). On 450 test rows its accuracy is 0.840 (tfidf 0.840): HOLD.\n"
    )
    link = f"#/experiments/{logged.info.experiment_id}/runs/{registered.run_id}/artifacts/report.html"
    assert version.description.endswith(f"[report.html]({link})")
    assert str(model.status) == "READY"
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": run.spec.name, "version": version.version}]


def test_the_run_holds_parameters_metrics_data_and_reports(place: str, run: Run) -> None:
    run.register()
    ((logged,), _, _) = everything(run)
    data = logged.data
    assert logged.info.status == "FINISHED"
    assert data.params["training.epochs"] == "3.0"
    assert json.loads(data.params["data.labels"]) == list(LABELS)
    assert data.params["base_revision"] == "f" * 64
    assert data.metrics["accuracy"] == 0.84
    assert data.metrics["recall.positive"] == 0.8
    assert data.metrics["baseline.tfidf.recall.positive"] == 0.8
    assert data.metrics["validation.macro_f1"] == 0.82
    assert data.metrics["parity.max_logit_difference"] == 0.0001
    assert data.metrics["seconds.finetune"] == 80.5
    assert not any(name.startswith("champion.") for name in data.metrics)
    (given,) = logged.inputs.dataset_inputs
    assert given.dataset.digest == "c" * 36
    assert {tag.key: tag.value for tag in given.tags}[tags.DATA_DIGEST] == "c" * 64
    with tracking.session(run.home) as client:
        reports = [item.path for item in client.list_artifacts(logged.info.run_id)]
    assert reports == ["decision.json", "evaluation.json", "evidence.json", "report.html", "validation"]


def test_nothing_is_pickled_and_no_text_is_logged(run: Run) -> None:
    run.register()
    files = [path for path in (run.home.mlflow / "artifacts").rglob("*") if path.is_file()]
    assert any(path.name == "model.onnx" for path in files)
    assert not [path for path in files if path.suffix in {".pkl", ".pickle", ".joblib", ".pt", ".bin"}]
    assert not [path for path in files if path.read_bytes()[:1] == b"\x80"], "pickles start so"
    assert not [path for path in files if USER_TEXT.encode() in path.read_bytes()]
    assert USER_TEXT.encode() not in (run.home.mlflow / "mlflow.db").read_bytes()


def test_registering_says_what_it_does_and_mlflow_nothing(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    class Listener:
        heard: list[str] = []  # noqa: RUF012

        def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
            self.heard.append(detail)

        def note(self, message: str) -> None:
            self.heard.append(message)

    with progress.heard_by(Listener()):
        run.register()
    assert "sending the model to MLflow" in Listener.heard
    assert capfd.readouterr() == ("", "")


def test_the_same_run_again_makes_nothing_new(place: str, run: Run) -> None:
    assert run.register() == run.register()
    assert [len(found) for found in everything(run)] == [1, 1, 1]


def test_a_version_taken_up_shows_the_later_decision(run: Run) -> None:
    first = run.register()
    better = Metrics(n=450, values={"accuracy": 0.5}, per_label={}, support={})
    evaluation = run.arguments["evaluation"].model_copy(update={"champion": better, "champion_version": "9"})
    again = run.judged(Outcome.REJECT, "9").but(evaluation=evaluation).register()
    assert (again.version, again.champion_version) == (first.version, "9")
    (logged,), _, (version,) = everything(run)
    assert version.tags[tags.DECISION] == "REJECT"
    assert "champion, version 9 0.500" in version.description
    assert logged.data.metrics["champion.accuracy"] == 0.5


class Killed(BaseException):
    """As Ctrl-C, this is no Exception."""


@pytest.mark.parametrize("where", ["log_artifacts", "log_model_artifacts", "create_model_version", "set_terminated"])
def test_a_killed_registration_is_finished_by_the_next(run: Run, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, where, killed)
        with pytest.raises(Killed):
            run.register()
    assert versions.already(run.home, run.spec.name, "a" * 64) is None
    run.register()
    runs, models, registered = everything(run)
    assert len(runs) == len(registered) == 1
    assert runs[0].info.status == "FINISHED"
    assert len([model for model in models if str(model.status) == "READY"]) == 1


def test_a_failed_registration_leaves_a_failed_run_that_is_taken_up(run: Run) -> None:
    package = run.home.store.root / run.arguments["package"].path / "model.onnx"
    whole = package.read_bytes()
    package.write_bytes(b"damaged")
    with pytest.raises(RegistryError, match=r"model.onnx"):
        run.register()
    ((logged,), _, registered) = everything(run)
    assert logged.info.status == "FAILED"
    assert not registered
    package.write_bytes(whole)
    run.register()
    assert [len(everything(run)[0]), len(everything(run)[2])] == [1, 1]


def test_another_package_under_the_same_key_is_another_version(run: Run) -> None:
    run.register()
    other = make_run(run.home, run.spec, "e" * 64, bias=1.0).but(run_key="a" * 64)
    assert other.register().version == "2"


def test_only_a_finished_run_is_done_already(place: str, run: Run) -> None:
    assert versions.already(run.home, run.spec.name, "a" * 64) is None
    registered = run.register()
    assert versions.already(run.home, run.spec.name, "a" * 64) is None
    note_status(run.home, registered, tags.HELD)
    assert versions.already(run.home, run.spec.name, "f" * 64) is None
    found = versions.already(run.home, run.spec.name, "a" * 64)
    assert found == versions.FinishedVersion(registered=registered, status=tags.HELD)


@pytest.mark.parametrize("status", [tags.HELD, tags.REJECTED])
def test_a_candidate_judged_beside_another_champion_is_judged_again(run: Run, status: str) -> None:
    registered = run.register()
    note_status(run.home, registered, status)
    other = make_run(run.home, run.spec, "b" * 64, bias=1.0).register()
    assert versions.already(run.home, run.spec.name, "a" * 64) is not None
    with tracking.session(run.home) as client:
        client.set_registered_model_alias(run.spec.name, aliases.CHAMPION, other.version)
    assert versions.already(run.home, run.spec.name, "a" * 64) is None
    # Its package is registered already: the new decision goes to the same version.
    assert run.register().version == registered.version


def test_killed_between_the_alias_and_its_note_is_promoted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise Killed

    registered = run.register()
    with monkeypatch.context() as patch:
        patch.setattr(alias_move, "tidy", killed)
        with pytest.raises(Killed):
            promote(run.home, registered)
    for _ in range(2):
        finished = versions.already(run.home, run.spec.name, "a" * 64)
        assert finished is not None
        assert (finished.status, finished.serves) == (tags.PROMOTED, True)


def test_a_version_is_fetched_by_its_number(place: str, run: Run) -> None:
    registered = run.register()
    found = versions.package(run.home, run.spec.name, registered.version)
    assert (run.home.store.root / found.path / "package.json").is_file()
    assert promote(run.home, registered)
    assert versions.package(run.home, run.spec.name) == found


def test_what_is_not_there_is_answered_with_what_is(run: Run) -> None:
    name = run.spec.name
    with pytest.raises(RegistryError, match=rf"no champion yet.*perennial run {name}"):
        versions.package(run.home, name)
    with pytest.raises(RegistryError, match=rf"no versions yet.*perennial run {name}"):
        versions.package(run.home, name, "1")
    run.register()
    for version in ("7", "latest", "'"):
        with pytest.raises(RegistryError, match=rf"no version {version} of {name}; there are: 1\."):
            versions.package(run.home, name, version)


def test_a_deleted_experiment_is_explained(run: Run) -> None:
    run.register()
    with tracking.session(run.home) as client:
        client.delete_experiment(client.get_experiment_by_name(run.spec.name).experiment_id)
    with pytest.raises(RegistryError, match="mlflow experiments restore"):
        make_run(run.home, run.spec, "b" * 64).register()


def test_a_deleted_experiment_is_noticed_before_anything_is_trained(run: Run) -> None:
    run.register()
    with tracking.session(run.home) as client:
        client.delete_experiment(client.get_experiment_by_name(run.spec.name).experiment_id)
    with pytest.raises(RegistryError, match="another name"):
        versions.already(run.home, run.spec.name, "c" * 64)
    assert versions.already(run.home, "another", "c" * 64) is None


def test_a_home_that_moved_writes_nothing_to_its_old_place(run: Run, tmp_path: Path) -> None:
    run.register()
    old = run.home.root
    moved = Home(old.rename(tmp_path / "moved"))
    with pytest.raises(RegistryError, match="moved or mounted elsewhere"):
        make_run(moved, run.spec, "b" * 64).register()
    assert not old.exists()


def test_names_of_metrics_are_safe_and_distinct() -> None:
    labels = ["plain", "très bon", "a/b", "a:b", "../x", "x" * 300, "b c", " "]
    metrics = Metrics(n=1, values={}, per_label={label: {"recall": 1.0} for label in labels}, support={})
    names = [name for name in run_log._figures(metrics) if name.startswith("recall")]
    assert len(set(names)) == len(labels)
    assert "recall.plain" in names
    assert "recall.b c" in names
    assert all(len(name) < 250 and "/" not in name and name.isascii() for name in names)


def test_odd_numbers_and_labels_reach_mlflow(place: str, run: Run) -> None:
    odd = Metrics(
        n=1,
        values={"log_loss": float("inf"), "accuracy": float("nan")},
        per_label={"../très/bon": {"recall": 1.0}, " ": {"recall": 0.5}},
        support={},
    )
    run.but(evaluation=run.arguments["evaluation"].model_copy(update={"candidate": odd})).register()
    assert len(everything(run)[2]) == 1


def test_long_settings_are_cut(run: Run) -> None:
    many = run.spec.data.model_copy(update={"labels": tuple(f"label {number}" for number in range(200))})
    spec = run.spec.model_copy(update={"data": many})
    shown = run_log.parameters(spec, run.arguments["trained"])["data.labels"]
    assert len(shown) == run_log.PARAM_LENGTH
    assert shown.endswith("…")


def test_evidence_of_a_kind_that_is_not_known_here_is_no_evidence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.register()
    monkeypatch.setattr(kinds, "names", lambda: ("text-pair",))
    with tracking.session(run.home) as client:
        made = versions.candidate(client, run.home, run.spec.name, "1")
        with pytest.raises(RegistryError, match="this Perennial can't read it"):
            versions.evidence_of(client, run.home, made)
