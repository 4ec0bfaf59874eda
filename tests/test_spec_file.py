"""pipeline.yaml: every problem at once, each with its line and what was meant."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel

from perennial.core.errors import SpecError
from perennial.pipeline_file import loader
from perennial.settings import (
    base,
    behaviours,
    data,
    drift,
    evaluation,
    export,
    gates,
    model,
    monitor,
    notify,
    pipeline,
    prediction_log,
    registry,
    report,
    rollout,
    schedule,
    serving,
    strict_yaml,
    training,
)
from perennial.settings.monitor import streams
from perennial.settings.pipeline import PipelineSpec

REPOSITORY = Path(__file__).parents[1]

GOOD = """\
name: news
kind: text-classification
data:
  source: {type: file, path: a.csv}
  labels: [a, b]
gates:
  - {metric: accuracy, min: 0.8}
"""

DESIGN = """\
# pipelines/sentiment/pipeline.yaml
name: sentiment
kind: text-classification
data:
  source: {type: file, path: data/*.jsonl}
  columns: {text: text, label: label, time: published_at, slices: [sector]}
  labels: [negative, neutral, positive]
  expectations:                       # Great Expectations' own names and arguments
    - {type: expect_column_value_lengths_to_be_between, column: text, min_value: 3, max_value: 2000, severity: warning}
model:
  base: sentence-transformers/all-MiniLM-L6-v2
  max_length: 128
training: {epochs: 3, learning_rate: 2.0e-4}
export: {precision: int8}
gates:
  - {metric: accuracy, min: 0.80}
  - {metric: recall, per: label, min: 0.70}
  - {metric: accuracy, versus: champion, margin: 0.01}
schedule: {cron: "0 3 * * *", min_new_rows: 200}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pipeline.yaml"


def read(file: Path, text: str, *overrides: str) -> PipelineSpec:
    file.write_text(text, encoding="utf-8")
    return loader.read_pipeline(file, overrides)


def refusal(file: Path, text: str, *overrides: str) -> str:
    with pytest.raises(SpecError) as caught:
        read(file, text, *overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_design_documents_example_is_valid(file: Path) -> None:
    made = read(file, DESIGN)
    assert made.training.learning_rate == 2e-4
    assert made.folder == file.parent
    assert made.schedule is not None
    assert made.schedule.cron == "0 3 * * *"
    assert made.data.expectations[0].arguments == {"min_value": 3, "max_value": 2000}


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "pipelines").glob("*/pipeline.yaml")), ids=lambda p: p.parent.name
)
def test_every_pipeline_here_is_valid_and_named_as_its_folder(path: Path) -> None:
    assert loader.read_pipeline(path).name == path.parent.name


