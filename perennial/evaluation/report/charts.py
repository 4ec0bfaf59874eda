"""Figures as Plotly takes them. Colours of words and lines are the style sheet's, so that they follow light and dark.

Every text that comes from a user goes through `label`: Plotly reads a small HTML in texts.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perennial.core.percent import percent
from perennial.evaluation.report import wording
from perennial.evaluation.report.blocks import Chart
from perennial.evaluation.report.drift import DataDrift
from perennial.metrics.calibration import Bin
from perennial.records.decision import Verdict
from perennial.records.evaluation import BehaviourFigures, GroupFigures
from perennial.records.interval import Interval

# Told apart with any colour vision, and readable on white as on near-black; marks differ in shape, too.
CANDIDATE = "#3b82c4"
CHAMPION = "#c97316"
QUIET = "#7d8794"
GOOD = "#1b9e77"
BAD = "#d1495b"
OPEN = "#b8901f"
"""Undecided."""
_OF_VERDICT = {Verdict.PASS: GOOD, Verdict.FAIL: BAD, Verdict.UNDECIDED: OPEN}

ROW = 34
"""Pixels a row of a chart is high."""
AXES = 110
"""Pixels for what is above and below the rows."""
MOST_ROWS = 40
"""A chart of more rows can't be read; the table below it has all."""

Figure = dict[str, Any]


@dataclass(frozen=True)
class Point:
    """A figure of one model, with its interval."""

    value: float
    interval: Interval | None = None


@dataclass(frozen=True)
class Row:
    """One line of a chart of points."""

    name: str
    candidate: Point | None
    champion: Point | None = None


def label(text: str) -> str:
    """A user's text on an axis: cut, and escaped for Plotly."""
    return html.escape(wording.short(text))


def points(name: str, title: str, caption: str, axis: str, rows: Sequence[Row]) -> Chart:
    """Candidate and champion, row by row, with intervals."""
    shown = rows[:MOST_ROWS]
    series = [
        _series("candidate", CANDIDATE, "circle", [(row.name, row.candidate) for row in shown]),
        _series("champion", CHAMPION, "diamond-open", [(row.name, row.champion) for row in shown]),
    ]
    layout = _rows_layout(axis, [row.name for row in shown]) | {"scattermode": "group", "scattergap": 0.35}
    layout["xaxis"] |= {"range": _range([point for row in shown for point in (row.candidate, row.champion) if point])}
    figure = {"data": [one for one in series if one["x"]], "layout": layout}
    return Chart(name, title, _cut(caption, rows), figure, AXES + ROW * len(shown))


def differences(name: str, title: str, caption: str, points_by_name: Mapping[str, Point]) -> Chart:
    """Candidate minus champion with intervals, around nothing."""
    shown = list(points_by_name.items())[:MOST_ROWS]
    layout = _rows_layout("candidate − champion", [key for key, _ in shown])
    layout["xaxis"] |= {"zeroline": True, "zerolinewidth": 2, "range": _range([Point(0), *(p for _, p in shown)])}
    figure = {"data": [_series("difference", CANDIDATE, "circle", shown)], "layout": layout | {"showlegend": False}}
    return Chart(name, title, _cut(caption, list(points_by_name)), figure, AXES - 30 + ROW * len(shown))


