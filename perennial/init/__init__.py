"""From a data file to a pipeline folder: what is in the file, and the pipeline.yaml that says so."""

from perennial.init.guess import Guess, plan
from perennial.init.template import write_pipeline
from perennial.kinds.recognition.column_choice import ColumnChoice

__all__ = ["ColumnChoice", "Guess", "plan", "write_pipeline"]
