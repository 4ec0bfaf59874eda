"""The synthetic headlines: made again byte for byte, as the README describes them, neither trivial nor hopeless."""

import importlib.util
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from perennial import kinds
from perennial.settings.pipeline import PipelineSpec

FOLDER = Path(__file__).parents[2] / "pipelines" / "sentiment"
FILES = sorted((FOLDER / "data").glob("*.jsonl"))


@pytest.fixture(scope="module")
def make_data() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sentiment_make_data", FOLDER / "make_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parts() -> dict[str, list[dict[str, str]]]:
    return {file.stem: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in FILES}


@pytest.fixture(scope="module")
def rows(parts: dict[str, list[dict[str, str]]]) -> list[dict[str, str]]:
    return [row for part in parts.values() for row in part]


def test_generator_makes_the_same_bytes(make_data: ModuleType, tmp_path: Path) -> None:
    made = make_data.write(tmp_path)

    assert [path.name for path in made] == [path.name for path in FILES]
    for new, kept in zip(made, FILES, strict=True):
        assert new.read_bytes() == kept.read_bytes(), f"{kept.name}: run pipelines/sentiment/make_data.py"


def test_three_parts_of_about_a_thousand_rows(parts: dict[str, list[dict[str, str]]]) -> None:
    assert len(parts) == 3
    assert all(900 <= len(part) <= 1100 for part in parts.values())
    assert sum(file.stat().st_size for file in FILES) < 700_000


def test_rows_are_dated_within_their_month_oldest_first(parts: dict[str, list[dict[str, str]]]) -> None:
    for month, part in parts.items():
        times = [datetime.fromisoformat(row["published_at"]) for row in part]
        assert times == sorted(times)
        assert all(time.strftime("%Y-%m") == month and time.utcoffset() is not None for time in times)
        assert len({time.date() for time in times}) >= 20


def test_fields_labels_and_sectors_are_what_the_pipeline_says(rows: list[dict[str, str]]) -> None:
    shares = Counter(row["label"] for row in rows)

    assert all(list(row) == ["text", "label", "published_at", "sector"] for row in rows)
    assert set(shares) == {"negative", "neutral", "positive"}
    assert all(0.25 < count / len(rows) < 0.45 for count in shares.values())
    assert all(count > 400 for count in Counter(row["sector"] for row in rows).values())
    assert all(10 <= len(row["text"]) <= 300 for row in rows)


def test_no_text_is_there_twice(rows: list[dict[str, str]]) -> None:
    texts = Counter(" ".join(row["text"].casefold().split()) for row in rows)

    assert [text for text, count in texts.items() if count > 1] == []


def test_hand_written_headlines_number_hundreds(make_data: ModuleType) -> None:
    sections = make_data.read_sections(FOLDER / "handwritten.txt", "\n")

    assert sum(map(len, sections.values())) > 300
    assert {(label, sector) for label, sector, *_ in sections} == {
        (label, sector) for label in make_data.LABELS for sector in make_data.SECTORS
    }


def test_new_topics_come_with_the_last_part(parts: dict[str, list[dict[str, str]]]) -> None:
    mentions = [sum("tariff" in row["text"].casefold() for row in part) for part in parts.values()]

    assert mentions[-1] > 20
    assert mentions[-1] > 5 * max(mentions[:-1])


def test_words_alone_do_not_give_the_label_away(rows: list[dict[str, str]]) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=500)
    )
    accuracy = cross_val_score(model, [row["text"] for row in rows], [row["label"] for row in rows], cv=3).mean()

    assert 0.65 < accuracy < 0.90


def test_pipeline_is_valid_and_compares_with_champion_and_baseline() -> None:
    spec = PipelineSpec.model_validate(yaml.safe_load((FOLDER / "pipeline.yaml").read_text(encoding="utf-8")))

    assert kinds.kind_named(spec.kind).spec_problems(spec) == []
    assert {gate.versus for gate in spec.gates} == {None, "champion", "baseline"}
    assert spec.data.columns.slices == ("sector",)
