"""Who is told what, and when: each thing once, not at night, not too often, and later if a channel is down."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alarm_tables import home_in, pipeline, row, table
from channels import Webhook, webhook

from perennial import notifications
from perennial.core.home import Home
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.alarms.alarm_database import writing
from perennial.monitoring.alarms.alarm_table import acknowledge, alarms_of
from perennial.monitoring.alarms.joining import EventKeeper
from perennial.monitoring.alarms.quiet_hours import is_quiet
from perennial.monitoring.alarms.surge_texts import SurgeTexts
from perennial.monitoring.alarms.telling import AlarmNews, Told, tell_alarms
from perennial.monitoring.surges.events import Surge
from perennial.monitoring.trends.calendar import Calendar
from perennial.settings.monitor.alarms import AlarmsSpec
from perennial.settings.pipeline import PipelineSpec
from tasks.alarms import tell_of_alarms

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NIGHT = NOON + timedelta(hours=11)


def surge(one: str = "a", *, bad: int = 9, hours: int = 3, cleared: datetime | None = None, topic: str = "") -> Surge:
    return Surge(
        id=one,
        key=(("topic", topic),) if topic else (),
        label="negative",
        state="cleared" if cleared else "open",
        opened=NOON - timedelta(hours=3),
        until=NOON - timedelta(hours=3) + timedelta(hours=hours),
        cleared=cleared,
        texts=20,
        counted=bad,
        usual_share=0.2,
        p_value=1e-5,
    )


def happen(home: Home, *surges: Surge, sources: Sequence[str] = ("bbc",), **alarms: Any) -> None:
    """As a look keeps what it saw; all texts of a surge have its topic."""
    spec = pipeline(alarms).monitor
    assert spec
    rows = [
        row(1000 * ord(one.id) + n, one.opened + timedelta(minutes=n), "negative", source=source, topic=topics)
        for one, topics in ((one, [value for _, value in one.key]) for one in surges)
        for n, source in enumerate(sources)
    ]
    with writing(home, "news") as connection:
        texts = SurgeTexts(connection, "negative")
        texts.add(table(rows))
        texts.by_time()
        EventKeeper(connection, spec.alarms, texts).keep(surges, Calendar(180))


def channels(**alarms: Any) -> PipelineSpec:
    return pipeline(alarms, urls_env="TEAM_URL")


class Channel:
    """Takes news, or is down."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.is_up = True

    def __call__(self, news: Sequence[AlarmNews]) -> bool:
        self.titles += [one.title for one in news] if self.is_up else []
        return self.is_up


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return home_in(tmp_path)


@pytest.fixture
def channel() -> Channel:
    return Channel()


def only(home: Home) -> Alarm:
    (alarm,) = alarms_of(home, "news")
    return alarm


def test_an_event_is_told_when_it_begins_grows_worse_and_is_over_each_once(home: Home, channel: Channel) -> None:
    spec = channels()
    happen(home, surge())
    assert tell_alarms(spec, home, NOON, channel) == Told(told=1)
    assert tell_alarms(spec, home, NOON, channel) == Told()
    happen(home, surge(bad=10, hours=6))
    assert tell_alarms(spec, home, NOON, channel) == Told()
    happen(home, surge(bad=15, hours=9), sources=("bbc", "ft", "sky", "itv", "pa"))
    assert tell_alarms(spec, home, NOON + timedelta(hours=6), channel) == Told(told=1)
    happen(home, surge(bad=15, hours=9, cleared=NOON + timedelta(hours=9)))
    tell_alarms(spec, home, NOON + timedelta(hours=10), channel)
    assert channel.titles == [
        "news: surge of negative in all texts (info)",
        "news: surge of negative in all texts (critical, grew worse)",
        "news: surge of negative in all texts (over)",
    ]
    assert only(home).told == (NOON, NOON + timedelta(hours=6), NOON + timedelta(hours=10))
    assert only(home).surge.source_count == 5  # Its texts were not all there in the last look.


def test_a_surge_of_the_same_texts_in_another_series_is_the_same_alarm(home: Home, channel: Channel) -> None:
    happen(home, surge("a", topic="energy"))
    happen(home, surge("a", topic="energy"), surge("b", topic=""))
    assert only(home).surge.also == ((),)
    happen(home, surge("a", topic="energy", cleared=NOON), surge("b"))
    assert not only(home).is_over
    happen(home, surge("b", cleared=NOON + timedelta(hours=3)))
    assert only(home).surge.cleared == NOON + timedelta(hours=3)
    tell_alarms(channels(), home, NOON, channel)
    assert channel.titles == ["news: surge of negative in topic energy (over)"]


