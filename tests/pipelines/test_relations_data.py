"""The synthetic questions about two companies: the answer in the order, not in the words."""

import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import yaml
from row_splits import splits_of_rows

from perennial.settings.data import SplitsSpec

LABELS = ("acquires", "supplies", "sues", "competes", "none")

Row = dict[str, str]
Parts = dict[str, list[Row]]


def splits_of(rows: list[Row]) -> list[str]:
    return splits_of_rows(([row["text"], row["text_pair"]] for row in rows), SplitsSpec())


def test_two_different_companies_are_marked_once_and_asked_about_in_order(rows: list[Row]) -> None:
    for row in rows:
        assert list(row) == ["text", "text_pair", "label", "published_at"]
        (first,) = re.findall("@ (.+?) @", row["text"])
        (second,) = re.findall("# (.+?) #", row["text"])
        assert first.casefold() != second.casefold()
        assert row["text_pair"].casefold() == f"{first} and {second}".casefold()
        assert row["text"] == " ".join(row["text"].split())
        assert not set("{}|×") & set(row["text"])


def test_the_companies_come_in_both_orders_whatever_the_label(rows: list[Row]) -> None:
    for label in LABELS:
        asked = [row["text"] for row in rows if row["label"] == label]
        first = sum(text.index("@") < text.index("#") for text in asked)
        assert 0.3 < first / len(asked) < 0.7, label


def test_no_headline_is_there_twice(make_data: ModuleType, rows: list[Row]) -> None:
    texts = Counter(make_data.key(make_data.Row(**row)) for row in rows)

    assert [text for text, count in texts.items() if count > 1] == []


def test_every_label_is_there_in_every_split(rows: list[Row]) -> None:
    shares = Counter(row["label"] for row in rows)

    assert set(shares) == set(LABELS)
    assert all(0.1 < shares[label] / len(rows) < 0.5 for label in LABELS)
    counts = Counter(zip(splits_of(rows), (row["label"] for row in rows), strict=True))
    for split in ("train", "validation", "test"):
        assert all(counts[split, label] >= 15 for label in LABELS), split


def test_headings_state_known_relations_of_companies_in_the_headline(make_data: ModuleType, folder: Path) -> None:
    forms = make_data.read_forms(folder / "headlines.txt")

    assert len(forms) > 150
    assert {fact[0] for form in forms for fact in form.facts} == set(LABELS) - {"none"}
    for form in forms:
        assert "{X}" in form.text, form.text
        assert "{Y}" in form.text, form.text
        assert all(f"{{{firm}}}" in form.text for _, *firms in form.facts for firm in firms), form.text


def test_every_word_the_headlines_ask_for_is_listed(make_data: ModuleType, folder: Path) -> None:
    words = make_data.read_grammar(folder / "words.txt", ";")
    texts = [form.text for form in make_data.read_forms(folder / "headlines.txt")]
    texts += [item for items in words.values() for item in items]
    asked = {slot.rstrip("?") for text in texts for slot in make_data.SLOT.findall(text)}

    assert {slot for slot in asked if ".." not in slot} - set(words) == set(make_data.FIRMS)


def test_direction_decides(rows: list[Row]) -> None:
    # "A … by B": bought or sued by the other; the same words with A and B exchanged are a relation.
    passive = [row for row in rows if re.search(r"(bought|acquired|taken over|sued|pursued in court) by", row["text"])]
    labels = Counter(row["label"] == "none" for row in passive)

    assert labels[True] > 20
    assert labels[False] > 20


def test_words_alone_do_not_give_the_label_away(rows: list[Row]) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=300)
    )
    accuracy = cross_val_score(model, [row["text"] for row in rows], [row["label"] for row in rows], cv=3).mean()

    assert 0.5 < accuracy < 0.72


def test_pipeline_names_its_columns_and_labels(make_data: ModuleType, folder: Path) -> None:
    settings = yaml.safe_load((folder / "pipeline.yaml").read_text(encoding="utf-8"))
    columns = {"text": "text", "text_pair": "text_pair", "label": "label", "time": "published_at"}

    assert settings["data"]["columns"] == columns
    assert tuple(settings["data"]["labels"]) == make_data.LABELS == LABELS
