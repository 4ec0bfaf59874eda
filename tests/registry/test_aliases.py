import sqlite3
from pathlib import Path

import pytest
from registry_helpers import Run, answering, names_of_errors, promoted, second

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.registry import aliases, tags, tracking


def test_no_model_and_no_alias_are_no_champion(place: str, run: Run) -> None:
    assert aliases.champion(run.spec.name, run.home) is None
    run.register()
    assert aliases.champion(run.spec.name, run.home) is None


def test_what_mlflow_answers_when_there_is_none(place: str, run: Run) -> None:
    assert names_of_errors(run.home, run.spec.name) == ("RESOURCE_DOES_NOT_EXIST", "RESOURCE_DOES_NOT_EXIST")
    run.register()
    assert names_of_errors(run.home, run.spec.name) == ("INVALID_PARAMETER_VALUE", None)


def test_the_champion_is_fetched_whole(place: str, run: Run) -> None:
    version = promoted(run)
    champion = aliases.champion(run.spec.name, run.home)
    assert champion is not None
    assert (champion.version, champion.package_digest) == (version, run.arguments["package"].digest)
    folder = run.home.store.root / champion.path
    assert {path.name for path in folder.iterdir()} == {"model.onnx", "tokenizer.json", "package.json"}
    assert Predictor(folder, digest=champion.package_digest).predict(["soup"])[0]["label"] in run.spec.data.labels


def test_a_champion_that_is_there_is_not_downloaded_again(run: Run) -> None:
    promoted(run)
    aliases.champion(run.spec.name, run.home)
    for file in (run.home.mlflow / "artifacts").rglob("model.onnx"):
        file.unlink()
    assert aliases.champion(run.spec.name, run.home) is not None


def test_a_damaged_download_is_fetched_again(run: Run) -> None:
    promoted(run)
    champion = aliases.champion(run.spec.name, run.home)
    assert champion is not None
    (run.home.store.root / champion.path / "model.onnx").write_bytes(b"damaged")
    assert aliases.champion(run.spec.name, run.home) == champion
    Predictor(run.home.store.root / champion.path)


def tamper(home: Home, name: str, content: bytes | None) -> None:
    (file,) = (home.mlflow / "artifacts").rglob(f"package/{name}")
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "package.json"])
@pytest.mark.parametrize("content", [b"{}", None])
def test_a_champion_that_was_changed_is_no_champion(run: Run, name: str, content: bytes | None) -> None:
    version = promoted(run)
    tamper(run.home, name, content)
    with pytest.raises(RegistryError) as caught:
        aliases.champion(run.spec.name, run.home)
    assert f"package of version {version} of {run.spec.name} can't be used" in str(caught.value)
    assert name in str(caught.value)
    assert "champion is untouched" in str(caught.value)
    assert not list(run.home.store.root.glob("packages/*/package"))


def test_another_whole_package_in_its_place_is_noticed(run: Run) -> None:
    promoted(run)
    other = run.home.store.root / second(run, None).arguments["package"].path
    for name in ("model.onnx", "tokenizer.json", "package.json"):
        tamper(run.home, name, (other / name).read_bytes())
    with pytest.raises(RegistryError, match="was registered"):
        aliases.champion(run.spec.name, run.home)


def test_artifacts_that_are_gone(run: Run) -> None:
    promoted(run)
    (run.home.mlflow / "artifacts").rename(run.home.root / "elsewhere")
    with pytest.raises(RegistryError, match=r"can't be used.*backup"):
        aliases.champion(run.spec.name, run.home)


def test_a_champion_that_perennial_did_not_register(run: Run) -> None:
    version = promoted(run)
    with tracking.session(run.home) as client:
        client.delete_model_version_tag(run.spec.name, version, tags.PACKAGE_DIGEST)
    with pytest.raises(RegistryError, match=f"no tag {tags.PACKAGE_DIGEST}"):
        aliases.champion(run.spec.name, run.home)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, b"<h1>Not Found</h1>", "text/html"),
        (404, b'{"detail": "Not Found"}', "application/json"),
        (404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No such workspace"}', "application/json"),
        (400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}', "application/json"),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "no"}', "application/json"),
        (200, b"{}", "application/json"),
        (500, b"", "text/html"),
    ],
)
def test_any_other_answer_is_never_no_champion(
    run: Run, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, kind: str
) -> None:
    monkeypatch.setattr(tracking, "WORKING", tracking.Patience(seconds=2, retries=0))
    with answering(status, body, kind) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(RegistryError):
            aliases.champion(run.spec.name, run.home)


def test_a_home_that_moved_still_has_its_champion(run: Run, tmp_path: Path) -> None:
    promoted(run)
    before = aliases.champion(run.spec.name, run.home)
    moved = Home(run.home.root.rename(tmp_path / "moved"))
    assert aliases.champion(run.spec.name, moved) == before


def test_an_alias_that_was_taken_away_is_no_champion(place: str, run: Run) -> None:
    """Others may be there, and one that points to a version that was deleted goes with it."""
    version = promoted(run)
    with tracking.session(run.home) as client:
        client.set_registered_model_alias(run.spec.name, aliases.CHALLENGER, version)
        client.delete_registered_model_alias(run.spec.name, aliases.CHAMPION)
    assert aliases.champion(run.spec.name, run.home) is None
    with tracking.session(run.home) as client:
        client.set_registered_model_alias(run.spec.name, aliases.CHAMPION, version)
        client.delete_model_version(run.spec.name, version)
    assert aliases.champion(run.spec.name, run.home) is None


def test_a_model_of_a_longer_name_is_another(place: str, run: Run) -> None:
    promoted(run)
    assert aliases.champion(run.spec.name[:-1], run.home) is None


def test_a_wrong_path_of_a_real_server_is_an_error(server: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{server}/elsewhere")
    with pytest.raises(RegistryError, match="can't be used"):
        aliases.champion(run.spec.name, run.home)


@pytest.mark.parametrize("table", ["registered_model_aliases", "registered_models"])
def test_a_database_without_its_tables_is_an_error(run: Run, table: str) -> None:
    promoted(run)
    with sqlite3.connect(run.home.mlflow / "mlflow.db") as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO gone")
    connection.close()
    with pytest.raises(RegistryError, match="can't be used"):
        aliases.champion(run.spec.name, run.home)
