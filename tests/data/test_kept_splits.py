"""A row that was learned from is never judged on, whatever becomes of its text: an id stays in its split."""

from itertools import count

import pytest
from conftest import Pipeline

from perennial.ingest import snapshots
from perennial.rows.splits import splits_of_keys, text_key
from perennial.settings.data import SplitsSpec

IDS = {"id": "key", "deleted": "gone"}


def text_of(split: str, start: int) -> str:
    """A text that by itself is in `split`; another `start`, another text."""
    texts = (f"text {number}" for number in count(1000 * start))
    return next(text for text in texts if splits_of_keys([text_key(text)], SplitsSpec()) == [split])


def write(made: Pipeline, name: str, *rows: tuple[str, str, str]) -> None:
    made.write(name, "key,text,label,gone\n" + "".join(f"{key},{text},good,{gone}\n" for key, text, gone in rows))


def splits_of(made: Pipeline) -> dict[str, tuple[str, str]]:
    return {row["row_id"]: (row["text"], row["split"]) for row in made.rows(made.accepted())}


@pytest.fixture
def made(pipeline) -> Pipeline:
    """Row 1 was in train and is corrected to a text of test; row 2 the other way round."""
    made: Pipeline = pipeline("*.csv", **IDS)
    write(made, "a.csv", ("1", text_of("train", 1), ""), ("2", text_of("test", 2), ""), ("3", text_of("test", 3), ""))
    made.ingest()
    write(made, "b.csv", ("1", text_of("test", 4), ""), ("2", text_of("train", 5), ""))
    made.snapshot = made.ingest()
    return made


NOW = {
    "1": (text_of("test", 4), "train"),
    "2": (text_of("train", 5), "test"),
    "3": (text_of("test", 3), "test"),
}


def test_a_corrected_text_stays_in_the_split_of_its_ids_first(made: Pipeline) -> None:
    assert splits_of(made) == NOW
    assert (made.snapshot.corrected_rows, made.snapshot.kept_splits) == (2, 2)
    write(made, "c.csv", ("1", text_of("validation", 6), ""), ("4", text_of("test", 7), ""))
    assert made.ingest().kept_splits == 1
    assert splits_of(made)["1"] == (text_of("validation", 6), "train")
    assert splits_of(made)["4"][1] == "test", "a new id goes where its text belongs"


def test_an_id_that_was_deleted_and_comes_again_is_where_it_was(made: Pipeline) -> None:
    write(made, "c.csv", ("1", "", "yes"))
    made.ingest()
    assert "1" not in splits_of(made)
    write(made, "d.csv", ("1", text_of("test", 8), ""))
    made.ingest()
    assert splits_of(made)["1"] == (text_of("test", 8), "train")


def test_a_source_that_is_read_anew_moves_no_id(made: Pipeline) -> None:
    made.ingest(reread=True)
    assert splits_of(made) == NOW
    # What the first texts were is nowhere in the source any more.
    (made.folder / "a.csv").unlink()
    made.ingest(reread=True)
    assert splits_of(made) == {key: row for key, row in NOW.items() if key != "3"}
    # Other columns are kept, so all is read anew under other settings.
    columns = made.spec.data.columns.model_copy(update={"slices": ("gone",)})
    data = made.spec.data.model_copy(update={"columns": columns})
    made.spec = made.spec.model_copy(update={"data": data}).located(made.folder)
    assert made.accepted() is None
    made.ingest()
    assert splits_of(made)["1"] == NOW["1"]


def test_other_shares_move_ids_as_they_move_texts(made: Pipeline) -> None:
    (made.folder / "a.csv").unlink()
    data = made.spec.data.model_copy(update={"splits": SplitsSpec(test=0.16)})
    made.spec = made.spec.model_copy(update={"data": data}).located(made.folder)
    made.ingest()
    assert splits_of(made) == {"1": (NOW["1"][0], "test"), "2": (NOW["2"][0], "train")}


def test_an_index_that_is_lost_knows_as_much(made: Pipeline) -> None:
    for path in made.home.state("sentiment").glob("*.duckdb"):
        path.unlink()
    write(made, "c.csv", ("1", text_of("test", 9), ""))
    made.ingest()
    assert splits_of(made)["1"][1] == "train"


def test_a_row_that_an_older_build_moved_into_test_goes_back(pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    made: Pipeline = pipeline("*.csv", **IDS)
    write(made, "a.csv", ("1", text_of("test", 1), ""))
    made.ingest()
    # Older builds put each text where it belonged; then the row was learned from.
    with monkeypatch.context() as older:
        older.setattr(snapshots._NewRows, "_in_their_splits", lambda _, rows, splits: rows)
        write(made, "b.csv", ("1", text_of("train", 2), ""))
        made.ingest()
    write(made, "c.csv", ("1", text_of("test", 3), ""))
    made.ingest()
    assert splits_of(made)["1"][1] == "train"


def test_parts_that_are_lost_are_said_when_all_is_read_anew(made: Pipeline) -> None:
    for part in made.snapshot.parts:
        (made.home.store.root / part.path).unlink()
    made.ingest(reread=True)
    assert any("2 parts of rows read before can't be read any more" in note for note in made.notes)
