"""What a report says, and that nothing in it is read as HTML but its own."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import plotly.graph_objects as go
import pytest
import report_data
from report_data import EVIL

from perennial.evaluation.report import charts, heading, page, sections, wording
from perennial.evaluation.report.blocks import Chart
from perennial.evaluation.report.material import Material
from perennial.records.decision import Outcome, Verdict
from perennial.records.evaluation import BehaviourFigures, Evaluation, Metrics

KINDS = {
    "regression": Metrics(n=300, values={"mae": 0.2, "rmse": 0.3}),
    "multi-label": Metrics(
        n=300, values={"micro_f1": 0.8}, per_label={"a": {"f1": 0.7}, "b": {"f1": 0.9}}, support={"a": 90, "b": 60}
    ),
    "token-classification": Metrics(n=300, values={"f1": 0.8}, per_label={"ORG": {"f1": 0.7}}, support={"ORG": 90}),
}


class Seen(HTMLParser):
    """A page's elements, the words a reader sees, and where it points to."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.data: list[str] = []
        self.inside = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.inside = tag
        given = dict(attrs)
        assert not [name for name in given if name.startswith("on")]
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "data"}]
        if given.get("type") == "application/json":
            self.inside = "json"

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "json":
            self.data.append(data)
        elif self.inside not in {"script", "style"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def seen(material: Material) -> Seen:
    return Seen(page.render_page(material))


@pytest.fixture(scope="module")
def full() -> Seen:
    return seen(report_data.material())


def test_the_decision_is_on_top_and_every_section_follows(full: Seen) -> None:
    assert full.text.index("The candidate is rejected: 1 of 5 checks failed.") < full.text.index("Checks")
    names = [section.title for section in sections.all_of(report_data.material())]
    assert len(names) == 14
    for name in names:
        assert name in full.text
    for told in (
        "0.8710", "0.8510 to 0.8910", "+0.0120 (−0.0030 to +0.0270)", "tfidf", "31 rows of 1,200 (2.6%)", "p = 0.0312",
        "time: newest quarter", "total variation distance is 0.077", "30 rows set aside (0.2%)", "text is blank",
        "Warning: the label shares", "4.1 ms", "c" * 64, "2026-09-30T12:00:00Z", "holds no texts",
    ):  # fmt: skip
        assert told in full.text, told


def test_a_page_fetches_nothing(full: Seen) -> None:
    assert {address for address in full.addresses if not address.startswith(("#", "data:"))} == set()
    assert "default-src 'none'" in page.render_page(report_data.material())


def test_a_behaviour_that_is_undecided_is_neither_good_nor_bad() -> None:
    rates = {"passes": 10, "fails": 1, "open": 6}
    tests = [
        BehaviourFigures(name=name, capability="negation", type="minimum", n=10, passed=passed, min_pass_rate=0.7)
        for name, passed in rates.items()
    ]
    verdicts = [Verdict.PASS, Verdict.FAIL, Verdict.UNDECIDED]
    [bars, *_] = charts.behaviour_rates("Pass rates", "", tests, {}, verdicts).figure["data"]
    assert bars["marker"]["color"] == [charts.GOOD, charts.BAD, charts.OPEN]
    assert ["undecided" in rate for rate in bars["hovertext"]] == [False, False, True]


def test_charts_are_what_plotly_takes_and_told_in_words(full: Seen) -> None:
    found = [
        block for part in sections.all_of(report_data.material()) for block in part.blocks if isinstance(block, Chart)
    ]
    assert len(found) == len(full.data) == 10
    for chart, data in zip(found, full.data, strict=True):
        assert json.loads(data) == json.loads(json.dumps(chart.figure))
        assert go.Figure(chart.figure).data
        assert len(chart.caption) > 20
        assert chart.caption in full.text


def test_what_users_wrote_is_never_read_as_html(full: Seen) -> None:
    labels = [EVIL, "</script><img src=x onerror=alert(1)>", "a & b"]
    decision = report_data.decision().model_copy(update={"reasons": (f"recall of '{EVIL}' is too low.",)})
    bad = replace(
        report_data.material(labels, evidence=report_data.evidence(labels, decision=decision)),
        texts={f"{place:032x}": f"text {EVIL}" for place in range(20)},
        set_aside={EVIL: 3},
    )
    found = seen(bad)
    assert sorted(set(found.elements)) == sorted(set(full.elements))
    assert found.elements.count("script") == full.elements.count("script")
    assert EVIL in found.text
    for data in found.data:
        assert "<" not in data
        for text in re.findall(r'"(?:text|ticktext)": (\[.*?\])', json.dumps(json.loads(data))):
            assert "<" not in text


def test_two_long_labels_stay_two_rows() -> None:
    labels = [f"{'the same beginning ' * 3}{place}" for place in range(3)]
    assert len({charts.label(label) for label in labels}) == 3
    chart = charts.points("x", "", "", "f1", [charts.Row(label, charts.Point(0.5)) for label in ["a" * 90, "a" * 91]])
    assert chart.figure["data"][0]["y"] == [0, 1]


def test_what_lies_behind_the_figures_is_there(full: Seen) -> None:
    for told in (
        "The candidate contradicts the label of 2 of 2,400 test and validation rows (0.1%): perennial review tiny",
        f"{'a' * 32} negative positive 0.0123",
        "Versions of the libraries",
        "onnxruntime 1.31.1",
        "length: shortest quarter length 3 to 41 characters 300",
        "time: oldest quarter time June to July 300",
        "negation of praise robustness minimum 48 50 96.0% 82.0% 90.0%",
        "typos change nothing robustness invariance 171 200 85.5% — 90.0%",
    ):
        assert told in full.text, told


def test_what_was_not_measured_is_said() -> None:
    bare = Evaluation(
        digest="1" * 64, candidate=Metrics(n=40, values={"accuracy": 0.9}), champion=None, champion_version=None,
        champion_problem=None, baselines={}, predictions_path="evaluate/x/predictions.parquet",
    )  # fmt: skip
    decision = report_data.decision(Outcome.HOLD).model_copy(update={"checks": (), "reasons": ()})
    empty = Material(report_data.spec(), report_data.evidence(evaluation=bare, decision=decision))
    found = seen(empty)
    for told in (
        "There is no champion yet", "No gate applied to this run.", "no labels with figures", "no confusion matrix",
        "No part of the test rows was judged by itself", "no champion to compare answers with", "no scores at hand",
        "no behavioural tests", "that could be swapped", "Not measured in this run", "log is not in this store",
        "not in this store, so the new ones", "Label errors were not looked for",
    ):  # fmt: skip
        assert told in found.text, told
    assert found.data == []


def test_a_champion_that_could_not_be_judged_is_told() -> None:
    evaluation = report_data.evaluation().model_copy(
        update={"champion": None, "comparison": None, "champion_problem": "its package is damaged."}
    )
    found = seen(report_data.material(evidence=report_data.evidence(evaluation=evaluation)))
    assert "The champion, version 7, can't be judged: its package is damaged." in found.text
    assert "not judged" in found.text


@pytest.mark.parametrize("shown", [False, True])
def test_texts_are_shown_only_where_the_pipeline_says_so(shown: bool) -> None:
    given = {"texts": {f"{0:032x}": "a secret text"}, "cases": {"negation of praise 0": "not good"}} if shown else {}
    found = seen(report_data.material(spec=report_data.spec(report={"show_texts": shown}), **given))
    assert ("a secret text" in found.text) is shown
    assert ("not good" in found.text) is shown
    assert ("holds no texts" in found.text) is not shown


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_report(kind: str) -> None:
    figures = KINDS[kind]
    changes: dict[str, Any] = {"kind": kind, "gates": [{"metric": next(iter(figures.values)), "max": 1.0}]}
    if kind != "regression":
        changes["gates"] = [{"metric": next(iter(figures.values)), "min": 0.1}]
    evaluation = report_data.evaluation().model_copy(
        update={"candidate": figures, "champion": figures, "baselines": {}, "slices": (), "comparison": None}
    )
    spec = report_data.spec(tuple(figures.support), **changes)
    found = seen(replace(report_data.material(), spec=spec, evidence=report_data.evidence(evaluation=evaluation)))
    assert kind in found.text
    assert ("ORG" in found.text) is (kind == "token-classification")


@pytest.mark.parametrize(
    ("registry", "told"),
    [
        ({}, "The candidate may become champion: 1 of 1 check passed."),
        ({"mode": "observe"}, "nothing moves"),
        ({"approval": "required"}, "once a person approves"),
    ],
)
def test_a_candidate_that_passed_is_told_what_comes_next(registry: dict[str, str], told: str) -> None:
    checks = report_data.decision().checks[:1]
    decision = report_data.decision(Outcome.PROMOTE).model_copy(update={"checks": checks, "reasons": ()})
    material = report_data.material(
        spec=report_data.spec(registry=registry), evidence=report_data.evidence(decision=decision)
    )
    assert told in heading.heading_of(material).sentence


def test_many_labels_are_a_heat_map_and_a_table_of_the_worst() -> None:
    labels = [f"label {place}" for place in range(60)]
    found = seen(report_data.material(labels))
    assert "confusion" in page.render_page(report_data.material(labels))
    assert "The chart shows the first 40 of 60; the table has all." in found.text


def test_figures_in_words() -> None:
    assert wording.number(float("nan")) == wording.number(None) == "—"
    assert wording.signed(-0.01234) == "−0.0123"
    assert wording.share(1, 0) == "—"
    assert wording.several(1, "row") == "1 row"
    assert len(wording.short("x" * 100)) == 28


def test_both_counts_are_told_where_rows_belong_together() -> None:
    whole = report_data.material()
    evidence = whole.evidence
    together = {"clusters": 320, "clustered_by": "text"}
    evaluation = evidence.evaluation.model_copy(
        update={"candidate": evidence.evaluation.candidate.model_copy(update=together)}
    )
    checks = [check.model_copy(update=together) for check in evidence.decision.checks]
    decision = evidence.decision.model_copy(update={"checks": tuple(checks)})
    changed = evidence.model_copy(update={"evaluation": evaluation, "decision": decision})
    text = seen(replace(whole, evidence=changed)).text
    for words in ("320 texts; of", "1,200 test rows of 320 texts", "(320 texts)", "those of a text together"):
        assert words in text
        assert words not in seen(whole).text
