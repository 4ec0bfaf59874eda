import csv
import gzip
import http.server
import io
import json
import socket
import threading
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants
from notes import Notes

from perennial.core import digest, progress
from perennial.core.errors import SourceError
from perennial.ingest.sources import huggingface
from perennial.settings.data import HuggingFaceSource

JSONL = "".join(json.dumps({"text": f"text {n}", "label": "good"}) + "\n" for n in range(2500))


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path) -> list[object]:
    """Refuses every connection, and keeps whom it was for."""
    tried: list[object] = []

    def connect(_: socket.socket, address: object) -> None:
        tried.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: connect(None, address))
    return tried


def source(**settings) -> dict:
    return {"type": "huggingface", "name": "news", **settings}


def test_a_local_folder_is_read_offline_once(pipeline, no_network) -> None:
    made = pipeline(source=source())
    made.write("news/train.jsonl", JSONL)
    made.write("news/test.jsonl", '{"text": "held out", "label": "bad"}\n')
    snapshot = made.ingest()
    rows = made.rows(snapshot)
    assert [row["text"] for row in rows] == [f"text {n}" for n in range(2500)]
    assert (rows[1200]["file"], rows[1200]["line"]) == ("news:train", 1201)
    assert made.ingest().repeated_rows == 0
    made.write("news/train.jsonl", JSONL + '{"text": "new", "label": "bad"}\n')
    again = made.ingest()
    assert (again.rows, again.new_rows, again.repeated_rows) == (2501, 1, 2500)
    assert no_network == []


def test_split_setting(pipeline) -> None:
    made = pipeline(source=source(split="test"))
    made.write("news/train.jsonl", JSONL)
    made.write("news/test.jsonl", '{"text": "held out", "label": "bad"}\n')
    assert [row["text"] for row in made.rows()] == ["held out"]


def test_csv_cells_stay_as_they_are_written(pipeline) -> None:
    made = pipeline(source=source())
    labels = ["007", "1.0", "NA", "null", "true", ""]
    made.write("news/train.csv", "text,label\n" + "".join(f"t{n},{label}\n" for n, label in enumerate(labels)))
    assert [row["label"] for row in made.rows()] == [*labels[:-1], None]


def test_class_labels_are_read_by_name(pipeline, tmp_path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    data = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, None]}, features=features)
    (tmp_path / "news").mkdir()
    data.to_parquet(tmp_path / "news" / "train.parquet")
    made = pipeline(source=source())
    assert [row["label"] for row in made.rows()] == ["good", "bad", None]


MIXED = [
    {"text": "plain", "label": "good"},
    {"text": 5, "label": "bad"},
    {"text": "2025-01-31", "label": "good"},
    {"text": 'a "quoted" text', "label": 1},
    {"text": "2025-01-31T10:00:00", "label": "2025-01-31"},
    {"text": "007", "label": True},
    {"text": 0.50, "label": None},
]


def test_each_parquet_files_labels_have_its_own_names(pipeline, tmp_path) -> None:
    """The library takes the first file's for all (findings/datasets-parquet-label-names.sh)."""
    import datasets

    (tmp_path / "news").mkdir()
    for number, names in enumerate((["bad", "good"], ["good", "bad"])):
        features = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)}
        rows = {"text": [f"a {number}", f"b {number}"], "label": ["bad", "good"]}
        data = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
        data.to_parquet(tmp_path / "news" / f"train-{number}.parquet")
    rows = pipeline(source=source()).rows()
    assert [(row["text"], row["label"]) for row in rows] == [
        ("a 0", "bad"), ("b 0", "good"), ("a 1", "bad"), ("b 1", "good"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["train.jsonl", "train.json", "train.jsonl.gz", "train.csv", "train.tsv"])
def test_local_files_are_read_as_a_source_of_files_reads_them(pipeline, name: str) -> None:
    """A number among texts made JSON of all, one among labels made nothing of them, and dates became times."""
    made = pipeline(source=source())
    made.write(f"news/{name}", spelled(MIXED, name))
    rows = [(row["text"], row["label"]) for row in made.rows()]
    assert rows[:6] == [
        ("plain", "good"),
        ("5", "bad"),
        ("2025-01-31", "good"),
        ('a "quoted" text', "1"),
        ("2025-01-31T10:00:00", "2025-01-31"),
        ("007", "true"),
    ]
    of_files = pipeline(path=f"news/{name}")
    assert [(row["text"], row["label"]) for row in of_files.rows()] == rows


def spelled(rows: list[dict], name: str) -> bytes:
    if ".json" in name:
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        return gzip.compress(content) if name.endswith(".gz") else content
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, ["text", "label"], delimiter="\t" if name.endswith("tsv") else ",")
    writer.writeheader()
    writer.writerows([row | {"label": "true" if row["label"] is True else row["label"]} for row in rows])
    return target.getvalue().encode()


def test_a_folder_that_says_how_it_is_read_is_read_so(pipeline) -> None:
    made = pipeline(source=source())
    made.write("news/a.csv", "text;label\none, two;good\n")
    made.write("news/README.md", '---\nconfigs:\n- config_name: default\n  data_files: a.csv\n  sep: ";"\n---\n')
    assert [(row["text"], row["label"]) for row in made.rows()] == [("one, two", "good")]


