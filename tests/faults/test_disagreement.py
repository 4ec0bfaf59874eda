"""Aliases, versions, registries and ledgers changed behind Perennial's back: nothing is promoted, and all say why."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
import tiny_pipeline
from place import Ended, Place, assert_explained, free_port

from perennial.promotion import alias_move, rollback, serving_champion
from perennial.promotion.reconciliation import disagreement
from perennial.registry import agreement, aliases, chain, tracking
from perennial.registry.database import ENTRIES
from perennial.registry.ledger import Action, Ledger

# Trained worse than the champion by more than the margin; its own floor it passes.
WORSE = (
    "--set=training.epochs=1", "--set=training.learning_rate=1e-4", "--set=training.head_learning_rate=1e-3",
    "--set=gates=[{metric: accuracy, min: 0.1}, {metric: accuracy, versus: champion, margin: 0.05}]",
    "--reason=A test.",
)  # fmt: skip

Sabotage = Callable[[Place], object]


def copied(database: Path, to: Path) -> None:
    """A database as a backup makes it, also into one that is open: MLflow keeps its connections."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


@pytest.fixture(scope="module")
def _judged(tiny_base: Path, prefect_api: str, empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("judged"), prefect_api)
    tiny_pipeline.write_pipeline(place.folder / "pipelines" / "tiny", tiny_base)
    place.give_database(empty_database)
    assert place.run("--json").json["status"] == "promoted"
    copied(place.home.mlflow / "mlflow.db", place.folder / "mlflow.backup")
    copied(place.home.root / "ledger.db", place.folder / "ledger.backup")
    worse = place.run(*WORSE, "--json")
    assert (worse.json["status"], worse.json["version"]) == ("rejected", "2"), worse.text
    return place


@pytest.fixture(scope="module")
def _untouched(_judged: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(_judged.folder, tmp_path_factory.mktemp("untouched") / "place"))


@pytest.fixture
def judged(_judged: Place, _untouched: Path, _quiet_environment: None) -> Place:
    """A place with champion 1 and rejected 2, and with backups of MLflow and the ledger from between the two.

    Always at one path, which MLflow's artifacts are registered under.
    """
    database = _judged.home.mlflow / "mlflow.db"
    kept = shutil.ignore_patterns(database.name)
    lose_ledger(_judged)
    shutil.copytree(_untouched, _judged.folder, dirs_exist_ok=True, ignore=kept)
    copied(_untouched / database.relative_to(_judged.folder), database)
    return _judged


def delete_alias(place: Place) -> None:
    with tracking.session(place.home) as client:
        client.delete_registered_model_alias("tiny", aliases.CHAMPION)


def move_alias(place: Place) -> None:
    with tracking.session(place.home) as client:
        client.set_registered_model_alias("tiny", aliases.CHAMPION, "2")


def delete_version(place: Place) -> None:
    with tracking.session(place.home) as client:
        client.delete_model_version("tiny", "1")


def delete_model(place: Place) -> None:
    with tracking.session(place.home) as client:
        client.delete_registered_model("tiny")


def rename_model(place: Place) -> None:
    with tracking.session(place.home) as client:
        client.rename_registered_model("tiny", "tinier")


def restore_registry(place: Place) -> None:
    copied(place.folder / "mlflow.backup", place.home.mlflow / "mlflow.db")


def restore_ledger(place: Place) -> None:
    lose_ledger(place)
    copied(place.folder / "ledger.backup", place.home.root / "ledger.db")


def lose_ledger(place: Place) -> None:
    for path in place.home.root.glob("ledger.db*"):
        path.unlink()


def put_another_in_its_place(place: Place) -> None:
    """The model is renamed, and one of its old name has the same numbers and an alias."""
    with tracking.session(place.home) as client:
        bad = client.get_model_version("tiny", "2")
        client.rename_registered_model("tiny", "archive")
        client.create_registered_model("tiny")
        client.create_model_version("tiny", bad.source, bad.run_id, tags=dict(bad.tags))
        client.set_registered_model_alias("tiny", aliases.CHAMPION, "1")


def delete_tag(place: Place) -> None:
    with tracking.session(place.home) as client:
        client.delete_registered_model_tag("tiny", "perennial.ledger")


def damage_mark(place: Place) -> None:
    with tracking.session(place.home) as client:
        client.set_registered_model_tag("tiny", "perennial.ledger", "{oops")


