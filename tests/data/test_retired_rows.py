"""What was corrected or deleted is gone from training and judging, and nothing that did not change is made again."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline

from perennial.core.errors import StoreError
from perennial.core.home import Home
from perennial.inference.tokenization import Tokenizer
from perennial.ingest.snapshots import accept, ingest
from perennial.pipeline_file import loader
from perennial.promotion import reproduction, retention_store
from perennial.records.data import EncodedData, Snapshot, ValidatedData
from perennial.rows.columns import ROW_ID
from perennial.runs import enough_new
from perennial.settings.data import SPLITS
from perennial.settings.pipeline import PipelineSpec
from perennial.training import base_model
from perennial.training.encoding import row_encoding, tokenizer
from perennial.training.encoding.dataset import EncodedRows
from perennial.validation import snapshot_validation, text_index
from perennial.validation.read_rows import read_split

COLUMNS = {"id": "key", "deleted": "gone", "time": "published_at"}
Row = dict[str, str]


class Days:
    """A pipeline with ids to which days of rows come."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder, self.home = folder, Home(folder / "home")
        self.base = base
        (folder / "tiny").mkdir(exist_ok=True)
        self.settings()
        self.day = 0
        self.rows = [row | {"key": str(number), "gone": ""} for number, row in enumerate(tiny_pipeline.rows(360))]
        self.snapshot: Snapshot
        self.data: ValidatedData
        self.encoded: EncodedData

    def settings(self, **changes: Any) -> None:
        tiny_pipeline.write_settings(self.folder / "tiny", self.base, data__columns=COLUMNS, **changes)
        self.spec: PipelineSpec = loader.read_pipeline(self.folder / "tiny" / "pipeline.yaml")

    def write(self, rows: list[Row]) -> None:
        """A new file of rows, each a minute younger than any before."""
        self.day += 1
        stamped = [row | {"published_at": f"2026-03-{self.day:02}T00:00:00Z"} for row in rows]
        tiny_pipeline.write_csv(self.folder / "tiny" / "data" / f"{self.day:02}.csv", stamped)

    def come(self, rows: list[Row]) -> None:
        """A day's rows, read, validated and encoded."""
        self.write(rows)
        self.snapshot = ingest(self.spec, self.home)
        self.check()
        accept(self.spec, self.snapshot, self.home)

    def check(self) -> None:
        self.data = snapshot_validation.validate(self.spec, self.snapshot, self.home)
        self.encoded = row_encoding.encode(self.spec, self.data, self.home)

    def held(self, split: str) -> dict[str, tuple[str, str]]:
        """Text and label of the rows of a split, by id."""
        rows = read_split(self.data, self.home.store, split, [ROW_ID, "text", "label"]).to_pylist()
        found = {row[ROW_ID]: (row["text"], row["label"]) for row in rows}
        assert len(found) == len(rows)
        return found

    def learned(self) -> Counter[tuple[tuple[int, ...], str]]:
        """Token ids and label of all that is trained on."""
        seen = EncodedRows(self.encoded, self.home.store.root)
        labels = self.spec.data.labels
        return Counter(
            (tuple(ids.tolist()), labels[int(target)]) for ids, target in map(seen.__getitem__, range(len(seen)))
        )

    def expected(self) -> Counter[tuple[tuple[int, ...], str]]:
        rows = list(self.held("train").values())
        tokenizer = Tokenizer(self.home.store.root / self.encoded.tokenizer_path, self.spec.model.max_length)
        ids, _ = tokenizer.encode([text for text, _ in rows])
        return Counter((tuple(row), label) for row, (_, label) in zip(ids, rows, strict=True))

    def made(self, step: str) -> set[str]:
        return {path.name for path in (self.home.store.root / step).glob("[!.]*")}


