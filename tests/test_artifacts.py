"""Records come back from JSON as they were."""

import json
import math

from perennial.records.evaluation import Metrics


def test_a_figure_that_is_no_number_comes_back() -> None:
    written = Metrics(n=1, values={"nothing": math.nan, "endless": math.inf}).model_dump_json()

    read = Metrics.model_validate_json(written)

    assert math.isnan(read.values["nothing"])
    assert read.values["endless"] == math.inf
    json.loads(written, parse_constant=lambda word: 1 / 0)  # what is no number in JSON would be a constant
