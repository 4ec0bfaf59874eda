"""Looks at test rows are counted once each, whoever asks and however often, and nobody takes one back."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from notes import Notes

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.metrics import alpha_spending
from perennial.records.evaluation import Look
from perennial.registry import chain, database
from perennial.registry.judged.looks import ComparedOnce, count_look, past_looks
from perennial.registry.ledger import Ledger

BUDGET = 0.05
ONCE = ComparedOnce(
    compared="c1", package="p1", champion_version="1", anchor_version=None, metric="accuracy",
    beside_champion=-0.01, beside_anchor=None,
)  # fmt: skip
COUNT = """
import sys
from pathlib import Path
from perennial.core.home import Home
from perennial.registry.ledger import Ledger
from perennial.registry.judged.looks import ComparedOnce, count_look
for number in range(10):
    once = ComparedOnce(f"c{number}", f"p{number}", "1", None, "accuracy", 0.0, None)
    count_look(Ledger.open(Home(Path(sys.argv[1]))), "news", once, [str(key) for key in range(50)], 0.05)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def book(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    if request.param == "postgresql":
        monkeypatch.setenv(database.VARIABLE, request.getfixturevalue("new_postgres")())
    return Ledger.open(Home(tmp_path / "home"))


def keys(start: int, end: int) -> list[str]:
    return [str(number) for number in range(start, end)]


def counted(book: Ledger, number: int, rows: list[str], budget: float | None = BUDGET) -> Look | None:
    return count_look(book, "news", replace(ONCE, compared=f"c{number}", package=f"p{number}"), rows, budget)


def look_of(book: Ledger, number: int, rows: list[str]) -> Look:
    made = counted(book, number, rows)
    assert made is not None
    return made


def test_the_same_comparison_is_the_same_look(book: Ledger) -> None:
    first = look_of(book, 1, keys(0, 100))
    second = look_of(book, 2, keys(0, 100))
    assert (first.number, second.number) == (1, 2)
    assert look_of(book, 1, keys(0, 100)) == first, "a run that was resumed, or judged again, spends nothing"
    assert look_of(book, 1, keys(0, 300)) == first
    assert look_of(book, 2, keys(0, 100)) == second
    assert [look.compared for look in past_looks(book, "news")] == ["c1", "c2"]


def test_the_budget_is_spent_look_by_look_and_never_exceeded(book: Ledger) -> None:
    looks = [look_of(book, number, keys(0, 100)) for number in range(40)]
    assert looks[0].level == pytest.approx(BUDGET * alpha_spending.PACE)
    assert [one.level for one in looks] == sorted((one.level for one in looks), reverse=True)
    assert looks[-1].spent == pytest.approx(sum(one.level for one in looks))
    assert looks[-1].spent < BUDGET
    assert looks[-1].fresh_a_day == 0


def test_new_rows_renew_it_and_known_ones_do_not(book: Ledger) -> None:
    before = look_of(book, 1, keys(0, 100))
    known = look_of(book, 2, [*keys(20, 100), *keys(20, 100)])
    assert (known.texts, known.fresh) == (80, 0), "copies are no rows of their own, and those that went are still known"
    renewed = look_of(book, 3, keys(0, 200))
    assert (renewed.texts, renewed.fresh) == (200, 100)
    assert renewed.spent - renewed.level == pytest.approx(known.spent / 2)
    whole = look_of(book, 4, keys(500, 600))
    assert whole.level == pytest.approx(before.level), "rows of which none is known have the whole budget"


def test_each_model_has_its_own(book: Ledger) -> None:
    look_of(book, 1, keys(0, 100))
    other = count_look(book, "other", ONCE, keys(0, 100), BUDGET)
    assert other is not None
    assert (other.number, other.fresh) == (1, 100)


def test_without_a_budget_looks_are_counted_and_nothing_is_spent(book: Ledger) -> None:
    assert counted(book, 1, keys(0, 100), None) is None
    second = look_of(book, 2, keys(0, 100))
    assert (second.number, second.fresh) == (2, 0)
    assert second.spent == second.level


def test_the_database_itself_refuses_to_take_a_look_back(book: Ledger) -> None:
    look_of(book, 1, keys(0, 100))
    before = past_looks(book, "news")
    for statement in ("UPDATE perennial_looks SET spent = 0", "DELETE FROM perennial_looks"):
        with pytest.raises(RegistryError, match="append-only"), book.database.transaction() as connection:
            connection.exec_driver_sql(statement)
    assert past_looks(book, "news") == before


def test_looks_that_were_deleted_or_edited_are_noticed(tmp_path: Path) -> None:
    """They were not chained: without the trigger, who deleted them had the whole budget again."""
    book = Ledger.open(Home(tmp_path / "home"))
    for number in (1, 2):
        look_of(book, number, keys(0, 100))
    assert not chain.examine_chain(book.database).faults
    with book.database.transaction() as connection:
        connection.exec_driver_sql("DROP TRIGGER perennial_looks_no_delete")
        connection.exec_driver_sql("DELETE FROM perennial_looks WHERE number = 2")
    faults = " ".join(chain.examine_chain(book.database).faults)
    assert "look 2 was removed" in faults
    assert "perennial_looks_no_delete" in faults


def test_a_look_that_spends_nothing_is_chained_as_it_reads_back(book: Ledger) -> None:
    """SQLite returns the 0 of 0.0 from an insertion, which made a changed row of the first look of all."""
    counted(book, 1, keys(0, 100), None)
    assert not chain.examine_chain(book.database).faults


@pytest.mark.parametrize("statement", ["DELETE FROM perennial_test_rows", "UPDATE perennial_test_rows SET sketch = ''"])
def test_rows_that_were_looked_at_are_not_made_new_by_forgetting_them(book: Ledger, statement: str) -> None:
    first = look_of(book, 1, keys(0, 100))
    with book.database.transaction() as connection:
        connection.exec_driver_sql(statement)
    notes = Notes()
    with progress.heard_by(notes):
        second = look_of(book, 2, keys(0, 100))
    assert second.fresh == 0
    assert second.spent == pytest.approx(first.spent + second.level)
    assert "was changed outside of Perennial" in " ".join(notes.messages)
    assert look_of(book, 3, keys(0, 200)).fresh == 100, "from then on it is kept again"


def test_processes_that_count_at_once_count_each_look_once(tmp_path: Path, book: Ledger) -> None:
    command = [sys.executable, "-c", COUNT, str(tmp_path / "home")]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(3)]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 3, said
    looks = past_looks(book, "news")
    assert sorted(look.compared for look in looks) == [f"c{number}" for number in range(10)]
    assert [look.number for look in looks] == list(range(1, 11))
    assert looks[-1].spent == pytest.approx(sum(look.level or 0 for look in looks))


def test_a_look_says_how_much_is_spent_and_left(book: Ledger) -> None:
    look_of(book, 1, keys(0, 100))
    sentence = look_of(book, 2, keys(0, 110)).sentence
    assert "Look 2 at these test rows, 10 of whose 110 texts are new" in sentence
    assert "of the budget of 0.05" in sentence
    assert "left" in sentence