def calibration(title: str, caption: str, reliability: Mapping[str, Sequence[Bin]]) -> Chart:
    """The reliability diagram: share of right answers by score."""
    ideal = _line("as often right as sure", QUIET, "dot", [0, 1], [0, 1]) | {"mode": "lines", "hoverinfo": "skip"}
    looks = {"candidate": (CANDIDATE, "solid", "circle"), "champion": (CHAMPION, "dash", "diamond-open")}
    data = [ideal]
    for model, bins in reliability.items():
        colour, dash, symbol = looks[model]
        one = _line(model, colour, dash, [part.mean_score for part in bins], [part.accuracy for part in bins])
        data.append(
            one
            | {
                "marker": {"color": colour, "symbol": symbol, "size": 8},
                "customdata": [part.n for part in bins],
                "hovertext": [percent(part.accuracy, 1) for part in bins],
                "hovertemplate": "score %{x:.2f}: %{hovertext} right, n = %{customdata:,}<extra></extra>",
            }
        )
    layout = _layout("score of the answer", "share of right answers")
    layout["xaxis"] |= {"range": [-0.02, 1.02]}
    layout["yaxis"] |= {"range": [-0.02, 1.04], "tickformat": ".0%"}
    return Chart("calibration-chart", title, caption, {"data": data, "layout": layout}, 380)


def behaviour_rates(
    title: str,
    caption: str,
    tests: Sequence[BehaviourFigures],
    rivals: Mapping[str, BehaviourFigures],
    verdicts: Sequence[Verdict],
) -> Chart:
    """Pass rates with what each came to (`verdicts`, of each of `tests`), the least that each test asks for, and the
    champion's rates (`rivals`, by test)."""
    shown = tests[:MOST_ROWS]
    rates = [test.passed / test.n if test.n else 0.0 for test in shown]
    colours = [_OF_VERDICT.get(verdict, QUIET) for verdict in verdicts[: len(shown)]]
    row_numbers = list(range(len(shown)))
    needed = {
        "type": "scatter",
        "mode": "markers",
        "name": "needed",
        "x": [test.min_pass_rate for test in shown],
        "y": row_numbers,
        "marker": {"symbol": "line-ns", "size": 18, "line": {"width": 3, "color": QUIET}},
        "hovertext": [percent(test.min_pass_rate, 1) for test in shown],
        "hovertemplate": "needed %{hovertext}<extra></extra>",
    }
    bars = _bars("passed", rates, colours) | {"showlegend": False}
    rates_and_verdicts = zip(bars["hovertext"], verdicts, strict=False)
    bars["hovertext"] = [
        f"{rate}, undecided" if verdict is Verdict.UNDECIDED else rate for rate, verdict in rates_and_verdicts
    ]
    layout = _rows_layout("passed", [test.name for test in shown])
    layout["xaxis"] |= {"range": [0, 1.03], "tickformat": ".0%"}
    beside = [_champions(shown, rivals)] if rivals else []
    figure = {"data": [bars, needed, *beside], "layout": layout}
    return Chart("behaviours-chart", title, _cut(caption, tests), figure, AXES + ROW * len(shown))


def _champions(shown: Sequence[BehaviourFigures], rivals: Mapping[str, BehaviourFigures]) -> Figure:
    both = [(index, rivals[test.name]) for index, test in enumerate(shown) if test.name in rivals]
    rates = [(row_number, rival.passed / rival.n) for row_number, rival in both if rival.n]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "champion",
        "x": [rate for _, rate in rates],
        "y": [row_number for row_number, _ in rates],
        # Filled with white: it lies upon the bars.
        "marker": {"symbol": "diamond", "size": 11, "color": "#ffffff", "line": {"width": 2, "color": CHAMPION}},
        "hovertext": [percent(rate, 1) for rate, _ in rates],
        "hovertemplate": "champion %{hovertext}<extra></extra>",
    }


def fairness(title: str, caption: str, groups: Sequence[GroupFigures]) -> Chart:
    """How often a swap changed the answer, by group."""
    shown = groups[:MOST_ROWS]
    rates = [group.flips / group.n if group.n else 0.0 for group in shown]
    bars = _bars("answers changed", rates, [CANDIDATE] * len(shown))
    layout = _rows_layout("answers that changed", [group.group for group in shown]) | {"showlegend": False}
    layout["xaxis"] |= {"tickformat": ".1%", "rangemode": "tozero"}
    figure = {"data": [bars], "layout": layout}
    return Chart("fairness-chart", title, _cut(caption, groups), figure, AXES - 30 + ROW * len(shown))


