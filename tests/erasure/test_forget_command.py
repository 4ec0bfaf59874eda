"""`perennial forget`: after it no byte of a row is left in the home, and champion, decisions and runs go on."""

import json
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
import tiny_pipeline
from byte_search import holders
from erasure_data import person
from place import Place, assert_explained

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.erasure import registry_traces
from perennial.inference.tokenization import Tokenizer
from perennial.ingest import snapshot_heads
from perennial.registry import evidence

Row = dict[str, object]


def rows_of(home: Home) -> list[Row]:
    """Every row of the newest snapshots."""
    parts = {part.path for head in snapshot_heads.every_head(home) for part in head.parts}
    return [row for path in parts for row in pq.read_table(home.store.root / path).to_pylist()]


def tokens(home: Home, text: str) -> list[int]:
    path = next(iter(sorted(home.store.root.glob("tokenizer/*/tokenizer.json"))))
    ((ids,), _) = Tokenizer(path, 24).encode([text])
    return [int(one) for one in ids]


def left(home: Home, rows: Sequence[Row]) -> list[str]:
    """What holds a text, an id or the token ids of `rows`."""
    words = [str(row[name]) for row in rows for name in ("text", "row_id")]
    return holders(home.root, words, [tokens(home, str(row["text"])) for row in rows])


def test_no_byte_is_left_and_the_decision_can_be_made_again(seasoned: Place, tmp_path: Path) -> None:
    home = seasoned.home
    chosen = {str(row["split"]): row for row in rows_of(home)}
    rows = [chosen["train"], chosen["test"]]
    file = tmp_path / "texts.txt"
    file.write_text("".join(f"  {str(row['text']).upper()}\n" for row in rows))
    held = {one.split("/")[1] for one in left(home, rows)}
    assert {"parts", "validate", "encode", "evaluate", "artifacts"} <= held
    decided = seasoned.command("decide", "tiny", "--json").json["decision"]["digest"]
    assert_explained(seasoned.command("forget", "tiny", "--id", "17"), 2, "data.columns.id is not set", "--text-file")
    asked = ("forget", "tiny", "--text-file", str(file))

    failing = patch.object(registry_traces, "_upload", side_effect=RegistryError("MLflow went away."))
    with failing:
        ended = seasoned.command(*asked)
    assert_explained(ended, 1, "held of the rows is erased", "the same `perennial forget` command goes on")
    # The ledger knows of both contents: nothing looks tampered with.
    assert seasoned.command("decide", "tiny", "--json").json["decision"]["digest"] == decided
    said = seasoned.command(*asked, "--json").json
    assert (said["asked_texts"], said["rows"], said["unmatched"]) == (2, 2, 0)
    assert said["not_reproducible"] == ["tiny 1"]
    assert [(one["version"], one["role"], one["rows"]) for one in said["learned"]] == [("1", "champion", 1)]
    assert left(home, rows) == [], said
    assert not any(str(row["text"]) in json.dumps(said) for row in rows)

    assert seasoned.command("decide", "tiny", "--json").json["decision"]["digest"] == decided
    assert_explained(seasoned.command("reproduce", "tiny", "1"), 1, "rows it was made from were forgotten")
    events = seasoned.command("history", "tiny", "--json").json["events"]
    assert "Can't be reproduced without them: tiny 1" in events[-1]["reason"]
    assert_explained(seasoned.command("gc"), 0, "There is nothing to remove")
    shown = seasoned.command("forget", "tiny", "--status")
    assert_explained(
        shown, 0, "version 1 of tiny (champion) learned from up to 1 of the rows", "The source still has 2"
    )


@pytest.mark.soak(twin="tests/erasure/test_forget_command.py::test_no_byte_is_left_and_the_decision_can_be_made_again")
def test_after_the_next_promotion_and_gc_nothing_is_left_at_all(make_place) -> None:
    columns = {"time": "published_at", "slices": ["sector"], "id": "key"}
    easy = [{"metric": "accuracy", "min": 0.2}]
    live = {"source": {"type": "file", "path": "live/*.jsonl"}}
    changes = {"data__columns": columns, "report": {"show_texts": True}, "gates": easy, "triggers": live}
    place = make_place(**changes)
    rows = [row | {"key": person(number)} for number, row in enumerate(tiny_pipeline.rows(360))]
    tiny_pipeline.write_jsonl(place.data / "first.jsonl", rows)
    bad = {"key": person(900), "text": "set aside is what this is 900", "label": "strange"}
    tiny_pipeline.write_jsonl(place.data / "bad.jsonl", [rows[0] | bad])
    assert place.run("--json").json["version"] == "1"
    # From here on the snapshot has another head, and the old one is nobody's.
    source = {"type": "file", "path": ["data/*", "more/*"]}
    base = yaml_base(place)
    tiny_pipeline.write_settings(place.folder / "pipelines" / "tiny", base, data__source=source, **changes)
    weak = ("--set", "training.epochs=1", "--set", "training.learning_rate=1e-5")
    assert place.run("--json", *weak).json["version"] == "2"
    stored = evidence.evidence(place.home, "tiny", "2")[1].evidence
    assert stored.evaluation.comparison
    worst = stored.evaluation.comparison.worst[0]
    every = {str(row["row_id"]): row for row in rows_of(place.home)}
    train = next(row for row in every.values() if row["split"] == "train")
    gone = [every[worst], train, every[person(900)]]
    folder = place.data.parent
    tiny_pipeline.write_jsonl(folder / "live" / "one.jsonl", [{"text": str(row["text"])} for row in [*gone, *rows[:9]]])
    place.command("drift", "tiny")
    complaint = tiny_pipeline.write_jsonl(
        folder / "complaint.jsonl", [{name: str(every[worst][name]) for name in ("text", "label")}, rows[1]]
    )
    assert place.command("rollback", "tiny", "--reason", "worse", "--rows", str(complaint)).code == 0
    held = left(place.home, gone)
    assert any("complaints" in one for one in held)
    assert any(one.endswith("report.html") and "artifacts" in one for one in held)
    assert any(one.endswith("quarantine.csv") for one in held)

    ids = [option for row in gone for option in ("--id", str(row["row_id"]))]
    said = place.command("forget", "tiny", *ids, "--reason", "they asked", "--json").json
    assert said["finished"], said
    assert left(place.home, gone) == [], said
    assert {one["role"] for one in said["learned"]} == {"champion", "previous"}
    kept = [row for row in rows if row["key"] not in {one["row_id"] for one in gone}]
    tiny_pipeline.write_jsonl(place.data / "first.jsonl", kept)
    (place.data / "bad.jsonl").unlink()
    (folder / "live" / "one.jsonl").unlink()

    assert place.command("resume", "tiny", "--reason", "mended").code == 0
    ended = place.run("--json")
    assert (ended.json["status"], ended.json["version"]) == ("promoted", "3"), ended.text
    assert place.command("gc", "--json").code == 0
    assert left(place.home, gone) == []
    assert place.command("doctor").code == 0
    (receipt,) = place.command("forget", "tiny", "--status", "--json").json["requests"]
    assert (receipt["places"], receipt["yours"]) == ([], [])
    assert [(one["version"], one["role"]) for one in receipt["learned"] if one["role"] in ("champion", "previous")] == [
        ("1", "previous")
    ]


def yaml_base(place: Place) -> str:
    import yaml

    text = (place.data.parent / "pipeline.yaml").read_text(encoding="utf-8")
    return str(yaml.safe_load(text)["model"]["base"])