@pytest.fixture(scope="module")
def _first_day(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    days = Days(folder, tiny_base)
    days.come(days.rows[:200])
    days.come(days.rows[200:])
    return folder


@pytest.fixture
def days(_first_day: Path, tiny_base: Path, tmp_path: Path) -> Days:
    folder = Path(shutil.copytree(_first_day, tmp_path / "days"))
    days = Days(folder, tiny_base)
    days.day = 2
    days.snapshot = ingest(days.spec, days.home)
    days.check()
    return days


def other(label: str) -> str:
    return next(one for one in tiny_pipeline.LABELS if one != label)


def mended(row: Row, **changes: str) -> Row:
    return row | {"label": other(row["label"])} | changes


def test_a_mended_label_takes_the_place_of_the_old_one_everywhere(days: Days) -> None:
    before, labels, parts = days.data, days.data.label_rows, days.made("validate")
    days.come([mended(row) for row in days.rows[190:210]])
    assert (days.snapshot.corrected_rows, days.snapshot.rows, days.data.quarantined) == (20, 360, 0)
    assert days.data.digest != before.digest
    assert days.data.rows == before.rows == {split: len(days.held(split)) for split in SPLITS}
    assert days.data.label_rows != labels
    found = {row_id: said for split in SPLITS for row_id, said in days.held(split).items()}
    for number, row in enumerate(days.rows):
        wanted = mended(row)["label"] if 190 <= number < 210 else row["label"]
        assert found[str(number)] == (row["text"], wanted)
    counted = Counter(label for _, label in found.values())
    assert counted == sum((Counter(some) for some in days.data.label_rows.values()), Counter())
    assert days.learned() == days.expected()
    assert days.encoded.rows == sum(days.expected().values())
    assert len(days.made("validate") - parts) == 1


def test_a_changed_text_stays_in_its_split_and_the_old_one_is_gone(days: Days) -> None:
    before = {split: set(days.held(split)) for split in SPLITS}
    days.come([row | {"text": f"a new text {row['key']}"} for row in days.rows[:50]])
    assert {split: set(days.held(split)) for split in SPLITS} == before
    assert days.snapshot.kept_splits > 0
    texts = {text for split in SPLITS for text, _ in days.held(split).values()}
    assert len(texts) == 360
    assert not texts & {row["text"] for row in days.rows[:50]}
    assert days.learned() == days.expected()


def test_deleted_rows_are_gone_and_no_part_is_validated_or_tokenized_again(days: Days, monkeypatch) -> None:
    validated = days.made("validate")
    monkeypatch.setattr(Tokenizer, "encode", None)
    days.come([{**row, "text": "", "label": "", "gone": "yes"} for row in days.rows[180:220]])
    assert (days.snapshot.deleted_rows, days.snapshot.rows) == (40, 320)
    assert days.made("validate") == validated
    monkeypatch.undo()
    assert sum(len(days.held(split)) for split in SPLITS) == sum(days.data.rows.values()) == 320
    assert days.learned() == days.expected()
    # Once more, of the same parts: what was left is cut again, not the whole.
    days.come([{**row, "gone": "1"} for row in days.rows[150:180]])
    assert sum(len(days.held(split)) for split in SPLITS) == sum(days.data.rows.values()) == 290
    assert days.learned() == days.expected()


def test_a_row_that_contradicted_only_a_deleted_one_is_good(days: Days) -> None:
    days.settings(data__max_quarantined=1.0)
    first = days.rows[0]
    days.come([{**first, "gone": "yes"}])
    days.come([mended(first, key="another id")])
    assert days.data.quarantined == 0
    days.come([{**first, "key": "a third"}])
    assert days.data.quarantined == 1


def test_all_validated_anew_is_what_came_day_by_day(days: Days) -> None:
    days.settings(data__max_quarantined=1.0)
    days.come([mended(row) for row in days.rows[:30]])
    days.come([{**row, "gone": "yes"} for row in days.rows[20:60]])
    days.come([mended(days.rows[100], key="other"), days.rows[40]])
    data, encoded = days.data, days.encoded
    (days.home.state("tiny") / text_index.NAME).write_bytes(b"nonsense")
    for step in ("validate", "validation-report", "gone-rows", "encode"):
        shutil.rmtree(days.home.store.root / step)
    days.check()
    assert (days.data.digest, days.data.rows, days.data.label_rows) == (data.digest, data.rows, data.label_rows)
    assert days.encoded.digest == encoded.digest


def test_days_of_few_rows_add_up_until_they_are_enough(days: Days) -> None:
    days.settings(schedule={"cron": "0 3 * * *", "min_new_rows": 200})
    assert enough_new.too_few(days.spec, days.snapshot, days.home) is None
    enough_new.note_trained(days.spec, days.snapshot, days.home)
    reasons = []
    for day in range(5):
        new = tiny_pipeline.rows(50, start=1000 + 50 * day)
        days.write([row | {"key": f"n{day} {number}", "gone": ""} for number, row in enumerate(new)])
        snapshot = ingest(days.spec, days.home)
        reasons.append(enough_new.too_few(days.spec, snapshot, days.home))
    assert reasons[0] == (
        "Too few: 50 rows are new, corrected or deleted since the last training, and schedule.min_new_rows is 200."
    )
    assert [reason is None for reason in reasons] == [False, False, False, True, True]


def test_corrections_and_deletions_count_as_news_and_so_do_rows_of_a_run_that_failed(days: Days) -> None:
    days.settings(schedule={"cron": "0 3 * * *", "min_new_rows": 60})
    enough_new.note_trained(days.spec, days.snapshot, days.home)
    assert "no row is new" in str(enough_new.too_few(days.spec, days.snapshot, days.home))
    days.come([mended(row) for row in days.rows[:30]])
    assert "30 rows are" in str(enough_new.too_few(days.spec, days.snapshot, days.home))
    days.come([{**row, "gone": "yes"} for row in days.rows[100:130]])
    assert enough_new.too_few(days.spec, days.snapshot, days.home) is None
    enough_new.note_trained(days.spec, days.snapshot, days.home)
    assert enough_new.too_few(days.spec, days.snapshot, days.home) is not None


def test_changed_settings_and_rows_read_anew_are_never_too_few(days: Days) -> None:
    enough_new.note_trained(days.spec, days.snapshot, days.home)
    assert enough_new.too_few(days.spec, days.snapshot, days.home) is not None
    days.settings(training__epochs=5)
    assert enough_new.too_few(days.spec, days.snapshot, days.home) is None
    days.settings(schedule={"cron": "0 4 * * *"})
    assert enough_new.too_few(days.spec, days.snapshot, days.home) is not None
    (days.folder / "tiny" / "data" / "01.csv").unlink()
    assert enough_new.too_few(days.spec, ingest(days.spec, days.home, reread=True), days.home) is None
    (days.home.state("tiny") / enough_new.FILE).write_text("{")
    assert enough_new.too_few(days.spec, days.snapshot, days.home) is None


def test_the_rows_of_evidence_are_brought_and_come_to_the_same_elsewhere(days: Days, tmp_path: Path) -> None:
    days.come([mended(row) for row in days.rows[:20]])
    days.come([{**row, "gone": "yes"} for row in days.rows[10:40]])
    scratch = Home(tmp_path / "scratch")
    brought = reproduction._brought("Version 1", days.snapshot, days.home, scratch)
    assert brought == days.snapshot
    data = snapshot_validation.validate(days.spec, brought, scratch)
    assert (data.digest, data.rows) == (days.data.digest, days.data.rows)
    assert row_encoding.encode(days.spec, data, scratch).digest == days.encoded.digest
    (days.home.store.root / days.snapshot.retired[0].path).unlink()
    with pytest.raises(StoreError, match=r"list of rows that were corrected or deleted .* is not there"):
        reproduction._brought("Version 1", days.snapshot, days.home, Home(tmp_path / "other"))


def test_all_that_the_rows_rest_on_is_named_for_gc(days: Days) -> None:
    days.come([{**row, "gone": "yes"} for row in days.rows[10:40]])
    earlier = {Path(part.path).name for part in days.encoded.parts}
    days.come([{**row, "gone": "yes"} for row in days.rows[40:60]])
    needed = set(retention_store.named_in(days.snapshot.model_dump()))
    assert {f"retired/{one.sha256}" for one in days.snapshot.retired} < needed
    stored = tokenizer.prepare_tokenizer(base_model.find_base_model(days.spec), days.home)
    keys = [row_encoding.part_keys(days.spec, days.data, number, stored) for number in range(len(days.data.parts))]
    now = {Path(part.path).name for part in days.encoded.parts}
    assert now == {some[-1] for some in keys}
    assert earlier < {key for some in keys for key in some}