def forget_marks(place: Place) -> None:
    """As a ledger that a Perennial wrote which left none."""
    with Ledger.open(place.home).database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM perennial_ledger_marks")


SABOTAGES: dict[str, tuple[Sabotage, str]] = {
    "alias deleted": (delete_alias, "its alias `champion` is gone from MLflow"),
    "alias moved": (move_alias, "points to version 2, but the ledger has version 1 as champion"),
    "version deleted": (delete_version, "MLflow has no version 1 of it any more: it was deleted"),
    "model deleted": (delete_model, "MLflow knows no model tiny: it was renamed or deleted"),
    "model renamed": (rename_model, "MLflow knows no model tiny: it is called tinier there now"),
    "older registry": (restore_registry, "MLflow's model tiny is older than what the ledger has of it"),
    "older ledger": (restore_ledger, "is older than MLflow's model tiny"),
    "fresh ledger": (lose_ledger, "is kept by another ledger than the one at"),
    "impostor": (put_another_in_its_place, "does not bear the mark that the ledger left with it"),
    "damaged mark": (damage_mark, "is not what Perennial writes there"),
}


def text_of(place: Place, *command: str) -> str:
    return place.command(*command).text


def unwrapped(text: str) -> str:
    """Without what a table's borders and a terminal's width put in between."""
    return "".join(text.split())


@pytest.mark.parametrize("name", SABOTAGES)
def test_what_is_changed_behind_our_back_holds_and_all_say_so(judged: Place, name: str) -> None:
    sabotage, words = SABOTAGES[name]
    sabotage(judged)
    before = judged.champion()
    held = judged.run(*WORSE, "--json")
    assert (held.code, held.json["status"], held.json["version"]) == (3, "held", None), held.text
    (reason,) = held.json["reasons"]
    assert words in reason
    assert "`perennial reconcile tiny --keep " in reason
    assert judged.run("--json").code == 3, "the champion's own settings, too"
    assert judged.champion() == before
    assert unwrapped(reason) in unwrapped(text_of(judged, "run", "tiny")).replace("│", "")

    predicted = judged.command("predict", "tiny", "record profit")
    assert predicted.code == (0 if before else 3)
    assert words in predicted.text
    assert words in text_of(judged, "history", "tiny")
    findings = judged.command("doctor", "--json").json["findings"]
    assert any(words in finding["seen"] for finding in findings if finding["status"] == "problem")
    with tracking.session(judged.home):
        served = serving_champion.champion(judged.home, "tiny")
    assert words in (served.doubt if served else serving_champion.why_none(judged.home, "tiny"))
    shown = judged.command("reconcile", "tiny", "--json")
    assert (shown.code, words in shown.json["problem"]) == (3, True)
    if before is None:
        assert_not_served(judged.command("serve", "tiny", "--port", "0"), words)
    for command in (("promote", "tiny", "2"), ("approve", "tiny", "2")):
        assert judged.command(*command).code == 3
    assert judged.command("gc").code in (1, 3), "without any version it is another registry to gc"
    assert judged.champion() == before


def assert_not_served(ended: Ended, words: str) -> None:
    assert ended.code == 3
    assert words in ended.text


@pytest.mark.parametrize(
    ("name", "keep", "champion"),
    [
        ("alias deleted", "ledger", "1"),
        ("alias deleted", "registry", None),
        ("alias moved", "ledger", "1"),
        ("alias moved", "registry", "2"),
        ("version deleted", "registry", None),
        ("model deleted", "registry", None),
        ("older registry", "registry", "1"),
        ("older registry", "ledger", "1"),
        ("older ledger", "ledger", "1"),
        ("fresh ledger", "registry", "1"),
    ],
)
def test_a_person_says_which_is_right(judged: Place, name: str, keep: str, champion: str | None) -> None:
    SABOTAGES[name][0](judged)
    assert judged.command("reconcile", "tiny", "--keep", keep).code == 2, "a reason is needed"
    done = judged.command("reconcile", "tiny", "--keep", keep, "--reason", "A test.", "--json")
    assert (done.code, done.json["status"], done.json["version"]) == (0, "reconciled", champion), done.text
    assert judged.champion() == champion
    assert disagreement(judged.home, "tiny") is None
    last = Ledger.open(judged.home).entries("tiny")[-1]
    assert (last.action, last.to_version, last.reason) == (Action.RECONCILE, champion, "A test.")
    again = judged.command("reconcile", "tiny", "--keep", keep, "--reason", "Again.", "--json")
    assert (again.code, again.json["status"]) == (0, "unchanged")
    assert judged.run("--json").code == 0
    assert disagreement(judged.home, "tiny") is None


