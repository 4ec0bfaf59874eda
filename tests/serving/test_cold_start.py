"""A server that starts serves at once what served last, if nothing changed that could make it another answer."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from serving_helpers import promote

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion import serving_champion
from perennial.registry.aliases import registered_package
from perennial.serving.current import CurrentVersion
from perennial.serving.metrics import ServingMetrics
from perennial.serving.versions.following import Follower
from perennial.settings.serving import ServingSpec


@pytest.fixture
def served(champion: Home, tmp_path: Path) -> Home:
    """A home of the test's own whose champion a server served before."""
    home = Home(tmp_path / "höme 100% #1")
    shutil.copytree(champion.root, home.root)
    assert loaded(home) == "1"
    return home


def loaded(home: Home, version: str | None = None) -> str:
    """The version that a server which starts now serves."""
    current = CurrentVersion()
    Follower(home, "tiny", version, ServingSpec(threads=1), current, ServingMetrics("tiny")).load()
    assert current.served is not None
    return current.served.version


@pytest.fixture
def _no_bringing(served: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def bring(*_: object) -> None:
        raise RegistryError("It was asked.", remedy="")

    monkeypatch.setattr(serving_champion, "bring", bring)
    monkeypatch.setattr(serving_champion, "champion", lambda *_: None)


@pytest.mark.usefixtures("_no_bringing")
def test_what_served_last_serves_at_once(served: Home) -> None:
    assert loaded(served) == "1"
    assert loaded(served, "1") == "1"


@pytest.mark.usefixtures("_no_bringing")
@pytest.mark.parametrize("changed", ["shown_with", "registry", "package", "alias", "digest", "database", "note"])
def test_whatever_changed_it_is_shown_anew(served: Home, changed: str) -> None:
    note, database = served.served / "tiny.json", served.mlflow / "mlflow.db"
    content = json.loads(note.read_text())
    if changed in ("shown_with", "registry"):
        note.write_text(json.dumps(content | {changed: ["another"] if changed == "shown_with" else "another"}))
    elif changed == "note":
        note.write_text("{}")
    elif changed == "package":
        model = served.store.root / content["served"]["path"] / "model.onnx"
        model.chmod(0o644)
        model.write_bytes(model.read_bytes() + b"x")
    elif changed == "database":
        database.rename(database.with_suffix(".moved"))
    else:
        table = "registered_model_aliases" if changed == "alias" else "model_version_tags"
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - one of two names
    with pytest.raises(RegistryError, match="It was asked"):
        loaded(served)
    # A look makes no database.
    assert database.exists() is (changed != "database")


def test_a_champion_that_was_promoted_meanwhile_serves(home: Home) -> None:
    promote(home, "a", None)
    assert loaded(home) == "1"
    promote(home, "b", "1")
    assert loaded(home) == "2"
    assert loaded(home) == "2"


def test_the_quick_look_says_what_the_registry_says(served: Home) -> None:
    standing = serving_champion.champion(served, "tiny")
    assert standing is not None
    assert registered_package(served, "tiny", None) == (standing.version, standing.package_digest, "")
    assert registered_package(served, "tiny", "1") == (standing.version, standing.package_digest, "")
    assert registered_package(served, "nobody", None) is None
    assert registered_package(served, "tiny", "7") is None
