"""The tags by which Perennial knows its own runs and versions in MLflow."""

RUN_KEY = "perennial.run_key"
"""Key of everything the pipeline run was made from; the same key is the same run."""
DATA_DIGEST = "perennial.data_digest"
PACKAGE_DIGEST = "perennial.package_digest"
PRECISION = "perennial.precision"
DECISION = "perennial.decision"
DECISION_DIGEST = "perennial.decision_digest"
CHAMPION_AT_DECISION = "perennial.champion_at_decision"
"""The version the decision was made against; NO_CHAMPION: there was none yet."""
SPLITS = "perennial.splits"
"""Which rows it may have learned from; a candidate that splits otherwise can't be compared with it."""
STATUS = "perennial.status"

NO_CHAMPION = "none"
UNJUDGED = "could not be judged"

REGISTERED = "registered"
"""There, but the run has not finished: killed, or still on its way."""
PROMOTED = "promoted"
HELD = "held"
REJECTED = "rejected"
FINISHED = (PROMOTED, HELD, REJECTED)