def test_quiet_hours_are_kept_and_broken_by_what_is_critical(home: Home, channel: Channel) -> None:
    spec = channels(quiet_hours="22:00-07:00")
    happen(home, surge(topic="y"))
    assert tell_alarms(spec, home, NIGHT, channel) == Told(kept_back=1)
    assert (channel.titles, only(home).kept_back, only(home).told) == ([], "quiet hours", ())
    assert tell_alarms(spec, home, NIGHT + timedelta(hours=8), channel) == Told(told=1)
    assert only(home).kept_back is None
    happen(home, surge("b", bad=19, topic="x"), sources=("bbc", "ft", "sky", "itv", "pa"))
    assert tell_alarms(spec, home, NIGHT, channel) == Told(told=1)


def test_quiet_hours_that_are_none_are_told_in_words() -> None:
    with pytest.raises(ValueError, match="two times of the day were expected"):
        AlarmsSpec(quiet_hours="22-6")


@pytest.mark.parametrize(
    ("hours", "clock", "quiet"),
    [
        ("22:00-07:00", 23, True),
        ("22:00-07:00", 6, True),
        ("22:00-07:00", 7, False),
        ("12:00-13:00", 12, True),
        ("12:00-13:00", 22, False),
        (None, 3, False),
    ],
)
def test_quiet_hours_are_by_a_clock(hours: str | None, clock: int, quiet: bool) -> None:
    assert is_quiet(hours, "UTC", NOON.replace(hour=clock)) == quiet
    assert is_quiet(hours, "Asia/Tokyo", NOON.replace(hour=clock) - timedelta(hours=9)) == quiet


def test_no_more_messages_a_day_than_were_asked_for(home: Home, channel: Channel) -> None:
    spec = channels(most_a_day=2)
    for topic in "xyz":
        happen(home, surge(topic, topic=topic))
    assert tell_alarms(spec, home, NOON, channel) == Told(told=2, kept_back=1)
    assert [one.kept_back for one in alarms_of(home, "news")] == [None, None, "the rate limit"]
    assert tell_alarms(spec, home, NOON + timedelta(hours=23), channel) == Told(kept_back=1)
    assert tell_alarms(spec, home, NOON + timedelta(hours=24), channel) == Told(told=1)
    assert len(channel.titles) == 3


def test_what_is_no_news_is_not_told_and_it_is_kept_why(home: Home, channel: Channel) -> None:
    happen(home, surge("a", topic="x", cleared=NOON))
    tell_alarms(channels(), home, NOON + timedelta(days=3), channel)
    assert "over for a day" in str(only(home).kept_back)
    happen(home, surge("b", topic="y"))
    tell_alarms(channels(least_severity="warning"), home, NOON, channel)
    happen(home, surge("c", topic="z"))
    tell_alarms(pipeline(), home, NOON, channel)
    reasons = [one.kept_back for one in alarms_of(home, "news")][1:]
    assert reasons == ["its severity is below least_severity", "notify.urls_env names no channel"]
    assert channel.titles == []


def test_who_looks_after_an_alarm_hears_only_that_it_is_over(home: Home, channel: Channel) -> None:
    happen(home, surge())
    tell_alarms(channels(), home, NOON, channel)
    acknowledge(home, "news", "a", "ann", NOON)
    happen(home, surge(bad=19))
    assert tell_alarms(channels(), home, NOON, channel) == Told()
    happen(home, surge(bad=19, cleared=NOON))
    assert tell_alarms(channels(), home, NOON, channel) == Told(told=1)
    assert (only(home).acknowledged_by, len(channel.titles)) == ("ann", 2)


def test_who_is_killed_while_telling_tells_again(home: Home, channel: Channel) -> None:
    happen(home, surge())

    def killed(_: Sequence[AlarmNews]) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell_alarms(channels(), home, NOON, killed)
    assert tell_alarms(channels(), home, NOON, channel) == Told(told=1)


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    monkeypatch.setattr(notifications, "RETRY_SECONDS", 0.01)
    with webhook() as made:
        monkeypatch.setenv("TEAM_URL", made.url)
        import apprise  # noqa: F401 - so that what a channel may take is not spent on it

        yield made


def test_a_real_channel_that_is_down_is_told_when_it_is_up(home: Home, hook: Webhook) -> None:
    spec, hook.status = pipeline(urls_env="TEAM_URL", timeout_seconds=60), 500
    happen(home, surge())
    assert tell_of_alarms(spec, home, NOON) == Told(kept_back=1)
    assert (only(home).kept_back, only(home).told) == ("a channel that is down", ())
    hook.status = 200
    assert tell_of_alarms(spec, home, NOON + timedelta(minutes=15)) == Told()
    assert only(home).told == (NOON + timedelta(minutes=15),)
    assert tell_of_alarms(spec, home, NOON + timedelta(minutes=30)) == Told()
    (message,) = hook.sent
    assert message["title"] == "news: surge of negative in all texts (info)"
    assert "9 of 20 are negative (45%; usual are 20%)" in message["message"]
    assert "hunter2" not in json.dumps(message)
