"""A kind of task that an installed package adds goes from a file to a champion, and no file of Perennial changes."""

import os
from pathlib import Path

import pytest
import tiny_pipeline
import yes_no
from place import REPOSITORY, Place

from perennial import kinds
from perennial.core.errors import PackageError
from perennial.inference import decoders

QUICK = {"epochs": 4, "learning_rate": 5e-3, "head_learning_rate": 2e-2, "rows_per_batch": 16, "precision": "fp32"}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is installed, for this process and those it starts."""
    site = tmp_path / "site"
    record = site / "yes_no-1.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: yes-no\nVersion: 1.0\n", encoding="utf-8")
    (record / "entry_points.txt").write_text(yes_no.ENTRY_POINTS, encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (REPOSITORY, site, Path(__file__).parent))))


def test_what_is_not_installed_is_not_known() -> None:
    assert yes_no.NAME not in kinds.names()
    with pytest.raises(KeyError):
        kinds.kind_named(yes_no.NAME)
    with pytest.raises(PackageError, match="this version of perennial decodes text-classification"):
        decoders.decoder_named(yes_no.NAME)


@pytest.mark.usefixtures("installed")
def test_what_is_installed_is_known_after_perennials_own() -> None:
    assert kinds.names()[-1] == yes_no.NAME
    assert kinds.kind_named(yes_no.NAME) is yes_no.KIND
    assert decoders.decoder_named(yes_no.NAME) is yes_no.DECODER


@pytest.mark.usefixtures("installed", "_quiet_environment")
def test_a_sixth_kind_goes_from_a_file_to_a_champion(
    tiny_base: Path, prefect_api: str, empty_database: Path, tmp_path: Path
) -> None:
    place = Place(tmp_path / "place", prefect_api)
    place.give_database(empty_database)
    rows = [
        {"text": row["text"], "good": "yes" if row["label"] == "positive" else "no"}
        for row in tiny_pipeline.rows(300, labels=("negative", "positive"))
    ]
    data = tiny_pipeline.write_csv(place.folder / "rows.csv", rows)

    ended = place.command("init", "tiny", "--data", str(data), "--json")
    assert ended.code == 0, ended.text
    assert (ended.json["kind"], ended.json["label"]["column"], ended.json["labels"]) == (
        yes_no.NAME,
        "good",
        {"no": 150, "yes": 150},
    )

    quick = [f"training.{name}={value}" for name, value in QUICK.items()]
    settings = [part for one in (f"model.base={tiny_base}", "model.max_length=24", *quick) for part in ("--set", one)]
    ran = place.run("--json", *settings)
    assert ran.code == 0, ran.text
    assert (ran.json["status"], place.champion()) == ("promoted", "1")

    said = place.command("predict", "tiny", "profit rose to a record 7", "loss and lawsuit: shares fell 8", "--json")
    assert [answer["yes"] for answer in said.lines] == [True, False], said.text
