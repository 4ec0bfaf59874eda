"""behaviours.yaml as frozen models: what the model must do with texts that the pipeline makes up itself."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from perennial.settings.base import Label, Name, Settings, Share, as_list

Text = Annotated[
    tuple[Label, ...], BeforeValidator(as_list, json_schema_input_type=str), Field(min_length=1, max_length=2)
]
"""What the model reads at once: a text, or the two of a pair."""
Texts = Annotated[tuple[Text, ...], BeforeValidator(as_list), Field(min_length=1)]
Listed = Annotated[tuple[Label, ...], BeforeValidator(as_list)]
Slots = dict[Name, Annotated[tuple[Label, ...], BeforeValidator(as_list), Field(min_length=1)]]
Change = Literal[
    "typo", "upper", "lower", "final_punctuation", "numbers", "neutral_words",
    "names", "genders", "nationalities", "companies",
]  # fmt: skip


class ExpectSpec(Settings):
    """The right answer. Which of these there are, the kind of task decides."""

    label: Label | None = None
    """text-classification, text-pair: the label."""
    has: Listed = ()
    """multi-label: labels that must be among the answer's."""
    lacks: Listed = ()
    """multi-label: labels that must not be."""
    between: tuple[float, float] | None = None
    """regression: the lowest and the highest number that is right."""

    @field_validator("between")
    @classmethod
    def _ordered(cls, between: tuple[float, float] | None) -> tuple[float, float] | None:
        if between is not None and not between[0] <= between[1]:
            raise ValueError(f"{between[0]:g} is more than {between[1]:g}; put the lower number first")
        return between

    @property
    def forms(self) -> tuple[str, ...]:
        """The settings that are given."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) not in (None, ()))


class _TestSpec(Settings):
    """What every behavioural test has."""

    name: str = Field(min_length=1, max_length=100)
    """What reports and gates call it; each name once."""
    capability: str = ""
    """What is tested, for example negation; tests of one capability are shown together."""
    texts: Texts
    """Texts, in which {name} stands for each item of that slot; text-pair: two texts each. token-classification: spans
    are marked, for example `[{firm}](ORG) buys [Beta](ORG)`."""
    slots: Slots = Field(default={})
    """Lists for these texts only, on top of the shared ones; of one name, these count."""
    max_cases: int = Field(default=100, ge=1, le=10_000)
    """Of more combinations, this many are drawn."""
    min_pass_rate: Share = 0.9
    """Share of cases that must pass. A candidate below it is rejected if the whole confidence interval of its rate is
    below, else held (`undecided`)."""


class MinimumSpec(_TestSpec):
    """A minimum functionality: simple texts that the model must get right."""

    type: Literal["minimum"]
    """minimum: what makes this such a test."""
    expect: ExpectSpec = ExpectSpec()
    """The right answer. token-classification needs none: exactly the spans marked in the texts."""


class _ChangedSpec(_TestSpec):
    """Texts that are asked twice: as they are, and changed."""

    change: Annotated[tuple[Change, ...], BeforeValidator(as_list)] = ()
    """Changes by name; each is tried by itself."""
    append: Listed = ()
    """Put behind the text as it stands, spaces included; each is tried by itself."""
    prepend: Listed = ()
    """Put before the text, likewise."""
    replace: dict[Label, Label] = Field(default={})
    """Whole words, by what is put in their place, all at once."""

    @model_validator(mode="after")
    def _changes(self) -> Self:
        if not (self.change or self.append or self.prepend or self.replace):
            raise ValueError("nothing changes the texts; give one of change, append, prepend and replace")
        return self


class InvarianceSpec(_ChangedSpec):
    """Changes that must not change the answer."""

    type: Literal["invariance"]
    """invariance: what makes this such a test."""
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """How far the score of the answer may move, too (regression: the number, and needed); none: only the answer
    counts."""


class DirectionSpec(_ChangedSpec):
    """Changes that may move a score in one direction only."""

    type: Literal["direction"]
    """direction: what makes this such a test."""
    score: Label | None = None
    """The label whose score is looked at; regression has none: its number is."""
    must: Literal["not rise", "not fall"]
    """Where the score must not move."""
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.05
    """How far it may move there all the same: no model is quite smooth."""


AnyTest = MinimumSpec | InvarianceSpec | DirectionSpec


class BehavioursSpec(Settings):
    """Behavioural tests (after CheckList, Ribeiro et al. 2020); in behaviours.yaml beside pipeline.yaml, or here."""

    slots: Slots = Field(default={})
    """Lists that {name} in any test's texts stands for."""
    tests: tuple[Annotated[AnyTest, Field(discriminator="type")], ...] = ()
    """The tests; each has a pass rate of its own that a candidate must reach."""
    undecided: Literal["hold", "reject"] = Field(default="hold", exclude_if=lambda undecided: undecided == "hold")
    """What a rate below its min_pass_rate comes to whose confidence interval reaches up to it: of 8 texts 5 are 0.31 to
    0.86, which says little of a floor of 0.7. hold: nothing is shown, so the candidate is held. reject: the rate itself
    decides."""
    seed: int = Field(default=0, ge=0)
    """Of what is drawn."""

    @field_validator("tests")
    @classmethod
    def _distinct(cls, tests: tuple[AnyTest, ...]) -> tuple[AnyTest, ...]:
        names = [test.name for test in tests]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"there are two tests {twice[0]!r}; give each a name of its own")
        return tests


BUILT_IN_GROUPS = ("names", "genders", "nationalities", "companies")


class CounterfactualsSpec(Settings):
    """Test rows asked again with terms of a group swapped for others: do the answers depend on who is meant?"""

    groups: tuple[Name, ...] = BUILT_IN_GROUPS
    """Groups of terms; [] leaves this out. The built-in lists are short and English."""
    terms: dict[Name, tuple[Annotated[tuple[Label, ...], Field(min_length=2)], ...]] = Field(default={})
    """Own lists, by group, in place of the built-in ones: each term is swapped for another of its list. Whole words;
    a term in lower case is found in any case, one with capitals as it is written and in all capitals."""
    max_rows: int = Field(default=300, ge=1)
    """Swapped rows of each group at most, drawn from all; more cost time and move the figures little."""
    seed: int = Field(default=0, ge=0)
    """Of what is drawn."""

    @model_validator(mode="after")
    def _known_groups(self) -> Self:
        known_groups = {*BUILT_IN_GROUPS, *self.terms}
        unknown = [group for group in self.groups if group not in known_groups]
        if unknown:
            raise ValueError(
                f"there is no group {unknown[0]!r}; give its lists in terms, or choose of: "
                f"{', '.join(sorted(known_groups))}"
            )
        return self
