"""The synthetic headlines: as the README describes them, neither trivial nor hopeless."""

from collections import Counter
from pathlib import Path
from types import ModuleType

from perennial.settings.pipeline import PipelineSpec


def test_the_files_are_small(files: list[Path]) -> None:
    assert sum(file.stat().st_size for file in files) < 700_000


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


def test_hand_written_headlines_number_hundreds(make_data: ModuleType, folder: Path) -> None:
    sections = make_data.read_sections(folder / "handwritten.txt", "\n")

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


def test_pipeline_looks_at_each_sector(pipeline: PipelineSpec) -> None:
    assert pipeline.data.columns.slices == ("sector",)
