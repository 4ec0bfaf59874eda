from pathlib import Path

import pytest
from init_files import rows, sentence, write

from perennial import init
from perennial.core.errors import SpecError, StoreError
from perennial.ingest import sources
from perennial.init.template import quoted
from perennial.pipeline_file import loader
from perennial.rows import label_spelling


def test_what_is_written_is_valid_and_finds_its_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = write(tmp_path / "data" / "d.csv", rows(sector=lambda n: "xy"[n % 2], date="2026-01-01"), ";")
    path = init.write_pipeline(init.plan("news", data), tmp_path / "pipelines" / "news")
    spec = loader.read_pipeline(path)
    assert path == tmp_path / "pipelines" / "news" / "pipeline.yaml"
    assert "path: ../../data/d.csv" in path.read_text(encoding="utf-8").replace('"', "")
    assert spec.data.labels == ("bad", "good", "plain")
    assert (spec.data.columns.time, spec.data.columns.slices) == ("date", ("sector",))
    assert spec.data.source.delimiter == ";"  # type: ignore[union-attr]
    assert [gate.versus for gate in spec.gates] == [None, "baseline", "champion", "anchor", None]
    assert (spec.gates[-1].metric, spec.gates[-1].max) == ("batch_flip_rate", 0.07)
    read = [row for piece in sources.pieces(spec) for batch in piece.read(None) for row in batch.numbers]
    assert len(read) == 200
    assert list(path.parent.iterdir()) == [path]


def test_data_on_another_tree_is_named_absolutely(tmp_path: Path) -> None:
    data = write(tmp_path / "d.csv", rows(60))
    path = init.write_pipeline(init.plan("news", data), tmp_path / "project" / "pipelines" / "news")
    source = loader.read_pipeline(path).data.source
    assert source.path == (data.resolve().as_posix(),)  # type: ignore[union-attr]


def test_set_overrides_what_is_written(tmp_path: Path) -> None:
    path = init.write_pipeline(init.plan("news", write(tmp_path / "d.csv", rows(60))), tmp_path / "p" / "news")
    overrides = ("training.epochs=1", "data.min_rows_per_label=0", "model.max_length=64")
    spec = loader.read_pipeline(path, overrides)
    assert (spec.training.epochs, spec.data.min_rows_per_label, spec.model.max_length) == (1, 0, 64)


@pytest.mark.parametrize(
    "label",
    ["yes", "no", "null", "true", "1", "1e3", "a: b", "- x", "#x", "été", "🚀", "x\ny", 'he said "no"', "it's",
     "[x]", " x", "x ", "2026-01-01", "~", "*a", "{{b}}", "back\\slash", "a,b", "C++", "x\u2028y"],
)  # fmt: skip
def test_labels_survive_yaml(tmp_path: Path, label: str) -> None:
    path = write(tmp_path / "d.jsonl", rows(300, (label, "other")))
    spec = loader.read_pipeline(init.write_pipeline(init.plan("news", path, label="label"), tmp_path / "p" / "news"))
    # Blanks at the ends, and those within that are no space, make no other label.
    assert set(spec.data.labels) == {label_spelling.tidy(label), "other"}
    assert quoted("negative") == "negative"


def test_odd_column_and_file_names_survive(tmp_path: Path) -> None:
    data = [{"the: text": sentence(n), "#label": "ab"[n % 2]} for n in range(80)]
    path = write(tmp_path / "a [1] # b.csv", data)
    guess = init.plan("news", path, label="#label")
    spec = loader.read_pipeline(init.write_pipeline(guess, tmp_path / "pipelines" / "news"))
    assert (spec.data.columns.text, spec.data.columns.label) == ("the: text", "#label")
    assert len(sources.pieces(spec)) == 1


def test_many_labels_stand_one_a_line_and_a_rare_one_is_explained(tmp_path: Path) -> None:
    labels = [f"a rather long label {n}" for n in range(30)]
    path = write(tmp_path / "d.csv", [*rows(900, labels), {"text": "one of a kind", "label": "rare"}])
    text = init.write_pipeline(init.plan("news", path), tmp_path / "p" / "news").read_text(encoding="utf-8")
    assert "    - a rather long label 7\n" in text
    assert "min_rows_per_label: 0" in text
    assert "Label rare" in text


def test_a_folder_that_is_there_needs_force(tmp_path: Path) -> None:
    guess = init.plan("news", write(tmp_path / "d.csv", rows(60)))
    folder = tmp_path / "pipelines" / "news"
    init.write_pipeline(guess, folder)
    (folder / "cases.jsonl").write_text("{}\n", encoding="utf-8")
    (folder / "pipeline.yaml").write_text("mine\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"is there already.*--force"):
        init.write_pipeline(guess, folder)
    assert (folder / "pipeline.yaml").read_text(encoding="utf-8") == "mine\n"
    init.write_pipeline(guess, folder, force=True)
    assert loader.read_pipeline(folder / "pipeline.yaml").name == "news"
    assert (folder / "cases.jsonl").exists()


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    guess = init.plan("news", write(tmp_path / "d.csv", rows(60)))
    (tmp_path / "pipelines").write_text("a file", encoding="utf-8")
    with pytest.raises(StoreError, match=r"pipeline\.yaml can't be written"):
        init.write_pipeline(guess, tmp_path / "pipelines" / "news")


@pytest.mark.parametrize(("count", "decay", "averaging"), [(300, 1.0, 0.0), (5_000, 0.85, 0.99)])
def test_many_rows_train_as_suits_many_steps(tmp_path: Path, count: int, decay: float, averaging: float) -> None:
    path = init.write_pipeline(init.plan("news", write(tmp_path / "d.csv", rows(count))), tmp_path / "p" / "news")

    training = loader.read_pipeline(path).training

    assert (training.layer_decay, training.averaging) == (decay, averaging)
