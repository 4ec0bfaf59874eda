"""Tables that were wider once: delimiters at the end of the header, of rows, or of both."""

from pathlib import Path

import pytest

from perennial.core.errors import SourceError
from perennial.ingest.sources import dialects, file


def written(tmp_path: Path, header: str, end: str, count: int = 30) -> Path:
    path = tmp_path / "d.csv"
    path.write_text(header + "\n" + "".join(f"some text {n},{'ab'[n % 2]}{end}\n" for n in range(count)))
    return path


@pytest.mark.parametrize(("header", "end"), [("text,label,,", ",,"), ("text,label", ",,"), ("text,label,,", "")])
def test_blank_cells_that_no_name_stands_above_are_left_out(header: str, end: str, tmp_path: Path) -> None:
    path = written(tmp_path, header, end)
    found = [(batch.columns, batch.numbers) for batch in file.read(path, None)]
    assert [sorted(columns) for columns, _ in found] == [["label", "text"]]
    assert found[0][1] == list(range(2, 32))
    dialect = dialects.proven(lambda: file.lines_of(path), dialects.sniff(dialects.head_of(file.lines_of(path))))
    assert (dialect.skip_lines, dialect.header, dialect.delimiter) == (0, True, ",")


def test_a_cell_that_holds_something_there_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label,,", ",,more")
    with pytest.raises(SourceError, match="line 2 has 4 cells; the header has 2"):
        list(file.read(path, ["text"]))


def test_lines_that_end_as_on_old_macs_are_told(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(b"text,label\rone,a\rtwo,b\r")
    with pytest.raises(SourceError, match="end with a carriage return alone"):
        list(file.read(path, ["text"]))
