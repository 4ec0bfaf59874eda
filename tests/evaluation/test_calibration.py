"""A reliability diagram's bars add up to the answers, and their gaps to the calibration error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.metrics import calibration

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=80)


@given(ANSWERS)
def test_bins_hold_every_answer_once(answers: list[tuple[float, bool]]) -> None:
    scores, right = [score for score, _ in answers], [held for _, held in answers]
    bins = calibration.reliability(scores, right)
    assert sum(each.n for each in bins) == len(answers)
    assert sum(each.accuracy * each.n for each in bins) == pytest.approx(sum(right))
    assert sum(each.mean_score * each.n for each in bins) == pytest.approx(sum(scores))
    assert [each.low for each in bins] == sorted({each.low for each in bins})
    for each in bins:
        assert each.n > 0
        assert each.low - 1e-9 <= each.mean_score <= each.high + 1e-9
    assert 0 <= calibration.error(scores, right) <= 1


def test_a_score_as_right_as_it_says_has_no_error() -> None:
    assert calibration.error([0.75] * 4, [True, True, True, False]) == pytest.approx(0)
    assert calibration.error([1.0, 1.0], [False, False]) == 1
    assert calibration.error([], []) == 0