BAD = [
    # what is replaced in GOOD, by what, the line, and the message
    ("name: news", "nme: news", 1, "unknown key 'nme'; did you mean 'name'?"),
    ("name: news", "name: News!", 1, "name: string should match pattern"),
    ("name: news", "name:", 1, "name: input should be a valid string; it is empty"),
    ("kind: text-classification", "kind: sentiment", 2, "'sentiment' is not a kind of task; there are: text-class"),
    ("type: file", "type: fil", 4, "'file', 'huggingface', 'sql'"),
    ("type: file, ", "", 4, "data.source: 'type' is missing"),
    ("path: a.csv", "pth: a.csv", 4, "unknown key 'data.source.pth'; did you mean 'path'?"),
    ("path: a.csv", "path: []", 4, "data.source.path: "),
    (", path: a.csv", "", 4, "'data.source.path' is missing"),
    ("labels: [a, b]", "labels: [true, false]", 5, "true is YAML's truth value; put the label in quotes"),
    ("labels: [a, b]", "labels: [a, a]", 5, "label 'a' is there more than once"),
    ("labels: [a, b]", "labels: [a]", 5, "needs two labels or more"),
    ("labels: [a, b]", "labels: a", 5, "data.labels: should be a list"),
    ("labels: [a, b]", "labels: [a, null]", 5, "data.labels.1: input should be a valid string; it is empty"),
    ("labels: [a, b]", "colums: {}", 5, "unknown key 'data.colums'; did you mean 'columns'?"),
    ("labels: [a, b]", "columns: {txt: headline}", 5, "unknown key 'data.columns.txt'; did you mean 'text'?"),
    (
        "labels: [a, b]",
        "xyzzy: 1",
        5,
        "unknown key 'data.xyzzy'; known keys here: columns, contradictions, corrections",
    ),
    (
        "metric: accuracy",
        "metric: acuracy",
        7,
        "'acuracy' is no metric of text-classification; did you mean 'accuracy'?",
    ),
    ("metric: accuracy", "per: label, metric: accuracy", 7, "no metric per label"),
    ("min: 0.8", "mn: 0.8", 7, "unknown key 'gates.0.mn'; did you mean 'min'?"),
    ("min: 0.8", "min: high", 7, "gates.0.min: input should be a valid number"),
    ("min: 0.8", "max: 1, min: 0.8", 7, "exactly one of min, max and versus; this one has min and max"),
    ("  - {metric: accuracy, min: 0.8}", "  {metric: accuracy, min: 0.8}", 6, "gates: should be a list"),
    ("  - {metric: accuracy, min: 0.8}", "  []", 6, "gates: tuple should have at least 1 item"),
    (
        "gates:",
        "training:\ngates:",
        6,
        "training: should be a group of settings, each a line `key: value`; it is empty",
    ),
    ("gates:", "training: 3\ngates:", 6, "training: should be a group of settings"),
    ("gates:", "training:\n  epochs: 3\n  learning_rat: 1\ngates:", 8, "did you mean 'learning_rate'?"),
    ("gates:", "training:\n  epochs: 3\n  learning_rate: quick\ngates:", 8, "training.learning_rate: "),
    ("gates:", "export: {precision: int4}\ngates:", 6, "'fp32', 'int8' or 'fp16'"),
    ("gates:", "schedule: {min_new_rows: 3}\ngates:", 6, "'schedule.cron' is missing"),
    ("gates:", "schedule: {cron: '* * * * *', min_new_rows: -1}\ngates:", 6, "greater than or equal to 0"),
    ("gates:", "1: 2\ngates:", 6, "keys should be strings"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"), BAD, ids=[f"{n}: {bad[3][:40]}" for n, bad in enumerate(BAD)]
)
def test_a_bad_setting_is_named_with_its_line(file: Path, old: str, new: str, line: int, message: str) -> None:
    assert GOOD.count(old) == 1
    said = refusal(file, GOOD.replace(old, new))
    assert any(part.strip().startswith(f"{file}:{line}: ") and message in part for part in said.splitlines()), said


def test_every_problem_is_told_at_once_in_the_files_order(file: Path) -> None:
    text = GOOD.replace("labels: [a, b]", "lables: [a, b]").replace("min: 0.8", "min: x") + "traning: {epochs: 1}\n"
    said = refusal(file, text)
    assert f"{file} has 3 problems:" in said
    lines = [int(line.split(":")[1]) for line in said.splitlines() if f"{file}:" in line]
    assert lines == [5, 7, 8]
    assert "did you mean 'labels'" in said
    assert "gates.0.min" in said
    assert "did you mean 'training'" in said
    assert "too_short" not in said
    assert "at least 1 item" not in said, "a gate that is wrong is still a gate"


def test_one_problem_of_a_setting_of_several_types_is_told_once(file: Path) -> None:
    said = refusal(file, GOOD + "training: {learning_rate: quick}\n")
    assert "has a problem:" in said


def test_missing_settings_are_named(file: Path) -> None:
    said = refusal(file, "name: news\n")
    for missing in ("kind", "data", "gates"):
        assert f"{missing!r} is missing" in said


NOT_YAML = [
    ("", "holds no settings, expected name: "),
    ("# only a comment\n", "holds no settings"),
    ("- a\n- b\n", "holds a list, expected name: "),
    ("hello\n", "holds a str, expected name: "),
    ("name: [a\n", ":2 is not YAML: "),
    ("name: a: b\n", ":1 is not YAML: mapping values are not allowed here"),
    ("name: a\n\tkind: b\n", ":2 is not YAML: "),
    ("name: !!python/object:os.system x\n", "could not determine a constructor"),
    ("name: *nowhere\n", "undefined alias"),
    ("name: a\x00\n", "is not YAML"),
    ("[" * 2000, "is nested too deeply"),
    ("name: !!int x\n", "holds a value that can't be read"),
    (GOOD + "name: other\n", ":8: the key 'name' is there twice; first in line 1."),
    (GOOD.replace("labels: [a, b]", "labels: [a, b]\n  labels: [c, d]"), ":6: the key 'labels' is there twice"),
]


@pytest.mark.parametrize(("text", "message"), NOT_YAML, ids=[message for _, message in NOT_YAML])
def test_what_is_no_pipeline_is_refused(file: Path, text: str, message: str) -> None:
    said = refusal(file, text)
    assert said.startswith(str(file))
    assert message in said


def test_an_unknown_kind_is_told_beside_everything_else(file: Path) -> None:
    refused = refusal(file, GOOD.replace("kind: text-classification", "kind: sentiment").replace("name:", "nme:"))
    assert "has 3 problems" in refused
    assert "kind: 'sentiment' is not a kind of task; there are: text-classification" in refused
    assert "(seen: 'sentiment')" in refused


def test_a_file_that_is_not_utf8_is_refused(file: Path) -> None:
    file.write_bytes(GOOD.encode() + b"# caf\xe9\n")
    with pytest.raises(SpecError, match=rf"is not UTF-8 \(byte {len(GOOD) + 5}\)\. Save it as UTF-8"):
        loader.read_pipeline(file)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="can't be read: No such file"):
        loader.read_pipeline(tmp_path / "nothing.yaml")
    with pytest.raises(SpecError, match="can't be read: Is a directory"):
        loader.read_pipeline(tmp_path)


