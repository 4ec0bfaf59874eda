"""The kind text-pair: both texts are read, judged and decide the split."""

from pathlib import Path
from typing import Any

import kind_helpers
import pyarrow as pa
import pytest

from perennial.core.errors import SourceError
from perennial.ingest.canonical_rows import canonical_rows
from perennial.kinds.text_pair.kind import KIND
from perennial.rows.batch import Batch

LABELS = ("sues", "supplies")


def rows(count: int) -> list[dict[str, Any]]:
    return [{"text": f"headline {n}", "text_pair": f"firm {n}", "label": LABELS[n % 2]} for n in range(count)]


def split_and_key(text: str, text_pair: str) -> tuple[str, str]:
    columns: dict[str, list[Any]] = {"text": [text], "text_pair": [text_pair], "label": ["sues"]}
    row = canonical_rows(Batch("rows.jsonl", "line", [1], columns), kind_helpers.spec("text-pair", labels=LABELS))
    return row["split"][0].as_py(), row["text_key"][0].as_py()


def test_both_texts_decide_the_split() -> None:
    keys = {split_and_key("one", f"other {n}")[1] for n in range(60)}
    assert len(keys) == 60
    assert {split_and_key("one", f"other {n}")[0] for n in range(60)} == {"train", "validation", "test"}
    assert split_and_key("One  Text", "Other") == split_and_key("one text", "ｏther "), "normalised, as a text alone is"
    assert split_and_key("a", "b") != split_and_key("b", "a"), "which is which matters"
    assert split_and_key("a b", "c") != split_and_key("a", "b c")


def test_bad_rows_are_set_aside_with_their_reasons(tmp_path: Path) -> None:
    bad = [
        {"text": "one", "text_pair": None, "label": "sues"},
        {"text": "two", "text_pair": " ", "label": "sues"},
        {"text": "three", "label": "sues"},
        {"text": None, "text_pair": "four", "label": "sues"},
        {"text": "five", "text_pair": "other", "label": "marries"},
        {"text": "six", "text_pair": "other", "label": "sues"},
        {"text": "six", "text_pair": "Other", "label": "supplies"},
    ]
    legal = [{"text": "six", "text_pair": "another", "label": "supplies"}]
    made = kind_helpers.spec("text-pair", labels=LABELS, max_quarantined=0.9)
    data = kind_helpers.validated(made, tmp_path, [*bad, *legal, *rows(100)])
    reasons = kind_helpers.set_aside(data, tmp_path)
    assert reasons[1] == reasons[3] == "text_pair is missing"
    assert reasons[2] == "text_pair is blank"
    assert reasons[4] == "text is missing"
    assert reasons[5] == "label is not one of: sues, supplies"
    assert "the same text has another label at" in reasons[6]
    assert "the same text has another label at" in reasons[7]
    assert len(reasons) == 7


def test_a_source_without_the_second_text_is_named(tmp_path: Path) -> None:
    made = kind_helpers.spec("text-pair", labels=LABELS)
    single = [{"text": f"headline {n}", "label": LABELS[n % 2]} for n in range(60)]
    with pytest.raises(SourceError, match="text_pair"):
        kind_helpers.validated(made, tmp_path, single)


def test_inputs_are_pairs_and_targets_labels() -> None:
    table = pa.table({"text": ["a", "b"], "text_pair": ["c", "d"], "label": ["supplies", "sues"]})
    assert KIND.inputs(table) == [("a", "c"), ("b", "d")]
    assert KIND.encode_targets(table["label"].combine_chunks(), None, LABELS).to_pylist() == [1, 0]  # type: ignore[arg-type]
    assert list(KIND.column_types()) == ["text", "text_pair", "label"]


def test_baselines_read_both_texts() -> None:
    texts, others = ["the same"] * 20, ["court", "ships"] * 10
    table = pa.table({"text": texts, "text_pair": others, "label": list(LABELS) * 10})
    baselines = KIND.baselines(table, table, LABELS)
    assert KIND.measure(table["label"].to_pylist(), baselines["tfidf"], LABELS).values["accuracy"] == 1.0
