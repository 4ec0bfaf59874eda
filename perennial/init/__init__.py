"""From a data file to a pipeline folder: what is in the file, and the pipeline.yaml that says so."""

from perennial.init.column_choice import Choice
from perennial.init.guess import Guess, plan
from perennial.init.template import write

__all__ = ["Choice", "Guess", "plan", "write"]
