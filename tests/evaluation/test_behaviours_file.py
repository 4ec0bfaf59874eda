"""behaviours.yaml: read into the pipeline's settings, every problem with its file and line."""

from pathlib import Path

import pytest
from notes import Notes

from perennial.core import progress
from perennial.core.errors import SpecError
from perennial.pipeline_file import loader
from perennial.settings.behaviours import MinimumSpec
from perennial.settings.pipeline import PipelineSpec

PIPELINE = """\
name: news
kind: {kind}
data:
  source: {{type: file, path: a.csv}}
  labels: {labels}
gates:
  - {{metric: {metric}, {floor}}}
"""
KINDS = {
    "text-classification": ("[negative, positive]", "accuracy", "min: 0.8"),
    "text-pair": ("[negative, positive]", "accuracy", "min: 0.8"),
    "multi-label": ("[negative, positive]", "micro_f1", "min: 0.8"),
    "token-classification": ("[ORG, PER]", "f1", "min: 0.8"),
    "regression": ("[]", "rmse", "max: 0.8"),
}
GOOD = """\
slots:
  firm: [Acme, Beta]
tests:
  - name: good news
    type: minimum
    texts: "{firm} wins"
    expect: {label: positive}
"""


def read(folder: Path, behaviours: str | None, kind: str = "text-classification", *overrides: str) -> PipelineSpec:
    labels, metric, floor = KINDS[kind]
    file = folder / "pipeline.yaml"
    file.write_text(PIPELINE.format(kind=kind, labels=labels, metric=metric, floor=floor), encoding="utf-8")
    if behaviours is not None:
        (folder / "behaviours.yaml").write_text(behaviours, encoding="utf-8")
    return loader.read_pipeline(file, overrides)


def refusal(folder: Path, behaviours: str, kind: str = "text-classification") -> str:
    with pytest.raises(SpecError) as caught:
        read(folder, behaviours, kind)
    return str(caught.value)


def test_the_file_becomes_part_of_the_settings_and_can_be_overridden(tmp_path: Path) -> None:
    assert read(tmp_path, None).behaviours.tests == ()
    spec = read(tmp_path, GOOD, "text-classification", "behaviours.tests.0.min_pass_rate=0.5")
    [test] = spec.behaviours.tests
    assert isinstance(test, MinimumSpec)
    assert (test.texts, test.expect.label, test.min_pass_rate) == ((("{firm} wins",),), "positive", 0.5)
    assert PipelineSpec.model_validate(spec.model_dump(mode="json")).behaviours == spec.behaviours


def test_the_tests_are_in_one_place_only(tmp_path: Path) -> None:
    read(tmp_path, GOOD)
    file = tmp_path / "pipeline.yaml"
    inline = file.read_text(encoding="utf-8") + "behaviours:\n  tests: []\n"
    file.write_text(inline, encoding="utf-8")
    with pytest.raises(SpecError, match=r"pipeline.yaml:8: there are behaviours here and in"):
        loader.read_pipeline(file)
    (tmp_path / "behaviours.yaml").unlink()
    assert loader.read_pipeline(file).behaviours.tests == ()


@pytest.mark.parametrize(
    ("behaviours", "message"),
    [
        ("", "behaviours.yaml holds no settings, expected slots: …, tests: …"),
        (GOOD.replace("slots:", "slot:"), "behaviours.yaml:1: unknown key 'behaviours.slot'; did you mean 'slots'?"),
        (GOOD.replace("expect:", "expct:"), ":7: unknown key 'behaviours.tests.0.expct'; did you mean 'expect'?"),
        (GOOD.replace("label:", "lable:"), ":7: unknown key 'behaviours.tests.0.expect.lable'; did you mean 'label'?"),
        (GOOD.replace("minimum", "minimal"), ":4: behaviours.tests.0: input tag 'minimal' found"),
        (GOOD.replace("    type: minimum\n", ""), ":4: behaviours.tests.0: 'type' is missing"),
        (GOOD.replace("{firm}", "{frm}"), ":6: there is no slot 'frm'; did you mean 'firm'?"),
        (GOOD.replace("positive", "postive"), ":7: 'postive' is none of data.labels; did you mean 'positive'?"),
        (GOOD.replace("{label: positive}", "{}"), ":7: what is right is missing; expect needs label"),
        (GOOD.replace("label: positive", "has: positive"), "'has' says nothing about text-classification"),
        (GOOD.replace('"{firm} wins"', '[["a", "b"]]'), "text-classification reads one text; here are 2"),
        (GOOD.replace("Acme, Beta", ""), ":2: behaviours.slots.firm: "),
        (GOOD + GOOD.split("tests:\n")[1], "there are two tests 'good news'"),
        (GOOD + "    min_pass_rate: 2\n", ":8: behaviours.tests.0.min_pass_rate: "),
    ],
)
def test_a_slip_is_named_with_its_line(behaviours: str, message: str, tmp_path: Path) -> None:
    assert message in refusal(tmp_path, behaviours)