def test_an_array_of_objects_is_read_as_the_library_reads_it(pipeline) -> None:
    made = pipeline(source=source())
    made.write("news/train.json", json.dumps([{"text": "one", "label": "good"}, {"text": "two", "label": "bad"}]))
    assert [row["text"] for row in made.rows()] == ["one", "two"]


BAD = [
    ({"name": "gone"}, ["There is no folder", "gone", "'gone' is no hub name"]),
    ({"name": "./owner/gone"}, ["There is no folder"]),
    ({"name": "owner/gone"}, ["'owner/gone'", "needs a revision", "data.source.revision"]),
    ({"split": "dev"}, ["'news' (split 'dev') can't be read", "dev"]),
    ({"config": "other"}, ["can't be read", "other"]),
]


@pytest.mark.parametrize(("settings", "parts"), BAD)
def test_bad_settings_say_what_is_wrong(pipeline, no_network, settings: dict, parts: list[str]) -> None:
    made = pipeline(source=source(**settings))
    made.write("news/train.jsonl", JSONL)
    with pytest.raises(SourceError) as caught:
        made.ingest()
    for part in parts:
        assert part in str(caught.value)
    assert no_network == []


def test_an_empty_folder_and_a_broken_file(pipeline) -> None:
    made = pipeline(source=source())
    (made.folder / "news").mkdir()
    with pytest.raises(SourceError, match=r"'news' \(split 'train'\) can't be read"):
        made.ingest()
    made.write("news/train.jsonl", '{"text": "a"\n')
    with pytest.raises(SourceError, match=r"'news' \(split 'train'\) can't be read"):
        made.ingest()


def test_a_column_that_is_not_there(pipeline, tmp_path) -> None:
    made = pipeline(source=source(), time="at")
    (tmp_path / "news").mkdir()
    pq.write_table(pa.table({"text": ["a"], "label": ["good"], "att": [1]}), tmp_path / "news" / "train.parquet")
    with pytest.raises(SourceError, match=r"train.parquet has no column 'at'.*nearest to 'at' is 'att'"):
        made.ingest()


def test_an_unreachable_hub_is_one_clear_error(pipeline, monkeypatch) -> None:
    from datasets import config
    from huggingface_hub import constants

    # What HF_HUB_OFFLINE=1 sets; without it the hub's client tries again for half a minute.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(config, "HF_HUB_OFFLINE", True)
    made = pipeline(source=source(name="owner/gone", revision="v1"))
    with pytest.raises(SourceError, match=r"'owner/gone' \(split 'train'\) can't be read.*needs the network"):
        made.ingest()


def test_a_folder_that_save_to_disk_wrote_is_read_with_the_labels_names(pipeline) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["good", "bad"])}
    )
    rows = {"text": [f"text {n}" for n in range(6)], "label": ["good", "bad"] * 3}
    made = pipeline(source=source())
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(made.folder / "news")
    assert [(row["text"], row["label"]) for row in made.rows()] == list(zip(rows["text"], rows["label"], strict=True))


COMMITS = ["a" * 40, "b" * 40]


@pytest.fixture
def hub(monkeypatch) -> Iterator[tuple[str, list[str]]]:
    """A hub on this machine that knows one data set, and what it was asked."""
    monkeypatch.undo()
    asked: list[str] = []

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            there = self.path.startswith("/api/datasets/acme/news/revision/")
            body = json.dumps({"id": "acme/news", "sha": COMMITS[len(asked) > 1]}).encode() if there else b"{}"
            self.send_response(200 if there else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_revision_that_moves_is_read_as_the_commit_that_it_is(hub) -> None:
    address, asked = hub
    moving = HuggingFaceSource(type="huggingface", name="acme/news", revision="main")
    assert [huggingface.hub_commit(moving, address) for _ in range(2)] == COMMITS
    assert asked == ["/api/datasets/acme/news/revision/main"] * 2
    fixed = moving.model_copy(update={"revision": "c" * 40})
    assert huggingface.hub_commit(fixed, address) == "c" * 40
    assert len(asked) == 2


def test_without_the_hub_it_is_the_commit_that_was_fetched_last(tmp_path, monkeypatch) -> None:
    moving = HuggingFaceSource(type="huggingface", name="acme/news", revision="main")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    notes = Notes()
    with progress.heard_by(notes):
        assert huggingface.hub_commit(moving) == "main"
    assert "it is taken not to have moved" in "".join(notes.messages)
    ref = tmp_path / "datasets--acme--news" / "refs" / "main"
    ref.parent.mkdir(parents=True)
    ref.write_text(COMMITS[0])
    assert huggingface.hub_commit(moving) == COMMITS[0]


def test_a_revision_that_moved_is_another_stamp_and_a_commits_stays_what_it_was(pipeline, monkeypatch) -> None:
    def stamp(revision: str, commit: str) -> str:
        monkeypatch.setattr(huggingface, "hub_commit", lambda _: commit)
        made = pipeline(source=source(name="acme/news", revision=revision))
        [piece] = huggingface.pieces(made.spec, made.spec.data.source)
        return piece.stamp

    assert stamp("main", COMMITS[0]) != stamp("main", COMMITS[1])
    settings = HuggingFaceSource(type="huggingface", name="acme/news", revision=COMMITS[0])
    assert stamp(COMMITS[0], COMMITS[0]) == digest.of_values(source=settings, files=[])
