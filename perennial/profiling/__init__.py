"""Where the time of a run goes: stacks sampled while it works, a flame graph and a table of steps made of them."""

from perennial.profiling.sampling import Profile, StepCost, sampled

__all__ = ["Profile", "StepCost", "sampled"]
