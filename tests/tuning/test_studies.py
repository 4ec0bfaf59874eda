"""The file in which a search is remembered: each way in which it can't be used ends in one clear paragraph."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from perennial.core.errors import BusyError, PerennialError, StoreError
from perennial.core.home import Home
from perennial.runs.lock import one_at_a_time, one_tuning
from perennial.tuning import studies


def test_a_damaged_file_is_told_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "tiny.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match=r"tiny.db.* is damaged\. Move it away"), studies.open_studies(path):
        pass
    assert path.read_bytes() == b"not a database" * 100


def test_a_file_with_a_hole_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tiny.db"
    with studies.open_studies(path) as storage:
        studies.study_of(storage, "key", lower_is_better=False)
    content = bytearray(path.read_bytes())
    content[8192:16384] = os.urandom(8192)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"), studies.open_studies(path) as storage:
        studies.study_of(storage, "key", lower_is_better=False)


def test_a_file_that_another_program_holds_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "BUSY_SECONDS", 0.1)
    path = tmp_path / "tiny.db"
    with studies.open_studies(path):
        pass
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BusyError, match="is locked by another program"), studies.open_studies(path):
            pass


def test_a_file_of_another_optuna_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tiny.db"
    with studies.open_studies(path):
        pass
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = 'v9.9.9'")
    with pytest.raises(StoreError, match="another version of Optuna"), studies.open_studies(path):
        pass


def test_a_folder_with_odd_characters_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "a {b} %20c" / "tiny.db"
    with studies.open_studies(path) as storage:
        studies.study_of(storage, "key", lower_is_better=True)
    with studies.open_studies(path) as storage:
        assert [study.study_name for study in storage.get_all_studies()] == ["key"]


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(PerennialError, match=r"Optuna, which is not installed.*perennial\[tune\]"):
        studies.optuna()


def test_a_tuning_keeps_others_away_and_runs_too(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with one_tuning("news", home):
        with pytest.raises(BusyError, match="Another `perennial tune` of news is at work"), one_tuning("news", home):
            pass
        with pytest.raises(BusyError, match=r"Another run of news.*`perennial tune`"), one_at_a_time("news", home):
            pass
        with one_tuning("other", home):
            pass
    busy = pytest.raises(BusyError, match="Another run of news is at work")
    with one_at_a_time("news", home), busy, one_tuning("news", home):
        pass
