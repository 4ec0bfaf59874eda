"""Numbers as people write them: read where a whole column agrees, else told."""

import pytest

from perennial.rows.written_numbers import NumberSurvey, number_written

EACH_WAY = [
    ("0,83", None, 0.83),
    ("0.83", 0.83, None),
    ("1.234,5", None, 1234.5),
    ("1,234.5", 1234.5, None),
    ("1,234", 1234.0, 1.234),
    ("1.234.567", None, 1234567.0),
    ("1 234", 1234.0, 1234.0),
    ("1\u202f234,50", None, 1234.5),
    ("1'234.50", 1234.5, None),
    ("12,34,567.00", 1234567.0, None),
    ("\u22123,5", None, -3.5),
    ("007", 7.0, 7.0),
    ("1e-5", 1e-5, 1e-5),
    (0.25, 0.25, 0.25),
    ("1,2,3", None, None),
    ("12:30", None, None),
    ("2024-01-01", None, None),
    ("5 stars", None, None),
    ("nan", None, None),
    ("", None, None),
    (None, None, None),
]


@pytest.mark.parametrize(("cell", "by_point", "by_comma"), EACH_WAY)
def test_a_cell_by_its_decimal_mark(cell: object, by_point: float | None, by_comma: float | None) -> None:
    assert (number_written(cell, ".", None), number_written(cell, ",", None)) == (by_point, by_comma)


@pytest.mark.parametrize(
    ("cell", "unit", "number"),
    [
        ("$1,234.50", "$", 1234.5),
        ("-$5", "$", -5.0),
        ("$-5", "$", -5.0),
        ("12 €", "€", 12.0),
        ("EUR 12", "EUR", 12.0),
        ("45 %", "%", 45.0),
        ("12", "€", 12.0),
        ("$5", "€", None),
        ("$5", None, None),
        ("$5 €", "€", None),
    ],
)
def test_a_unit_is_left_away_and_another_is_not_read(cell: str, unit: str | None, number: float | None) -> None:
    assert number_written(cell, ".", unit) == number


@pytest.mark.parametrize(
    ("cells", "decimal", "unit"),
    [
        (["0.8", "1e3", 5, None], None, None),
        (["1.234", "2.500"], None, None),
        (["0,83", "-0,2"], ",", None),
        (["1,234", "1,5"], ",", None),
        (["1.234", "1.234.567"], ",", None),
        (["1,234", "1,234.5"], ".", None),
        (["5.25"] * 50 + ["1,234.50"], ".", None),
        (["$5", "$1,234.50"], ".", "$"),
        (["1,5 %", "2,5 %"], ",", "%"),
        (["1 234", "12"], ".", None),
    ],
)
def test_what_a_whole_column_agrees_on(cells: list[object], decimal: str | None, unit: str | None) -> None:
    survey = NumberSurvey()
    survey.add(cells)
    assert (survey.decimal, survey.unit, survey.doubt) == (decimal, unit, "")


@pytest.mark.parametrize(
    ("cells", "doubt"),
    [
        (["1,234"] * 3 + ["12"], "3 of 4 cells may be read in two ways, such as '1,234'"),
        (["0.8", "0,8", "0,9"], "in two ways: 1 of 3 such as '0.8', 2 such as '0,8'"),
        (["$5", "€5"], r"different units: \$ \(1\) and € \(1\)"),
        (["45%", "0.4"], r"1 of 2 numbers are in per cent \(%\), the others are not"),
        (["high", "low"], "2 of 2 cells are no numbers, such as 'high'"),
    ],
)
def test_what_can_not_be_told_is_said(cells: list[object], doubt: str) -> None:
    survey = NumberSurvey()
    survey.add(cells)
    assert survey.decimal is None
    with pytest.raises(ValueError, match=doubt):
        raise ValueError(survey.doubt)
