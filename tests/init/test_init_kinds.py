"""Each kind of task is recognised in each format, and what is written for it is valid and reads its data."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from init_files import Row, rows, sentence, write
from typer.testing import CliRunner

from perennial import init, kinds
from perennial.ingest import sources
from perennial.init import Guess, plan
from perennial.pipeline_file import loader
from perennial.settings.pipeline import PipelineSpec

FORMATS = ["csv", "jsonl", "parquet"]
NAMES = ["Ann Lee", "Bo", "Acme Ltd", "Kea"]


def tagged(count: int = 120, scheme: str = "BI") -> list[Row]:
    """Tokens with tags: a name of one or two words in each row, and now and then none."""
    first, last = scheme[0], scheme[1]
    table = []
    for n in range(count):
        name = NAMES[n % 4].split() if n % 5 else []
        label = ("PER", "ORG")[n % 4 > 1]
        tags = [f"{first if not index else last}-{label}" for index in range(len(name))]
        table.append({"tokens": [*name, *sentence(n).split()], "tags": [*tags, *["O"] * len(sentence(n).split())]})
    return table


def spanned(count: int = 120) -> list[Row]:
    table = []
    for n in range(count):
        name = NAMES[n % 4]
        span = {"start": 0, "end": len(name), "label": ("PER", "ORG")[n % 4 > 1]}
        table.append({"text": f"{name} {sentence(n)}", "spans": [span] if n % 5 else []})
    return table


def several(count: int = 200) -> list[Row]:
    chosen = [["a"], ["b", "c"], ["a", "b"], ["c"], [], ["a", "c"]]
    return [{"text": sentence(n), "topics": chosen[n % 6]} for n in range(count)]


def joined(mark: str, data: list[Row]) -> list[Row]:
    """The same with its lists as plain text."""
    return [{key: mark.join(cell) if isinstance(cell, list) else cell for key, cell in row.items()} for row in data]


def pairs(count: int = 120, one: str = "premise", other: str = "hypothesis", **columns: Any) -> list[Row]:
    return [
        {one: sentence(n), other: sentence(n + 700), **{name: value(n) for name, value in columns.items()}}
        for n in range(count)
    ]


def numbered(count: int = 120, name: str = "score") -> list[Row]:
    return [{"text": sentence(n), name: round(n * 0.37 % 5 - 2, 2)} for n in range(count)]


def third(number: int) -> str:
    return ("yes", "no", "maybe")[number % 3]


def written(guess: Guess, tmp_path: Path) -> PipelineSpec:
    """The pipeline that is written for `guess`, read back; all its rows can be read and know their labels only."""
    spec = loader.read_pipeline(init.write_pipeline(guess, tmp_path / "pipelines" / "news"))
    kind = kinds.kind_named(spec.kind)
    assert not kind.spec_problems(spec)
    for piece in sources.pieces(spec):
        for batch in piece.read(None):
            targets = kind.canonical(batch, spec.data.columns)[kind.target_column]
            labels = kind.labels_in(targets)
            assert labels is None or set(labels.drop_null().to_pylist()) <= set(spec.data.labels)
    return spec


TABLE = [
    ("token-classification", tagged(), {"tokens": "tokens", "tags": "tags"}, ("ORG", "PER")),
    ("token-classification", spanned(), {"text": "text", "spans": "spans"}, ("ORG", "PER")),
    ("multi-label", several(), {"text": "text", "label": "topics"}, ("a", "b", "c")),
    (
        "text-pair",
        pairs(answer=third),
        {"text": "premise", "text_pair": "hypothesis", "label": "answer"},
        ("maybe", "no", "yes"),
    ),
    ("regression", numbered(), {"text": "text", "label": "score"}, ()),
    ("text-classification", rows(), {"text": "text", "label": "label"}, ("bad", "good", "plain")),
]


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize(
    ("kind", "data", "columns", "labels"), TABLE, ids=[f"{row[0]}-{list(row[2])}" for row in TABLE]
)
def test_a_kind_is_recognised_in_every_format(
    tmp_path: Path, kind: str, data: list[Row], columns: dict[str, str], labels: tuple[str, ...], ending: str
) -> None:
    guess = plan("news", write(tmp_path / f"d.{ending}", data))
    assert guess.kind == kind
    assert guess.kind_reason
    assert {role: choice.column for role, choice in guess.read.items()} == columns
    spec = written(guess, tmp_path)
    assert (spec.kind, spec.data.labels) == (kind, labels)
    assert {role: getattr(spec.data.columns, role) for role in columns} == columns
    assert guess.rows == len(data)
    assert json.loads(json.dumps(guess.as_json()))["kind"] == kind


@pytest.mark.parametrize("row", TABLE, ids=[f"{row[0]}-{list(row[2])}" for row in TABLE])
def test_gates_are_a_floor_the_baseline_the_champion_and_the_best_champion_so_far(tmp_path: Path, row: Any) -> None:
    guess = plan("news", write(tmp_path / "d.jsonl", row[1]))
    spec = written(guess, tmp_path)
    kind = kinds.kind_named(spec.kind)
    floor, baseline, champion, anchor, flips = spec.gates
    assert (floor.metric, floor.min) == (guess.floor_metric, guess.floor)
    assert floor.metric in kind.metrics
    assert 0 < guess.floor < 0.7
    assert (baseline.versus, champion.versus) == ("baseline", "champion")
    assert (anchor.versus, anchor.metric, anchor.margin) == ("anchor", champion.metric, champion.margin)
    # No single flip decides, however few test rows there are.
    assert flips.metric == "batch_flip_rate"
    assert flips.max == max(0.05, round(2 / round(0.15 * guess.rows), 2))
    # The gates that are offered in comments are valid as well.
    text = (tmp_path / "pipelines" / "news" / "pipeline.yaml").read_text(encoding="utf-8")
    (tmp_path / "pipeline.yaml").write_text(text.replace("  # - {metric", "  - {metric"), encoding="utf-8")
    assert len(loader.read_pipeline(tmp_path / "pipeline.yaml").gates) == 8


@pytest.mark.parametrize("scheme", ["BI", "IE", "BE", "BL"])
def test_tags_of_every_scheme_are_known(tmp_path: Path, scheme: str) -> None:
    guess = plan("news", write(tmp_path / "d.jsonl", tagged(scheme=scheme)))
    assert (guess.kind, list(guess.labels)) == ("token-classification", ["ORG", "PER"])


def test_tokens_and_tags_parted_by_spaces(tmp_path: Path) -> None:
    data = [{"sentence": row["tokens"], "labels": row["tags"]} for row in joined(" ", tagged())]
    guess = plan("news", write(tmp_path / "d.csv", data))
    assert {role: choice.column for role, choice in guess.read.items()} == {"tokens": "sentence", "tags": "labels"}
    assert written(guess, tmp_path).data.labels == ("ORG", "PER")


def test_of_several_columns_of_tags_the_entities_are_taken(tmp_path: Path) -> None:
    data = [
        {"id": n, "tokens": row["tokens"], "chunk_tags": ["B-NP", *["I-NP"] * (len(row["tags"]) - 1)],
         "pos_tags": ["NN"] * len(row["tags"]), "ner_tags": row["tags"]}
        for n, row in enumerate(tagged())
    ]  # fmt: skip
    guess = plan("news", write(tmp_path / "d.parquet", data))
    assert guess.tags is not None
    assert (guess.tags.column, guess.tags.alternatives) == ("ner_tags", ("chunk_tags",))
    assert guess.id.column == "id"
    other = plan("news", tmp_path / "d.parquet", tags="chunk_tags")
    assert (list(other.labels), other.kind_reason) == (["NP"], "you named --tags")


@pytest.mark.parametrize("mark", ["|", ";", ","])
def test_labels_in_one_cell(tmp_path: Path, mark: str) -> None:
    guess = plan("news", write(tmp_path / "d.tsv", joined(mark, several())))
    assert guess.kind == "multi-label"
    assert written(guess, tmp_path).data.labels == ("a", "b", "c")


def test_paths_and_addresses_are_one_label(tmp_path: Path) -> None:
    places = ["sport;tennis", "sport;golf", "politics", "Graz, Austria"]
    guess = plan("news", write(tmp_path / "d.csv", rows(200, places)))
    assert (guess.kind, len(guess.labels)) == ("text-classification", 4)


def test_lists_of_numbers_are_labels_if_they_recur(tmp_path: Path) -> None:
    data = [{"text": sentence(n), "labels": [n % 4, 4] if n % 3 else [n % 4]} for n in range(150)]
    guess = plan("news", write(tmp_path / "d.jsonl", data))
    assert (guess.kind, list(guess.labels)) == ("multi-label", ["0", "1", "2", "3", "4"])


def test_lists_of_numbers_without_a_name_are_no_labels(tmp_path: Path) -> None:
    data = [{"text": sentence(n), "helpful": [n % 4, n % 3], "overall": n % 5 + 1} for n in range(150)]
    guess = plan("news", write(tmp_path / "d.jsonl", data))
    assert guess.label is not None
    assert (guess.kind, guess.label.column) == ("text-classification", "overall")


def test_one_label_named_so_wins_over_a_list_of_keywords(tmp_path: Path) -> None:
    data = [{**row, "keywords": [["x"], ["y", "z"]][n % 2]} for n, row in enumerate(rows())]
    path = write(tmp_path / "d.jsonl", data)
    assert plan("news", path).kind == "text-classification"
    assert plan("news", path, label="keywords").kind == "multi-label"


@pytest.mark.parametrize(
    ("one", "other"),
    [("text", "text_pair"), ("sentence1", "sentence2"), ("text_a", "text_b"), ("question", "answer"),
     ("query", "passage"), ("Premise", "Hypothesis"), ("Question 1", "Question 2"), ("#1 String", "#2 String"),
     ("first_text", "second_text")],
)  # fmt: skip
def test_names_make_a_pair(tmp_path: Path, one: str, other: str) -> None:
    guess = plan("news", write(tmp_path / "d.csv", pairs(60, one, other, label=third)))
    assert guess.kind == "text-pair"
    assert {role: choice.column for role, choice in guess.read.items()} == {
        "text": one, "text_pair": other, "label": "label",
    }  # fmt: skip
    assert "text-classification" in guess.kind_alternatives


@pytest.mark.parametrize(("one", "other"), [("title", "body"), ("headline", "description"), ("text", "comment")])
def test_other_columns_of_text_are_no_pair_unless_asked(tmp_path: Path, one: str, other: str) -> None:
    path = write(tmp_path / "d.jsonl", pairs(60, one, other, label=third))
    guess = plan("news", path)
    assert guess.kind == "text-classification"
    assert "text-pair" in guess.kind_alternatives
    asked = plan("news", path, kind="text-pair")
    assert asked.text is not None
    assert asked.text_pair is not None
    assert (asked.text.column, asked.text_pair.column, asked.kind_reason) == (one, other, "you named it")
    turned = plan("news", path, text=other, text_pair=one)
    assert (turned.kind, turned.kind_reason) == ("text-pair", "you named --text and --text-pair")
    written(turned, tmp_path)


@pytest.mark.parametrize("name", ["score", "intensity", "Rating", "sentiment_score", "label", "toxicityScore"])
def test_numbers_with_fractions_are_amounts(tmp_path: Path, name: str) -> None:
    guess = plan("news", write(tmp_path / "d.csv", numbered(name=name)))
    assert (guess.kind, guess.labels, guess.floor_metric) == ("regression", {}, "r2")
    assert guess.numbers is not None
    assert guess.numbers[0] < 0 < guess.numbers[1]


def test_many_whole_numbers_are_amounts_if_named_so(tmp_path: Path) -> None:
    data = [{"text": sentence(n), "score": n * 7 % 100} for n in range(1200)]
    assert plan("news", write(tmp_path / "d.csv", data)).kind == "regression"
    intents = [{"text": row["text"], "label": row["score"]} for row in data]
    assert plan("news", write(tmp_path / "e.csv", intents)).kind == "text-classification"


def test_stars_stay_labels_and_the_file_says_how_to_change_that(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", rows(200, (1, 2, 3, 4, 5)))
    guess = plan("news", path)
    assert (guess.kind, list(guess.labels)) == ("text-classification", list("12345"))
    assert "regression" in guess.kind_alternatives
    assert "--kind regression" in init.write_pipeline(guess, tmp_path / "p" / "news").read_text(encoding="utf-8")
    assert written(plan("news", path, kind="regression"), tmp_path).data.labels == ()


def test_a_score_beside_a_label_is_no_target(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", rows(score=lambda n: n / 7))
    assert plan("news", path).kind == "text-classification"
    asked = plan("news", path, label="score")
    assert asked.kind == "regression"
    assert plan("news", path, kind="regression").label == asked.label.model_copy(  # type: ignore[union-attr]
        update={"reason": re.sub("you named it; ", "", asked.label.reason)}  # type: ignore[union-attr]
    )


@pytest.mark.parametrize(("kind", "data"), [(row[0], row[1]) for row in TABLE])
def test_max_length_counts_all_texts_that_are_read(tmp_path: Path, kind: str, data: list[Row]) -> None:
    longer = [
        {name: [*cell, *(["O"] if name == "tags" else ["word"]) * 90] if name in ("tokens", "tags")
         else f"{cell} {'word ' * 90}" if name in ("text", "premise", "hypothesis") else cell
         for name, cell in row.items()}
        for row in data
    ]  # fmt: skip
    guess = plan("news", write(tmp_path / "d.jsonl", longer))
    assert guess.kind == kind
    assert guess.max_length == (512 if kind == "text-pair" else 256)


def test_the_command_takes_a_kind_and_columns_and_answers_with_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.cli import app

    monkeypatch.chdir(tmp_path)
    write(tmp_path / "d.jsonl", tagged())
    helped = CliRunner().invoke(app, ["init", "--help"], env={"COLUMNS": "200"}).output
    assert all(name in helped for name in kinds.names())
    asked = ["init", "names", "--data", "d.jsonl", "--kind", "token-classification", "--tokens", "tokens"]
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0, shown.output
    assert re.search(r"kind +token-classification +you named it", shown.output)
    answered = CliRunner().invoke(app, [*asked, "--tags", "tags", "--force", "--json"])
    answer = json.loads(answered.stdout)
    assert (answer["kind"], answer["tags"]["column"], answer["text"]) == ("token-classification", "tags", None)
    assert answer["kind_reason"] == "you named it"
    assert loader.read_pipeline(tmp_path / answer["path"]).data.columns.tags == "tags"
