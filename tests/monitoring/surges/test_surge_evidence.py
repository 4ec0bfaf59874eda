"""What a surge is about: its own texts only, typical headlines that differ, and one alarm for one story."""

from datetime import UTC, datetime, timedelta

from perennial.monitoring.surges.events import Surge
from perennial.monitoring.surges.evidence import SurgeText, joined, typical, with_evidence

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ENERGY, SHELL = (("topic", "energy"),), (("entity", "Shell"),)


def surge(key: tuple[tuple[str, str], ...], name: str, hours: int = 0) -> Surge:
    opened = NOON + timedelta(hours=hours)
    return Surge(
        id=name,
        key=key,
        label="negative",
        opened=opened,
        until=opened + timedelta(hours=4),
        texts=20,
        counted=9,
        usual_share=0.15,
        p_value=1e-5,
    )


def texts() -> list[SurgeText]:
    lines = ["Oil spill at Shell plant", "Oil spill at Shell plant!", "Shell spill: beaches closed by oil"]
    lines += ["Shell shares fall after oil spill", "Regulator to question Shell on spill", "Spill costs Shell millions"]
    return [
        SurgeText(
            str(n), NOON + timedelta(minutes=n), "negative", line, ("bbc", "ft")[n % 2], ("Shell",), ("energy",), ()
        )
        for n, line in enumerate(lines)
    ]


def test_a_surge_carries_what_its_own_texts_have() -> None:
    others = [
        SurgeText("late", NOON + timedelta(hours=9), "negative", "x", "sky", (), ("energy",)),
        SurgeText("good", NOON, "positive", "x", "sky", (), ("energy",)),
        SurgeText("bank", NOON, "negative", "x", "sky", (), ("banks",)),
    ]
    one = with_evidence(surge(ENERGY, "a"), [*texts(), *others])
    assert [(source.name, source.texts) for source in one.sources] == [("bbc", 3), ("ft", 3)]
    assert [entity.name for entity in one.entities] == ["Shell"]
    assert len(one.headlines) == 5
    assert Surge.model_validate_json(one.model_dump_json()) == one
    without = with_evidence(surge(ENERGY, "a"), texts(), keep_texts=False)
    assert {headline.text for headline in without.headlines} == {None}


def test_headlines_that_say_the_same_are_shown_once() -> None:
    shown = [one.text for one in typical(texts())]
    assert sum(line.startswith("Oil spill at") for line in shown) == 1
    assert typical([]) == []
    assert len(typical([SurgeText(str(n), NOON, "negative", "!!") for n in range(9)])) == 5


def test_a_story_of_one_source_waits() -> None:
    assert with_evidence(surge(ENERGY, "a"), texts(), at_least_sources=3).state == "waiting"
    assert with_evidence(surge(ENERGY, "a"), texts(), at_least_sources=2).state == "open"


def test_surges_of_the_same_texts_are_one() -> None:
    (one,) = joined([surge(SHELL, "b", hours=0), surge(ENERGY, "a", hours=0)], texts())
    assert one.key == SHELL
    assert one.also == (ENERGY,)
    assert len(joined([surge(ENERGY, "a"), surge(ENERGY, "c", hours=9)], texts())) == 2
