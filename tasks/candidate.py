"""The chain from a snapshot to a decision, each of its steps a Prefect task."""

from perennial.runs.candidate import CandidateSteps
from tasks.data import encode, validate
from tasks.model import cascade, decide, distill, evaluate, export, finetune
from tasks.registry import count_look, find_anchor, find_champion, find_start, say_power

STEPS = CandidateSteps(
    validate=validate,
    encode=encode,
    find_champion=find_champion,
    find_anchor=find_anchor,
    say_power=say_power,
    find_start=find_start,
    finetune=finetune,
    distill=distill,
    export=export,
    cascade=cascade,
    evaluate=evaluate,
    count_look=count_look,
    decide=decide,
)
