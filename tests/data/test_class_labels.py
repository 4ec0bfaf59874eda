"""Labels that the `datasets` library wrote as numbers are read by the names it keeps beside them."""

from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perennial.core.errors import SourceError

NAMES = ["good", "bad"]
ROWS = {"text": [f"text {n}" for n in range(4)], "label": [0, 1, -1, 1]}
FEATURES = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=NAMES)})


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(ROWS, features=FEATURES).to_parquet(path)


def test_parquets_class_labels_have_their_names(pipeline) -> None:
    made = pipeline("rows.parquet")
    write(made.folder / "rows.parquet")
    assert [row["label"] for row in made.rows()] == ["good", "bad", None, "bad"]


def test_a_pipeline_that_knows_the_numbers_keeps_them_and_is_told(pipeline) -> None:
    made = pipeline("rows.parquet", data={"labels": ["0", "1"]})
    write(made.folder / "rows.parquet")
    assert [row["label"] for row in made.rows()] == ["0", "1", "-1", "1"]
    assert any("names for its numbers" in note for note in made.notes)


def test_lists_of_class_labels_have_their_names(tmp_path: Path) -> None:
    from perennial.ingest.sources import file

    features = datasets.Features(
        {"text": datasets.Value("string"), "tags": datasets.List(datasets.ClassLabel(names=["O", "B-X"]))}
    )
    table = {"text": ["a b"], "tags": [[0, 1]]}
    datasets.Dataset.from_dict(table, features=features).to_parquet(tmp_path / "rows.parquet")
    assert [batch.columns["tags"] for batch in file.read(tmp_path / "rows.parquet")] == [[["O", "B-X"]]]


def test_other_metadata_changes_nothing(tmp_path: Path) -> None:
    from perennial.ingest.sources import file

    table = pa.table({"label": [0, 1]}).replace_schema_metadata({"huggingface": "{broken"})
    pq.write_table(table, tmp_path / "rows.parquet")
    assert [batch.columns["label"] for batch in file.read(tmp_path / "rows.parquet")] == [[0, 1]]


def test_a_folder_saved_to_disk_is_a_source(pipeline) -> None:
    made = pipeline("saved")
    datasets.Dataset.from_dict(ROWS, features=FEATURES).save_to_disk(made.folder / "saved")
    rows = made.rows()
    assert [row["label"] for row in rows] == ["good", "bad", None, "bad"]
    assert rows[0]["file"].startswith("saved/data-")
    assert made.ingest().repeated_rows == 0


def test_all_splits_are_read_and_a_file_that_is_missing_is_told(pipeline) -> None:
    made = pipeline("saved")
    saved = datasets.Dataset.from_dict(ROWS, features=FEATURES)
    datasets.DatasetDict({"train": saved, "test": saved.map(lambda row: {"text": row["text"] + "!"})}).save_to_disk(
        made.folder / "saved"
    )
    assert len(made.rows()) == 8
    next((made.folder / "saved" / "test").glob("*.arrow")).unlink()
    with pytest.raises(SourceError, match="which is not in it"):
        made.ingest(reread=True)