@pytest.mark.soak(twin="tests/faults/test_disagreement.py::test_what_is_changed_behind_our_back_holds_and_all_say_so")
def test_who_begins_anew_is_judged_by_its_own_figures(judged: Place) -> None:
    delete_alias(judged)
    judged.command("reconcile", "tiny", "--keep", "registry", "--reason", "Begun anew.")
    ended = judged.run("--set=training.seed=7", "--json")
    assert (ended.code, ended.json["status"], judged.champion()) == (0, "promoted", "3"), ended.text


def test_what_the_ledger_has_can_only_serve_if_it_is_there(judged: Place) -> None:
    delete_version(judged)
    gone = judged.command("reconcile", "tiny", "--keep", "ledger", "--reason", "A test.")
    assert (gone.code, "has no such version any more" in gone.text) == (1, True)
    assert judged.command("reconcile", "tiny", "--keep", "neither", "--reason", "A test.").code == 2


def test_a_rollback_is_a_way_out(judged: Place) -> None:
    move_alias(judged)
    done = judged.command("rollback", "tiny", "--to", "1", "--reason", "Two was never judged good.")
    assert (done.code, judged.champion()) == (0, "1"), done.text
    assert disagreement(judged.home, "tiny") is None
    assert judged.run(*WORSE, "--json").json["reasons"] == ["Already trained: version 2 (rejected)."]


def test_two_ledgers_on_one_registry_are_noticed_by_the_second(judged: Place) -> None:
    other = {"PERENNIAL_DATABASE_URL": f"sqlite:///{judged.folder / 'other.db'}"}
    held = judged.run("--json", **other)
    assert (held.code, held.json["status"]) == (3, "held")
    assert "kept by another ledger" in held.json["reasons"][0]
    assert "PERENNIAL_DATABASE_URL" in held.json["reasons"][0]
    taken = judged.command("reconcile", "tiny", "--keep", "registry", "--reason", "Moved to one server.", **other)
    assert taken.code == 0, taken.text
    assert judged.run("--json", **other).json["status"] == "skipped"
    first = judged.run("--json")
    assert (first.code, "has a history of it, too" in first.json["reasons"][0]) == (3, True)


