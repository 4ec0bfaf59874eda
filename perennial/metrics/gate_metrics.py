"""What a gate can name beside the metrics of the kind of task, and which way each is better."""

PASS_RATE = "pass_rate"  # noqa: S105 - a share
FLIP_RATE = "flip_rate"
SCORE_SHIFT = "score_shift"
NEGATIVE_FLIPS = "negative_flip_rate"
BATCH_FLIPS = "batch_flip_rate"
PADDING_FLIPS = "padding_flip_rate"
NEAR_COPY_RATE = "near_copy_rate"
"""Of test rows those that are near copies of train rows."""
AGREEMENT = "agreement"
"""Of the people who gave the labels: Krippendorff's alpha."""

LOST_ENDS = "truncated_share"
"""Of the test rows: those longer than the model reads."""
OF_DATA = (NEAR_COPY_RATE, AGREEMENT, LOST_ENDS)
"""Of the rows and their labels, not of a model."""
FAITHFULNESS = "faithfulness"
"""How much more than random order an explanation's order of the words tells of the answer."""

BEHAVIOURS = (PASS_RATE,)
GROUPS = (FLIP_RATE, SCORE_SHIFT)
STABILITY = (BATCH_FLIPS, PADDING_FLIPS)
SERVING = ("latency_p50", "latency_p95", "throughput", "peak_memory", "size")
BY_FIGURE = (*SERVING, *BEHAVIOURS)
"""Compared with the champion's as they are, without an interval: neither comes of a sample of rows."""
HIGHER_IS_BETTER = frozenset({PASS_RATE, "throughput", AGREEMENT, FAITHFULNESS})

OTHERS = frozenset({*BEHAVIOURS, *GROUPS, *STABILITY, *SERVING, NEGATIVE_FLIPS, FAITHFULNESS, *OF_DATA})
"""All of these; none is a metric of a kind of task."""
ONLY_MAX = frozenset({*GROUPS, *STABILITY, NEGATIVE_FLIPS, NEAR_COPY_RATE, LOST_ENDS})
"""Shares of what should not happen at all."""
LOWER_IS_BETTER = OTHERS - HIGHER_IS_BETTER