def label_share_bars(title: str, caption: str, order: Sequence[str], drift: DataDrift) -> Chart:
    """Shares of the labels among the new rows and among the older ones."""
    shown = order[:MOST_ROWS]
    sides = [("new rows", CANDIDATE, drift.new), ("older rows", QUIET, drift.old)]
    data = []
    for name, colour, side in sides:
        if side is not None:
            total = max(sum(side.labels.values()), 1)
            shares = [side.labels.get(one, 0) / total for one in shown]
            data.append(_bars(name, shares, [colour] * len(shown)))
    layout = _rows_layout("share of the rows", shown) | {"barmode": "group", "bargap": 0.3}
    layout["xaxis"] |= {"tickformat": ".0%", "rangemode": "tozero"}
    return Chart("labels-drift", title, _cut(caption, order), {"data": data, "layout": layout}, AXES + ROW * len(shown))


def lengths(title: str, caption: str, drift: DataDrift) -> Chart:
    """How long the new rows' texts are, and the older ones'."""
    starts = list(drift.edges[:-1])
    data = []
    for name, colour, dash, side in (
        ("new rows", CANDIDATE, "solid", drift.new),
        ("older rows", QUIET, "dash", drift.old),
    ):
        if side is not None:
            line = _line(name, colour, dash, starts, list(side.lengths)) | {"mode": "lines"}
            line["line"] |= {"shape": "hv"}
            line["hovertext"] = [percent(share, 1) for share in side.lengths]
            line["hovertemplate"] = "from %{x:.0f} characters: %{hovertext}<extra></extra>"
            data.append(line)
    layout = _layout("characters", "share of the rows")
    layout["yaxis"] |= {"tickformat": ".0%", "rangemode": "tozero"}
    return Chart("lengths-drift", title, caption, {"data": data, "layout": layout}, 300)


def losses(title: str, caption: str, training: _Curve, validation: _Curve) -> Chart:
    """Loss by epoch, of training batches and on the validation split."""
    data = [
        _line("training loss", QUIET, "solid", *training) | {"mode": "lines"},
        _line("log loss on validation", CANDIDATE, "solid", *validation),
    ]
    layout = _layout("epoch", "loss")
    layout["yaxis"] |= {"rangemode": "tozero"}
    return Chart("losses", title, caption, {"data": [one for one in data if one["x"]], "layout": layout}, 320)


def validation(title: str, caption: str, metric: str, curve: _Curve, best: float) -> Chart:
    """The score that chooses the checkpoint, by epoch; the chosen one is marked."""
    line = _line(metric, CANDIDATE, "solid", *curve)
    chosen = [(x, y) for x, y in zip(*curve, strict=True) if abs(x - best) < 0.01]
    mark = {
        "type": "scatter",
        "mode": "markers",
        "name": "kept",
        "x": [x for x, _ in chosen],
        "y": [y for _, y in chosen],
        "marker": {"symbol": "star", "size": 16, "color": CHAMPION},
        "hovertemplate": "kept: epoch %{x:.2f}<extra></extra>",
    }
    return Chart("scores", title, caption, {"data": [line, mark], "layout": _layout("epoch", metric)}, 320)


_Curve = tuple[list[float], list[float]]


