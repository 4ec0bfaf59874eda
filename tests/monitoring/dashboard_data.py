"""A made-up stream of two weeks with a planted surge, copies and a new version, and what stands beside it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.dashboard.dashboard_material import DashboardMaterial
from perennial.monitoring.dashboard.figures import VersionMark
from perennial.monitoring.health.health_figures import HealthFigures
from perennial.monitoring.surges.events import Headline, Mention, Surge, surge_id
from perennial.records.interval import Interval
from perennial.settings.data import FileSource
from perennial.settings.monitor import MonitorSpec
from perennial.stream.live_text import stored_schema

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 14
NOW = BEGIN + timedelta(days=DAYS, hours=1)
SURGE = BEGIN + timedelta(days=12, hours=9)
SURGE_HOURS = 3
SCRIPT = "<script>window.broken = 1</script> & <b>bold</b> said Zeta"
TOPICS = ("banks", "energy", "retail")
ENTITIES = ("Acme", "Umbra", "Zeta", "Nordwind", "O'Neil & <i>Sons</i>")
SOURCES = ("wire", "gazette", "blog")
WORDS = {"positive": "profit rises at", "neutral": "meeting held at", "negative": "shares fall at"}
LABELS = tuple(WORDS)
KEY = (("topic", "banks"),)


def monitor(**changes: Any) -> MonitorSpec:
    return MonitorSpec.model_validate({"source": FileSource(type="file", path="live/*.jsonl"), **changes})


def row(number: int, time: datetime, label: str = "neutral", **changes: Any) -> dict[str, Any]:
    entity = ENTITIES[number % len(ENTITIES)]
    made = {
        "id": f"id-{number}",
        "text": f"{WORDS.get(label, label)} {entity}, report {number}",
        "time": time,
        "read": time + timedelta(minutes=4),
        "source": SOURCES[number % len(SOURCES)],
        "story": f"id-{number}",
        "telling": "first",
        "model": "1",
        "label": label,
        "score": 0.5 + (number % 50) / 100,
        "scores": [0.2, 0.3, 0.5],
        "topic": [TOPICS[number % len(TOPICS)]],
        "entities": [entity],
        "kept": [],
    }
    return made | changes


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, stored_schema())


def stream(seed: int = 7, text: str = SCRIPT) -> list[pa.Table]:
    """A table a day, of about 300 texts; two thirds of the surge's are negative and of banks."""
    rng = np.random.default_rng(seed)
    rows: list[list[dict[str, Any]]] = []
    number = 0
    for day in range(DAYS):
        rows.append([])
        for minute in sorted(rng.integers(0, 24 * 60, 280).tolist()):
            time = BEGIN + timedelta(days=day, minutes=minute)
            surging = SURGE <= time < SURGE + timedelta(hours=SURGE_HOURS)
            for _ in range(4 if surging else 1):
                shares = [0.05, 0.1, 0.85] if surging else [0.3, 0.5, 0.2]
                label = LABELS[int(rng.choice(3, p=shares))]
                extra = {"topic": ["banks"]} if surging else {}
                rows[-1].append(row(number, time, label, model="1" if day < 9 else "2", **extra))
                number += 1
    first = next(one for one in rows[12] if one["time"] >= SURGE)
    first |= {"text": text, "label": "negative", "score": 0.99}
    late = BEGIN + timedelta(days=13, hours=23, minutes=50)
    told = {"text": "Umbra <em>recalls</em> everything", "label": "negative", "model": "2"}
    rows[-1].append(row(number, late, **told))
    for copy in range(1, 4):
        again = {"story": f"id-{number}", "telling": "copy", "source": f"paper {copy}"}
        rows[-1].append(row(number + copy, late + timedelta(minutes=copy), **told, **again))
    return [table(one) for one in rows]


def surge(**changes: Any) -> Surge:
    made = {
        "id": surge_id(KEY, "negative", SURGE),
        "key": KEY,
        "label": "negative",
        "state": "cleared",
        "opened": SURGE,
        "until": SURGE + timedelta(hours=SURGE_HOURS),
        "cleared": SURGE + timedelta(hours=SURGE_HOURS + 2),
        "texts": 44,
        "counted": 38,
        "usual_share": 0.2,
        "p_value": 1e-9,
        "sources": (Mention(name="wire", texts=20), Mention(name="gazette", texts=18)),
        "source_count": 3,
        "entities": (Mention(name=ENTITIES[-1], texts=9),),
        "topics": (Mention(name="banks", texts=44),),
        "headlines": (Headline(id="id-1", text=SCRIPT),),
    }
    return Surge.model_validate(made | changes)


def alarm(**changes: Any) -> Alarm:
    told = (SURGE + timedelta(hours=1), SURGE + timedelta(hours=5))
    made = {"surge": surge(), "severity": "critical", "told": told, "acknowledged_by": "kim", "verdict": "real"}
    return Alarm.model_validate(made | changes)


def health(windows: int = 6) -> list[HealthFigures]:
    looks = []
    for number in range(windows):
        last = BEGIN + timedelta(days=2 * number + 2)
        worse = 0.03 * number
        looks.append(
            HealthFigures(
                looked=last,
                model="1" if number < 5 else "2",
                texts=500,
                first=last - timedelta(days=2),
                last=last,
                unsure_share=0.1 + worse,
                estimated_accuracy=None if number == 1 else 0.9 - worse,
                estimated_interval=None if number == 1 else Interval(low=0.85 - worse, high=0.94 - worse),
                not_estimated="labels have shifted" if number == 1 else None,
                labelled=40 * (number > 2),
                accuracy=0.88 - worse if number > 2 else None,
                accuracy_interval=Interval(low=0.78 - worse, high=0.95 - worse) if number > 2 else None,
                violations=("<b>unsure</b> answers: 22% are over 20%",) if number > 3 else (),
                calls_for_retraining="2 of the last 3 windows are in violation" if number == 4 else None,
            )
        )
    return looks


def promoted() -> list[VersionMark]:
    days = {"1": BEGIN - timedelta(days=3), "2": BEGIN + timedelta(days=9)}
    return [
        VersionMark(version=name, since=since, what="champion", by="promote by kim") for name, since in days.items()
    ]


def material(**changes: Any) -> DashboardMaterial:
    made = {
        "pipeline": "tiny",
        "monitor": monitor(),
        "tables": stream(),
        "alarms": [alarm()],
        "health": health(),
        "promotions": promoted(),
    }
    return DashboardMaterial(**(made | changes))
