"""A home that an older build made, put where a test wants it."""

import json
import sqlite3
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from place import Place

ARCHIVE = Path(__file__).parent / "fixtures" / "old_home.tar.xz"
"""Made by the build of commit 874b2b4 (29 November 2026); fixtures/make_old_home.sh makes it anew."""
MADE_IN = "/tmp/perennial-old-home"
"""Where it was made: the only absolute path in it, all of them MLflow's."""


@dataclass(frozen=True)
class OldHome:
    """The pipeline `sentiment` with two promoted versions, and what the old build answered and said about them."""

    place: Place
    texts: list[str]
    answers: dict[str, list[dict[str, Any]]]
    """By version, to `texts`."""
    history: dict[str, Any]
    libraries: dict[str, str]
    """Versions by name."""


def unpack(folder: Path, prefect_api: str | None) -> OldHome:
    """The old home in `folder`, as if it had been made there."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    _move(folder / "home", MADE_IN, str(folder))
    said = folder / "answers"
    return OldHome(
        place=Place(folder, prefect_api),
        texts=(said / "texts").read_text().splitlines(),
        answers={version: _lines(said / f"version-{version}.jsonl") for version in ("1", "2")},
        history=json.loads((said / "history.json").read_text()),
        libraries=json.loads((said / "libraries.json").read_text()),
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _move(home: Path, before: str, after: str) -> None:
    # Perennial's own files name no absolute place, but MLflow does: the artifacts' addresses of experiments, runs,
    # models and versions in its database, and MLmodel beside each model. A home whose database lies elsewhere than
    # these say is refused, as MLflow would write to the old place.
    for path in home.rglob("MLmodel"):
        path.write_text(path.read_text().replace(before, after))
    connection = sqlite3.connect(home / "mlflow" / "mlflow.db")
    with connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, column, kind, *_ in connection.execute(f'PRAGMA table_info("{table}")').fetchall():
                if "CHAR" in kind or "TEXT" in kind:
                    change = f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) WHERE instr("{column}", ?)'  # noqa: S608
                    connection.execute(change, (before, after, before))
    connection.execute("VACUUM")
    connection.close()
    assert [path for path in home.rglob("*") if path.is_file() and before.encode() in path.read_bytes()] == []