def changed(kind: str, more: str) -> str:
    return f"tests:\n  - name: a\n    type: {kind}\n    texts: It rose\n    {more}\n"


@pytest.mark.parametrize(
    ("kind", "behaviours", "message"),
    [
        ("text-classification", changed("invariance", "min_pass_rate: 1"), "nothing changes the texts; give one of"),
        ("text-classification", changed("invariance", "change: tipo"), ":5: behaviours.tests.0.change: input"),
        ("text-classification", changed("invariance", "change: numbers"), ":4: nothing in these texts is changed"),
        ("text-classification", changed("direction", "append: x"), "'behaviours.tests.0.must' is missing"),
        ("text-classification", changed("direction", "append: x\n    must: not rise"), "score is missing"),
        ("text-pair", changed("invariance", "change: typo"), "text-pair reads two texts: [[first"),
        ("regression", changed("invariance", "append: x"), "say how far it may move: tolerance"),
        ("regression", changed("direction", "append: x\n    must: not rise\n    score: a"), "leave score out"),
        ("regression", changed("minimum", "expect: {between: [1, 0]}"), ":5: behaviours.tests.0.expect.between: 1"),
        ("regression", changed("minimum", "expect: {}"), "expect needs between"),
        ("multi-label", changed("minimum", "expect: {has: [positve]}"), "did you mean 'positive'?"),
        ("multi-label", changed("minimum", "expect: {label: positive}"), "expect needs has or lacks"),
        ("token-classification", changed("minimum", "expect: {label: ORG}"), "mark the spans in the texts"),
        ("token-classification", changed("minimum", "").replace("It rose", "'[A](OGR)'"), "did you mean 'ORG'?"),
        ("token-classification", changed("direction", "append: x\n    must: not rise"), "use minimum or invariance"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_kind_is_refused(kind: str, behaviours: str, message: str, tmp_path: Path) -> None:
    assert message in refusal(tmp_path, behaviours, kind)


def test_problems_of_both_files_are_told_at_once(tmp_path: Path) -> None:
    text = refusal(tmp_path, GOOD.replace("expect:", "expct:"))
    assert "behaviours.yaml:7" in text
    file = tmp_path / "pipeline.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("gates:", "gats:"), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        loader.read_pipeline(file)
    assert "has 3 problems" in str(caught.value)
    assert "behaviours.yaml:7" in str(caught.value)
    assert "pipeline.yaml:6: unknown key 'gats'" in str(caught.value)


def test_groups_of_counterfactuals_are_known(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no group 'cats'; give its lists in terms, or choose of: companies"):
        read(tmp_path, None, "text-classification", "evaluation.counterfactuals.groups=[cats]")
    terms = "evaluation.counterfactuals.terms={cats: [[Tom, Felix]]}"
    spec = read(tmp_path, None, "text-classification", terms, "evaluation.counterfactuals.groups=[cats, names]")
    assert spec.evaluation.counterfactuals.groups == ("cats", "names")


FLOORED = """\
tests:
  - name: good news
    type: minimum
    texts: "{firm} wins"
    expect: {label: positive}
    min_pass_rate: RATE
"""


def told_of(folder: Path, spec: PipelineSpec) -> list[str]:
    listener = Notes()
    with progress.heard_by(listener):
        loader.note_doubts(folder / "pipeline.yaml", spec)
    return listener.messages


@pytest.mark.parametrize(
    ("firms", "rate", "said"),
    [
        (
            8,
            0.7,
            "has 8 different texts, too few to decide on its floor of 0.7: even if all",
        ),
        (1, 0.5, "has 1 different text, too few"),
        (34, 0.9, "It takes 35: add texts or items of slots, or lower min_pass_rate."),
        (9, 0.7, None),
        (35, 0.9, None),
        (1, 0.0, None),  # it is only watched
        (1, 1.0, None),  # one that fails is enough
    ],
)
def test_too_few_texts_for_a_floor_are_told_with_the_line(
    firms: int, rate: float, said: str | None, tmp_path: Path
) -> None:
    slots = f"slots: {{firm: [{', '.join(f'Firm {number}' for number in range(firms))}]}}\n"
    spec = read(tmp_path, slots + FLOORED.replace("RATE", str(rate)))
    heard = told_of(tmp_path, spec)
    if said is None:
        assert heard == []
    else:
        [note] = heard
        assert note.startswith(f"{tmp_path / 'behaviours.yaml'}:5: the test 'good news' has {firms} ")
        assert said in note


def test_a_changed_text_counts_once_however_often_it_is_changed(tmp_path: Path) -> None:
    test = changed("invariance", "append: [a, b, c, d, e, f]").replace("It rose", "[It rose, It fell]")
    spec = read(tmp_path, test + "    min_pass_rate: 0.6\n")
    assert "has 2 different texts" in told_of(tmp_path, spec)[0]