def test_a_byte_order_mark_is_fine(file: Path) -> None:
    file.write_text(GOOD, encoding="utf-8-sig")
    assert loader.read_pipeline(file).name == "news"


def test_anchors_and_merges_are_fine(file: Path) -> None:
    text = GOOD.replace("gates:\n  - {", "gates:\n  - &floor {") + "  - {<<: *floor, metric: macro_f1}\n"
    assert [gate.metric for gate in read(file, text).gates] == ["accuracy", "macro_f1"]


@pytest.mark.parametrize(
    "label",
    ["no", "yes", "on", "off", "y", "n", "No", "0", "010", "1_000", "12:30", "2026-01-01", "1e", "0x1F", "'true'"],
)
def test_a_label_is_what_is_written(file: Path, label: str) -> None:
    assert read(file, GOOD.replace("[a, b]", f"[{label}, b]")).data.labels == (label.strip("'"), "b")


def test_numbers_may_be_written_as_people_do(file: Path) -> None:
    made = read(file, GOOD + "training: {learning_rate: 2e-4, tokens_per_batch: 1_024, epochs: 0.5}\n")
    assert (made.training.learning_rate, made.training.tokens_per_batch, made.training.epochs) == (2e-4, 1024, 0.5)


OVERRIDES: list[tuple[str, str, Any]] = [
    ("training.epochs=1", "training.epochs", 1),
    ("training.learning_rate=2e-4", "training.learning_rate", 2e-4),
    ("model.revision=", "model.revision", None),
    ("data.labels=[x, y, no]", "data.labels", ("x", "y", "no")),
    ("gates.0.min=0.1", "gates.0.min", 0.1),
    ("gates.0.min_n=30", "gates.0.min_n", 30),
    ("schedule.cron=0 3 * * *", "schedule.cron", "0 3 * * *"),
    ("schedule={cron: '@daily'}", "schedule.cron", "@daily"),
    ("data.columns.slices=[sector]", "data.columns.slices", ("sector",)),
    ("data.source.path=b=c.csv", "data.source.path", ("b=c.csv",)),
    ("name=other", "name", "other"),
]


@pytest.mark.parametrize(("override", "place", "value"), OVERRIDES, ids=[override for override, _, _ in OVERRIDES])
def test_overrides_reach_any_setting(file: Path, override: str, place: str, value: object) -> None:
    reached: Any = read(file, GOOD, override)
    for step in place.split("."):
        reached = reached[int(step)] if step.isdecimal() else getattr(reached, step)
    assert reached == value


def test_an_override_fills_an_empty_group_and_the_last_of_two_wins(file: Path) -> None:
    made = read(file, GOOD + "training:\n", "training.epochs=1", "training.seed=7", "training.epochs=2")
    assert (made.training.epochs, made.training.seed) == (2, 7)