@pytest.mark.soak(twin="tests/faults/test_disagreement.py::test_what_is_changed_behind_our_back_holds_and_all_say_so")
def test_an_alias_that_goes_while_a_run_is_judging_holds_it(judged: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from perennial.evaluation import gates

    real = gates.decide

    def decide(*given: object) -> object:
        delete_alias(judged)
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(gates, "decide", decide)
    ended = judged.run("--json", "--set=training.seed=6")
    assert (ended.code, ended.json["status"]) == (3, "held"), ended.text
    assert "alias `champion` is gone from MLflow" in ended.json["reasons"][-1]
    assert judged.champion() is None
    monkeypatch.undo()
    judged.command("reconcile", "tiny", "--keep", "ledger", "--reason", "A test.")
    assert judged.run("--json", "--set=training.seed=6").json["status"] == "promoted", "it is judged to its end"


@pytest.mark.soak(twin="tests/faults/test_disagreement.py::test_what_is_changed_behind_our_back_holds_and_all_say_so")
def test_a_first_champion_that_may_have_served_is_compared_with(
    make_place: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is killed right after the alias moved, and the alias is taken away before anybody looks."""
    place, real = make_place(), alias_move.point

    def killed(*given: object) -> None:
        real(*given)  # type: ignore[arg-type]
        delete_alias(place)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(alias_move, "point", killed)
        assert place.run("--json").code == 1
    held = place.run(*WORSE, "--json")
    assert (held.code, held.json["status"], place.champion()) == (3, "held", None), held.text
    assert "`perennial promote tiny 1` lets it serve" in held.json["reasons"][-1]
    assert place.command("promote", "tiny", "1").code == 0
    assert place.run(*WORSE, "--json").json["status"] == "rejected"


@pytest.mark.soak(twin="tests/faults/test_disagreement.py::test_what_is_changed_behind_our_back_holds_and_all_say_so")
def test_a_registry_from_before_any_mark_is_an_older_one(judged: Place) -> None:
    delete_tag(judged)
    forget_marks(judged)
    copied(judged.home.mlflow / "mlflow.db", judged.folder / "mlflow.backup")
    assert judged.run(*WORSE, "--set=training.seed=8", "--json").json["status"] == "rejected"
    restore_registry(judged)
    held = judged.run("--set=training.seed=9", "--json")
    assert (held.code, "does not bear the mark" in held.json["reasons"][0]) == (3, True), held.text


def test_an_alias_moved_by_hand_can_be_made_right_by_a_rollback_to_it(judged: Place) -> None:
    assert judged.run("--json", "--set=training.seed=6").json["version"] == "3"
    with tracking.session(judged.home) as client:
        client.set_registered_model_alias("tiny", aliases.CHAMPION, "1")
    assert disagreement(judged.home, "tiny") is not None
    assert judged.command("rollback", "tiny", "--to", "1", "--reason", "It is right so.").code == 0
    assert disagreement(judged.home, "tiny") is None


@pytest.mark.soak(twin="tests/faults/test_disagreement.py::test_what_is_changed_behind_our_back_holds_and_all_say_so")
def test_who_promotes_meanwhile_is_no_disagreement(judged: Place) -> None:
    """Looked at all the time, while the alias moves back and forth."""
    assert judged.run("--json", "--set=training.seed=6").json["version"] == "3"
    seen: list[object] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            with tracking.session(judged.home) as client:
                seen.append(agreement.examine(client, judged.home, "tiny"))

    looking = threading.Thread(target=look)
    looking.start()
    for number in range(4):
        rollback.rollback(judged.home, "tiny", "13"[number % 2], "A test.")
    ended.set()
    looking.join()
    assert seen
    assert set(seen) == {None}


def test_a_model_out_of_service_says_so(judged: Place) -> None:
    delete_alias(judged)
    judged.command("reconcile", "tiny", "--keep", "registry", "--reason", "Out of service.")
    said = judged.command("predict", "tiny", "record profit")
    assert (said.code, "version 1 was promoted once" in said.text, "rollback tiny --to N" in said.text) == (
        1,
        True,
        True,
    )
    again = judged.run("--json")
    assert (again.code, "`perennial rollback tiny --to 1" in again.json["reasons"][0]) == (0, True)
    assert judged.command("rollback", "tiny", "--to", "1", "--reason", "Back.").code == 0


def test_a_ledger_that_is_down_keeps_nobody_from_being_answered(judged: Place) -> None:
    down = {"PERENNIAL_DATABASE_URL": f"postgresql+psycopg://ann:hunter2@127.0.0.1:{free_port()}/x"}
    said = judged.command("predict", "tiny", "record profit", **down)
    assert said.code == 0, said.text
    assert "Whether the ledger agrees is not known" in said.text
    assert "hunter2" not in said.text
    assert_explained(judged.run(**down), 1, "The ledger at", "connection refused")


def test_the_same_registry_by_another_address(judged: Place) -> None:
    url = {"PERENNIAL_DATABASE_URL": f"sqlite:///{judged.home.root / 'ledger.db'}"}
    held = judged.run("--json", **url)
    assert (held.code, "under another address, embedded" in held.json["reasons"][0]) == (3, True), held.text


def test_what_was_once_followed_without_a_word_holds_now(judged: Place) -> None:
    """Before, a missing alias was written down as found, and the next candidate had nothing to be compared with."""
    delete_alias(judged)
    ledger = Ledger.open(judged.home)
    with ledger.database.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO perennial_ledger (registry, model, action, state, from_version, who, reason) "
            "VALUES ('embedded', 'tiny', 'found', 'done', '1', 'ann@desk', 'It was moved outside of Perennial.')"
        )
        row = connection.execute(sa.select(ENTRIES).order_by(ENTRIES.c.id.desc()).limit(1)).one()
        chain.link(connection, "entry", row._asdict(), is_of_migration=True)
    held = judged.run(*WORSE, "--json")
    assert (held.code, "The ledger has version 1 as champion" in held.json["reasons"][0]) == (3, True)


def test_a_home_made_before_the_marks_goes_on(judged: Place) -> None:
    delete_tag(judged)
    forget_marks(judged)
    assert judged.run("--json").json["reasons"] == ["Already trained: version 1 (promoted)."]
    assert judged.command("rollback", "tiny", "--to", "1", "--reason", "A test.").code == 0
    assert disagreement(judged.home, "tiny") is None