def heat(name: str, title: str, caption: str, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Chart:
    """A confusion matrix of too many labels for a table: shares of each true label's rows."""
    names = [label(one) for one in labels]
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    cells = {
        "type": "heatmap",
        "z": shares,
        "customdata": [list(row) for row in counts],
        "zmin": 0,
        "zmax": 1,
        "colorscale": [[0, "rgba(59,130,196,0)"], [1, "rgba(59,130,196,1)"]],
        "showscale": False,
        "hovertext": [[percent(share, 1) for share in row] for row in shares],
        "hovertemplate": "row %{y}, column %{x}: %{customdata:,} (%{hovertext})<extra></extra>",
    }
    layout = _layout("predicted", "true")
    ticks = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": names, "showgrid": False}
    layout["xaxis"] |= ticks | {"tickangle": -90}
    layout["yaxis"] |= ticks | {"autorange": "reversed"}
    return Chart(name, title, caption, {"data": [cells], "layout": layout}, min(220 + 16 * len(names), 1100))


def _series(name: str, colour: str, symbol: str, named_points: Sequence[tuple[str, Point | None]]) -> Figure:
    here = [(index, key, point) for index, (key, point) in enumerate(named_points) if point is not None]
    tooltip = f"%{{text}}: {name} %{{x:.4f}} (%{{customdata[0]:.4f}} to %{{customdata[1]:.4f}})"
    spans = [_span(point) for _, _, point in here]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "offsetgroup": name,
        "orientation": "h",
        "x": [point.value for _, _, point in here],
        "y": [row_number for row_number, _, _ in here],
        "text": [label(key) for _, key, _ in here],
        "marker": {"color": colour, "symbol": symbol, "size": 10, "line": {"width": 2, "color": colour}},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [max(span.high - point.value, 0) for span, (_, _, point) in zip(spans, here, strict=True)],
            "arrayminus": [max(point.value - span.low, 0) for span, (_, _, point) in zip(spans, here, strict=True)],
            "color": colour,
            "thickness": 1.6,
            "width": 4,
        },
        "customdata": [[span.low, span.high] for span in spans],
        "hovertemplate": f"{tooltip}<extra></extra>",
    }


def _span(point: Point) -> Interval:
    return point.interval or Interval(low=point.value, high=point.value)


def _range(points_shown: Sequence[Point]) -> list[float] | None:
    """From the lowest to the highest end of the intervals, with a margin. Plotly's own begins at 0."""
    spans = [_span(point) for point in points_shown]
    if not spans:
        return None
    low, high = min(span.low for span in spans), max(span.high for span in spans)
    margin = 0.05 * (high - low) or 0.05
    return [low - margin, high + margin]


def _bars(name: str, shares: Sequence[float], colours: Sequence[str]) -> Figure:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": list(shares),
        "y": list(range(len(shares))),
        "marker": {"color": list(colours)},
        "hovertext": [percent(share, 1) for share in shares],
        "hovertemplate": f"{name} %{{hovertext}}<extra></extra>",
    }


def _line(name: str, colour: str, dash: str, x: Sequence[float], y: Sequence[float]) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": list(x),
        "y": list(y),
        "line": {"color": colour, "dash": dash, "width": 2},
        "marker": {"color": colour, "size": 6},
        "hovertemplate": f"{name} %{{y:.4f}} at %{{x:.2f}}<extra></extra>",
    }


def _layout(across: str, up: str) -> Figure:
    axis = {"automargin": True, "zeroline": False, "fixedrange": True, "title": {"standoff": 8}}
    return {
        "margin": {"l": 8, "r": 12, "t": 36, "b": 8},
        "xaxis": axis | {"title": {"text": across, "standoff": 8}},
        "yaxis": axis | {"title": {"text": up, "standoff": 8}},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 12},
        "dragmode": False,
        "hovermode": "closest",
        "showlegend": True,
    }


def _rows_layout(across: str, names: Sequence[str]) -> Figure:
    layout = _layout(across, "")
    # Rows go by their number: two long names may look alike once they are cut.
    ticks = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": [label(name) for name in names]}
    layout["yaxis"] |= ticks | {"range": [len(names) - 0.5, -0.5], "title": {"text": ""}, "showgrid": False}
    layout["yaxis"] |= {"ticklabelstandoff": 6}
    return layout


def _cut(caption: str, rows: Sequence[object]) -> str:
    if len(rows) <= MOST_ROWS:
        return caption
    return f"{caption} The chart shows the first {MOST_ROWS} of {len(rows):,}; the table has all."