BAD_OVERRIDES = [
    ("training.epochs", "--set 'training.epochs' is not of the form key.key=value. Example: training.epochs=1."),
    ("=1", "not of the form"),
    ("training.=1", "not of the form"),
    (".epochs=1", "not of the form"),
    ("", "not of the form"),
    ("training.epoch=1", "unknown key 'training.epoch'; did you mean 'epochs'?"),
    ("training.epochs=many", "training.epochs: input should be a valid number"),
    ("training.epochs=[1", "The value of --set 'training.epochs=[1' is not YAML. Quote it."),
    ("training.seed=!!int x", "is not YAML"),
    ("gates.7.min=1", "there is no '7' to set there. Name a group of settings, or an item of a list by its number"),
    ("gates.first.min=1", "there is no 'first' to set there"),
    ("gates.²=1", "there is no '²' to set there"),
    ("gates.-1.min=1", "there is no '-1' to set there"),
    ("name.first=1", "name is a value, not a group of settings"),
    ("name.first.second=1", "there is no 'first' to set there"),
    ("gates.0.min=0.1=2", "gates.0.min"),
]


@pytest.mark.parametrize(("override", "message"), BAD_OVERRIDES, ids=[override for override, _ in BAD_OVERRIDES])
def test_bad_overrides_are_refused(file: Path, override: str, message: str) -> None:
    assert message in refusal(file, GOOD, override)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("sentiment", "spam"):
        (tmp_path / "pipelines" / name).mkdir(parents=True)
        (tmp_path / "pipelines" / name / "pipeline.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_pipeline_is_found_by_name_folder_and_file(place: Path) -> None:
    file = place / "pipelines" / "spam" / "pipeline.yaml"
    for name in (
        "spam",
        "pipelines/spam",
        "pipelines/spam/",
        "pipelines/spam/pipeline.yaml",
        str(file.parent),
        str(file),
    ):
        assert loader.find_pipeline(name).resolve() == file.resolve()


def test_a_pipeline_in_the_home_folder_is_found(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(place))
    assert loader.find_pipeline("~/pipelines/spam") == place / "pipelines" / "spam" / "pipeline.yaml"


def test_an_unknown_pipeline_is_answered_with_the_nearest(place: Path) -> None:
    with pytest.raises(SpecError) as caught:
        loader.find_pipeline("sentimnet")
    assert "Did you mean 'sentiment'? There are: sentiment, spam." in str(caught.value)
    assert "perennial init" in str(caught.value)
    with pytest.raises(SpecError, match="There are: sentiment, spam"):
        loader.find_pipeline("zzz")


def test_without_pipelines_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match="There is no folder pipelines/ here"):
        loader.find_pipeline("sentiment")


@pytest.mark.parametrize(
    "name", ["", "x" * 5000, "a\x00b", "~nobody-of-this-name/x"], ids=["empty", "long", "null", "user"]
)
def test_a_name_that_can_be_no_file_is_refused(place: Path, name: str) -> None:
    with pytest.raises(SpecError, match="There is no pipeline"):
        loader.find_pipeline(name)


GROUPS: list[tuple[str, type[BaseModel]]] = [
    ("", pipeline.PipelineSpec),
    ("data.", data.DataSpec),
    ("data.source.", data.FileSource),
    ("data.columns.", data.ColumnsSpec),
    ("data.splits.", data.SplitsSpec),
    ("model.", model.ModelSpec),
    ("training.", training.TrainingSpec),
    ("export.", export.ExportSpec),
    ("export.student.", export.StudentSpec),
    ("export.cascade.", export.CascadeSpec),
    ("evaluation.", evaluation.EvaluationSpec),
    ("evaluation.counterfactuals.", behaviours.CounterfactualsSpec),
    ("behaviours.", behaviours.BehavioursSpec),
    ("gates.0.", gates.GateSpec),
    ("registry.", registry.RegistrySpec),
    ("report.", report.ReportSpec),
    ("serving.", serving.ServingSpec),
    ("serving.log.", prediction_log.PredictionLogSpec),
    ("rollout.", rollout.RolloutSpec),
    ("schedule.", schedule.ScheduleSpec),
    ("triggers.", drift.TriggersSpec),
    ("triggers.limits.", drift.DriftLimits),
    ("notify.", notify.NotifySpec),
    ("monitor.", monitor.MonitorSpec),
    ("monitor.columns.", monitor.LiveColumnsSpec),
    ("monitor.redaction.", monitor.RedactionSpec),
    ("monitor.sql.", streams.TextTableSpec),
    ("monitor.copies.", monitor.CopiesSpec),
    ("monitor.trends.", monitor.TrendsSpec),
    ("monitor.alarms.", monitor.AlarmsSpec),
    ("monitor.health.", monitor.HealthSpec),
    ("monitor.labelling.", monitor.LabellingSpec),
]
KEYS = [(prefix, key, tuple(model.model_fields)) for prefix, model in GROUPS for key in model.model_fields]


