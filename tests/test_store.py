"""Entries are whole or not there: after kills, damage, full disks, missing rights, and two makers at once."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from notes import Notes

from perennial.core import digest, progress
from perennial.core.errors import StoreError
from perennial.core.record import Record
from perennial.core.store import (
    DISCARDED,
    MANIFEST,
    RECORD,
    Store,
    clear_disk_errors,
    write_atomically,
    written_atomically,
)
from perennial.records.data import Part

KEY = "k" * 64
PART = Part(path=f"parts/{KEY}/rows.bin", sha256="a" * 64, rows=3)


class Maker:
    """Writes an entry of two files, one in a folder of its own, and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, folder: Path) -> Part:
        self.made += 1
        (folder / "rows.bin").write_bytes(b"\x00rows\xff")
        (folder / "inner").mkdir()
        (folder / "inner" / "notes.txt").write_text("ä\n", encoding="utf-8")
        return PART


def child(code: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """`code` in a Python process of its own, with the store's names at hand."""
    head = (
        "import os, resource, sys, time\nfrom pathlib import Path\nfrom perennial.records.data import Part\n"
        "from perennial.core.errors import StoreError\nfrom perennial.core.store import Store, write_atomically\n"
        "root = Path(sys.argv[1])\n"
    )
    command = [sys.executable, "-c", head + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.01)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_an_entry_is_made_once(store: Store) -> None:
    maker = Maker()
    first = store.get_or_make("parts", KEY, Part, maker)
    assert store.get_or_make("parts", KEY, Part, maker) == first == PART
    assert maker.made == 1
    assert (store.folder("parts", KEY) / "rows.bin").read_bytes() == b"\x00rows\xff"
    assert list(store.entries()) == [store.folder("parts", KEY)]
    assert store.relative(store.folder("parts", KEY) / "inner" / "notes.txt") == f"parts/{KEY}/inner/notes.txt"


def test_the_manifest_names_every_file_with_digest_and_size(store: Store) -> None:
    store.get_or_make("parts", KEY, Part, Maker())
    folder = store.folder("parts", KEY)
    manifest = json.loads((folder / MANIFEST).read_text())
    assert set(manifest) == {"rows.bin", "inner/notes.txt", RECORD}
    for name, seal in manifest.items():
        status = (folder / name).stat()
        sealed = {"sha256": digest.of_file(folder / name), "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
        assert seal == sealed
    assert store.damage(folder) == []


def test_by_its_stamp_a_file_is_sound_without_being_read_and_another_stamp_has_it_read(store: Store) -> None:
    made = store.get_or_make("parts", KEY, Part, Maker())
    folder = store.folder("parts", KEY)
    path, before = folder / "rows.bin", (folder / "rows.bin").stat()
    content = path.read_bytes()
    os.utime(path, ns=(1, 1))
    assert store.get("parts", KEY, Part, by_stamp=True) == made
    assert path.stat().st_mtime_ns == before.st_mtime_ns, "so that the next look needs not read it"
    path.write_bytes(bytes(len(content)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.damage(folder, by_stamp=True) == []
    assert store.damage(folder) == ["rows.bin is changed since it was written"]
    path.touch()
    assert store.get("parts", KEY, Part, by_stamp=True) is None


def test_looking_makes_nothing(store: Store) -> None:
    assert store.get("parts", KEY, Part) is None
    assert list(store.entries()) == []
    assert not store.root.exists()


def test_a_failed_maker_leaves_nothing(store: Store) -> None:
    def fail(folder: Path) -> Part:
        (folder / "half").write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.get_or_make("parts", KEY, Part, fail)
    assert list((store.root / "parts").iterdir()) == []
    assert store.get_or_make("parts", KEY, Part, Maker()) == PART


def _delete(folder: Path) -> None:
    (folder / "rows.bin").unlink()


def _flip(folder: Path) -> None:
    (folder / "rows.bin").write_bytes(b"\x00rowt\xff")


def _cut(folder: Path) -> None:
    (folder / "rows.bin").write_bytes(b"\x00")


def _folder_for_a_file(folder: Path) -> None:
    (folder / "rows.bin").unlink()
    (folder / "rows.bin").mkdir()


def _no_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def _half_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text('{"rows.bin": {"sha256"')


def _manifest_is_a_list(folder: Path) -> None:
    (folder / MANIFEST).write_text('["rows.bin"]')


def _manifest_of_another_shape(folder: Path) -> None:
    (folder / MANIFEST).write_text('{"rows.bin": {"md5": "1"}}')


def _empty_manifest(folder: Path) -> None:
    (folder / MANIFEST).write_text("{}")


def _no_record(folder: Path) -> None:
    (folder / RECORD).unlink()


DAMAGES = [
    (_delete, "rows.bin is missing"),
    (_flip, "rows.bin is changed since it was written"),
    (_cut, "rows.bin is 1 bytes, 6 expected"),
    (_folder_for_a_file, "rows.bin is missing"),
    (_no_manifest, "manifest.json can't be read"),
    (_half_manifest, "manifest.json can't be read"),
    (_manifest_is_a_list, "manifest.json can't be read"),
    (_manifest_of_another_shape, "manifest.json can't be read"),
    (_empty_manifest, "manifest.json does not name record.json"),
    (_no_record, "record.json is missing"),
]


@pytest.mark.parametrize(("harm", "damage"), DAMAGES, ids=[harm.__name__ for harm, _ in DAMAGES])
def test_a_damaged_entry_is_set_aside_noted_and_made_again(store: Store, harm: Any, damage: str) -> None:
    maker = Maker()
    store.get_or_make("parts", KEY, Part, maker)
    harm(store.folder("parts", KEY))
    notes = Notes()
    with progress.heard_by(notes):
        assert store.get_or_make("parts", KEY, Part, maker) == PART
    assert maker.made == 2
    assert store.damage(store.folder("parts", KEY)) == []
    [aside] = (store.root.parent / "damaged").iterdir()
    assert (aside / KEY).is_dir(), "what is left of the entry is kept for whoever looks into it"
    [note] = notes.messages
    assert note.startswith(f"parts entry {KEY[:12]} was damaged ({damage}); set aside in {aside}")


def test_a_record_of_another_shape_is_made_again(store: Store) -> None:
    class Other(Record):
        name: str

    def make(folder: Path) -> Other:
        return Other(name="x")

    store.get_or_make("parts", KEY, Other, make)
    notes = Notes()
    with progress.heard_by(notes):
        assert store.get_or_make("parts", KEY, Part, Maker()) == PART
    assert "record.json is not a Part" in notes.messages[0]


def test_the_same_entry_can_be_damaged_twice(store: Store) -> None:
    for _ in range(3):
        store.get_or_make("parts", KEY, Part, Maker())
        _cut(store.folder("parts", KEY))
    assert store.get("parts", KEY, Part) is None
    assert len(list((store.root.parent / "damaged").iterdir())) == 3


def test_killed_while_making_leaves_no_entry(store: Store, tmp_path: Path) -> None:
    started = tmp_path / "started"
    code = f"""
def make(folder):
    (folder / "rows.bin").write_bytes(b"half")
    (folder / "manifest.json").write_text("{{}}")
    Path({str(started)!r}).touch()
    time.sleep(60)
Store(root).get_or_make("parts", {KEY!r}, Part, make)
"""
    with child(code, store.root) as process:
        wait_for(started)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert store.get("parts", KEY, Part) is None
    assert list(store.entries()) == [], "what is half made is no entry, even with a manifest in it"
    assert store.get_or_make("parts", KEY, Part, Maker()) == PART
    assert list(store.entries()) == [store.folder("parts", KEY)]


def test_two_processes_making_the_same_key_agree(store: Store, tmp_path: Path) -> None:
    code = f"""
mine, other = Path(sys.argv[2]), Path(sys.argv[3])
def make(folder):
    (folder / "who").write_text(mine.name)
    mine.touch()
    while not other.exists():
        time.sleep(0.01)
    return Part(path=mine.name, sha256="a" * 64, rows=1)
print(Store(root).get_or_make("parts", {KEY!r}, Part, make).path)
"""
    one, two = tmp_path / "one", tmp_path / "two"
    processes = [child(code, store.root, one, two), child(code, store.root, two, one)]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    folder = store.folder("parts", KEY)
    winner = (folder / "who").read_text()
    assert {out.strip() for out, _ in answers} == {winner}, "both go on with what is stored"
    assert store.damage(folder) == []
    assert list((store.root / "parts").iterdir()) == [folder]


def test_a_full_disk_is_said_clearly_and_leaves_nothing(store: Store) -> None:
    # A limit on file sizes makes the kernel refuse the write, as a full disk does.
    code = f"""
def make(folder):
    (folder / "rows.bin").write_bytes(bytes(1_000_000))
    return Part(path="rows.bin", sha256="a" * 64, rows=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    Store(root).get_or_make("parts", {KEY!r}, Part, make)
except StoreError as error:
    print(error)
"""
    out, errors = child(code, store.root).communicate(timeout=60)
    assert not errors
    assert out.startswith(f"The disk that holds {store.root} is full: step 'parts' could not write its output.")
    assert "PERENNIAL_HOME" in out
    assert "finished steps are kept" in out
    assert list((store.root / "parts").iterdir()) == []


READ_ONLY = """
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write anywhere: go on as nobody
store = Store(root)
try:
    store.get_or_make("parts", sys.argv[2], Part, lambda folder: None)
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("damaged", [False, True], ids=["nothing there", "a damaged entry"])
def test_a_store_without_the_right_to_write_is_said_clearly(damaged: bool) -> None:
    # Not in tmp_path, whose parents are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = Path(folder).resolve() / "store"
        root.mkdir()
        if damaged:
            (root / "parts" / KEY).mkdir(parents=True)
            (root / "parts").chmod(0o555)
        root.chmod(0o555)
        Path(folder).chmod(0o555)
        out, errors = child(READ_ONLY, root, KEY).communicate(timeout=60)
        Path(folder).chmod(0o755)
        root.chmod(0o755)
    assert not errors
    assert "can't be written: Permission denied." in out
    assert "PERENNIAL_HOME" in out


def test_a_store_that_can_not_even_be_looked_into_is_said_clearly() -> None:
    with tempfile.TemporaryDirectory() as folder:
        closed = Path(folder).resolve() / "closed"
        (closed / "store").mkdir(parents=True)
        closed.chmod(0o000)
        Path(folder).chmod(0o755)
        out, errors = child(READ_ONLY, closed / "store", KEY).communicate(timeout=60)
        closed.chmod(0o755)
    assert not errors
    assert "can't be written: Permission denied." in out


def test_a_file_where_the_store_should_be_is_said_clearly(store: Store) -> None:
    store.root.write_text("not a folder")
    with pytest.raises(StoreError, match=r"can't be written: Not a directory\. .*PERENNIAL_HOME"):
        store.get_or_make("parts", KEY, Part, Maker())
    assert store.root.read_text() == "not a folder"


def test_other_errors_are_not_taken_for_the_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), clear_disk_errors(tmp_path, "parts"):
        (tmp_path / "nothing").read_text()
    with pytest.raises(PermissionError), clear_disk_errors(tmp_path / "store", "parts"):
        raise PermissionError(13, "Permission denied", str(tmp_path / "elsewhere"))


def test_put_stores_under_the_key_of_the_content(store: Store) -> None:
    calls = 0

    def write(folder: Path) -> tuple[str, Part]:
        nonlocal calls
        calls += 1
        return KEY, Maker()(folder)

    assert store.put("parts", Part, write) == store.put("parts", Part, write) == store.get("parts", KEY, Part) == PART
    assert calls == 2, "a stream must be read to know its key"
    assert list((store.root / "parts").iterdir()) == [store.folder("parts", KEY)]


def test_put_replaces_a_damaged_entry(store: Store) -> None:
    def write(folder: Path) -> tuple[str, Part]:
        return KEY, Maker()(folder)

    store.put("parts", Part, write)
    _flip(store.folder("parts", KEY))
    assert store.put("parts", Part, write) == PART
    assert store.damage(store.folder("parts", KEY)) == []


def test_write_atomically_replaces_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "state.json"
    write_atomically(path, "old\n")
    write_atomically(path, "new ä\n")
    assert path.read_text(encoding="utf-8") == "new ä\n"
    assert os.listdir(path.parent) == ["state.json"]  # noqa: PTH208  hidden ones too


def test_written_files_have_the_rights_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    write_atomically(tmp_path / "atomic", "x")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("fault", [ZeroDivisionError, KeyboardInterrupt])
def test_a_block_that_fails_keeps_the_old_file(tmp_path: Path, fault: type[BaseException]) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("old\n")
    with pytest.raises(fault), written_atomically(path) as file:  # noqa: PT012  the write must come first
        file.write("half")
        raise fault
    assert path.read_text() == "old\n"
    assert [item.name for item in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old\n")
    code = """
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(root, "x" * 100_000)
except OSError as error:
    print(error.errno)
"""
    out, errors = child(code, path).communicate(timeout=60)
    assert out.strip(), errors
    assert path.read_text() == "old\n"
    assert [item.name for item in tmp_path.iterdir()] == ["state.json"]


def test_what_is_removed_is_gone_or_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    store.get_or_make("parts", KEY, Part, Maker())
    entry = store.folder("parts", KEY)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            store.forget("parts", KEY)
    assert not entry.exists()
    assert list(store.entries()) == []
    assert [path.name.startswith(DISCARDED) for path in entry.parent.iterdir()] == [True]
    store.forget("parts", KEY)
