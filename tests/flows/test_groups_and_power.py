"""Rows that belong together, and what the gates can decide of them, through the command line."""

from typing import Any

import tiny_pipeline
from place_fixtures import MakePlace

COLUMNS: dict[str, Any] = {"time": "published_at", "slices": ["sector"], "group": "thread"}
GATES = [
    {"metric": "accuracy", "min": 0.6, "min_n": 10},
    {"metric": "accuracy", "versus": "champion", "margin": 0.02},
]


def rows(count: int) -> list[tiny_pipeline.Row]:
    """Twenty rows of each thread."""
    return [row | {"thread": f"t{number // 20}"} for number, row in enumerate(tiny_pipeline.rows(count))]


def test_groups_are_what_a_run_counts(make_place: MakePlace) -> None:
    place = make_place(some=rows(360), data__columns=COLUMNS, gates=GATES)
    before = place.command("power", "tiny", "--json")
    assert before.code == 0, before.text
    floor, versus = before.json["gates"]
    assert floor["clustered_by"] == "group"
    assert floor["clusters"] <= 18 < floor["n"]
    assert 0 <= versus["power"] < 0.5
    assert "groups to test on" in versus["reason"]

    ended = place.run("--json")
    assert ended.code == 0, ended.text
    assert "These rows may be too few for a gate. accuracy at least 0.6" in ended.text, "said before it trains"
    assert ended.json["metrics"]["clustered_by"] == "group"
    assert ended.json["metrics"]["clusters"] == floor["clusters"]
    assert ended.json["metrics"]["n"] == floor["n"]
    [check] = ended.json["checks"]
    assert (check["n"], check["clusters"]) == (floor["n"], floor["clusters"])
    assert f"of {floor['clusters']} groups" in ended.json["reasons"][0]

    for_people = place.command("power", "tiny")
    assert for_people.code == 0, for_people.text
    assert "accuracy versus champion, margin 0.02" in " ".join(for_people.text.split())
    assert place.run("--json").json["reasons"] == ["Already trained: version 1 (promoted)."]