def slips(word: str) -> Iterator[str]:
    """All words one slip of a finger away: a letter less, more, other, or two swapped."""
    for i in range(len(word) + 1):
        for letter in "abcdefghijklmnopqrstuvwxyz_":
            yield word[:i] + letter + word[i:]
            if i < len(word):
                yield word[:i] + letter + word[i + 1 :]
        if i < len(word):
            yield word[:i] + word[i + 1 :]
        if i < len(word) - 1:
            yield word[:i] + word[i + 1] + word[i] + word[i + 2 :]


def below(group: type[base.Settings]) -> Iterator[type[base.Settings]]:
    yield group
    for one in group.__subclasses__():
        yield from below(one)


def test_every_group_of_settings_is_tried() -> None:
    tried = {model for _, model in GROUPS}
    groups = {group for group in below(base.Settings) if not group.__name__.startswith("_")}
    untyped = {base.Settings, data.ExpectationSpec, data.HuggingFaceSource, data.SqlSource, evaluation.SliceSpec}
    untyped |= {drift.WindowsSpec}  # what TriggersSpec is made of
    untyped |= {streams.FeedSource, streams.RedisSource, streams.KafkaSource}  # as data.source
    # Those of one test among others are tried in tests/evaluation/test_behaviours_file.py.
    of_tests = {behaviours.MinimumSpec, behaviours.InvarianceSpec, behaviours.DirectionSpec, behaviours.ExpectSpec}
    assert groups - tried == untyped | of_tests


@given(where=st.sampled_from(KEYS), draw=st.data())
def test_a_single_slip_in_a_key_is_answered_with_that_key(
    where: tuple[str, str, tuple[str, ...]], draw: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    prefix, key, keys = where
    typo = draw.draw(st.sampled_from(sorted(set(slips(key)) - set(keys) - {""})))
    # Where the slip is one from another key too, nobody can know.
    assume(not any(typo in set(slips(other)) for other in keys if other != key))
    file = tmp_path_factory.getbasetemp() / "typo.yaml"
    assert f"unknown key '{prefix}{typo}'; did you mean {key!r}?" in refusal(file, GOOD, f"{prefix}{typo}=1")


@given(text=st.text(max_size=60))
def test_any_text_is_read_or_refused_clearly(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SpecError):
        loader.read_pipeline(file)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    value=VALUES,
    group=st.sampled_from(sorted(set(PipelineSpec.model_fields) - {"name", "schedule", "triggers", "monitor"})),
)
def test_any_wrong_value_of_a_group_is_refused_clearly(
    value: object, group: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # No group and no list of gates looks like this, but for the empty group: one of defaults.
    assume(value != {})
    file = tmp_path_factory.getbasetemp() / "value.yaml"
    settings = {**strict_yaml.load(GOOD), group: value}
    assert f"{file}" in refusal(file, yaml.safe_dump(settings, allow_unicode=True))


def test_lines_of_nested_settings() -> None:
    root = yaml.compose(DESIGN)
    assert strict_yaml.line(root, ("data", "columns", "time")) == 6
    assert strict_yaml.line(root, ("data", "expectations", 0, "column")) == 9
    assert strict_yaml.line(root, ("gates", 2, "margin")) == 18
    assert strict_yaml.line(root, ("gates", 9)) == 16
    assert strict_yaml.line(root, ("data", "nothing")) == 5
    assert strict_yaml.line(None, ("data",)) == 1
