"""A challenger on live traffic: users keep their version, a bad one is dropped by itself, a good one promoted."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from registry_helpers import make_run
from serving_helpers import Serving, promote, serving, tiny_spec

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion.challenge import beginning, ending, of_runs
from perennial.promotion.conclusion import Conclusion
from perennial.records.decision import Outcome
from perennial.registry import tags
from perennial.registry.judged.challenges import Challenge, current_challenge
from perennial.registry.judged.judgings import judgings
from perennial.registry.judged.version_status import version_statuses
from perennial.registry.ledger import Action, Entry, Ledger
from perennial.rollout.trial_counts import TrialCounts
from perennial.settings.rollout import RolloutSpec

FAST = ("--set", "serving.poll_seconds=0.1")
WIDE = {"error_margin": 0.2, "slow_margin": 0.9, "margin": 0.1}
"""Margins that a test has requests enough for."""
CANARY = RolloutSpec(mode="canary", share=0.5, **WIDE)
ALWAYS = np.array([0, 0, 900, 0], dtype=np.float32)
"""Added to its outputs a model always answers the third label."""


def candidate(home: Home, key: str, bias: Any, outcome: Outcome = Outcome.PROMOTE) -> str:
    """A version that passed its gates beside version 1, and does not serve."""
    return make_run(home, tiny_spec(), key * 64, bias=bias).judged(outcome, "1").register().version


@pytest.fixture
def begun(home: Home) -> Home:
    """A home where version 1 is champion."""
    promote(home, "a", None)
    return home


class Client:
    """A client that keeps its connection."""

    def __init__(self, server: Serving) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def ask(self, user: str, number: int, texts: list[str]) -> dict[str, Any]:
        headers = {"X-User-Id": user, "X-Request-Id": f"r{number}"}
        body = json.dumps({"texts": texts})
        try:
            self._connection.request("POST", "/predict", body, headers)
            answer = self._connection.getresponse()
        except (http.client.HTTPException, ConnectionError):
            # The server closes a connection that was quiet for some seconds, as on a busy machine.
            self._connection.close()
            self._connection.request("POST", "/predict", body, headers)
            answer = self._connection.getresponse()
        assert answer.headers["x-request-id"] == f"r{number}"
        content: dict[str, Any] = json.loads(answer.read())
        assert answer.status == 200, content
        return content


def texts(number: int) -> list[str]:
    words = ["soup", "bread", "excellent", "nobody", "liked"]
    return [f"{words[number % 5]} {words[number // 5 % 5]} {words[number % 3]} word{number}"]


@contextmanager
def tried(home: Home, version: str, terms: RolloutSpec) -> Iterator[tuple[Serving, Client, Challenge]]:
    challenge = beginning.begin_challenge(home, "tiny", version, terms)
    with serving(home, "tiny", *FAST) as server:
        server.until(lambda: server.figure("perennial_challenger_version", version=version))
        yield server, Client(server), challenge


def entries(home: Home) -> list[Entry]:
    return Ledger.open(home).entries("tiny")


def status(home: Home, version: str) -> str | None:
    ledger = Ledger.open(home)
    return version_statuses(ledger.entries("tiny"), judgings(ledger, "tiny"))[version].status


def ended(home: Home) -> bool:
    return current_challenge(entries(home)) is None


def champion_answers(counts: TrialCounts, salt: str) -> dict[str, Any]:
    with counts._transaction() as connection:
        rows = connection.execute("SELECT id, champion FROM compared WHERE challenge = ?", (salt,)).fetchall()
    return {row_id: json.loads(champion)["label"] for row_id, champion in rows}


def test_a_bad_challenger_is_dropped_by_itself_and_users_keep_their_version(begun: Home) -> None:
    version = candidate(begun, "b", ALWAYS)
    terms = CANARY.model_copy(update={"max_disagreement": 0.999})
    with tried(begun, version, terms) as (server, client, challenge):
        versions: dict[str, set[str]] = {}
        for number in range(160):
            user = f"user {number % 16}"
            answer = client.ask(user, number, texts(number))
            versions.setdefault(user, set()).add(answer["version"])
        assert all(len(seen_by_one) == 1 for seen_by_one in versions.values())
        assert set.union(*versions.values()) == {"1", version}
        counts = TrialCounts(begun, "tiny")
        # Labels come later, of rows that both versions were asked; the champion is right in all of them.
        server.until(lambda: len(champion_answers(counts, challenge.salt)) > 40)
        labels = champion_answers(counts, challenge.salt)
        assert counts.add_labels(challenge.salt, labels).counted == len(labels)
        server.until(lambda: ended(begun) and status(begun, version) == tags.REJECTED)
        server.until(lambda: server.figure("perennial_challenger_version", version=version) == 0)
        assert {Client(server).ask(user, 999, texts(1))["version"] for user in versions} == {"1"}
        assert server.end() == 0
    told = [entry for entry in entries(begun) if entry.to_version == version]
    assert [entry.action for entry in told] == [Action.CHALLENGE, Action.CHALLENGE_END, Action.REJECT]
    assert "shown to be worse than the champion: labelled rows" in told[-1].reason
    assert json.loads(told[1].detail or "")["evidence"]["figures"][0]["worse"] > 10
    with pytest.raises(RegistryError, match="it is rejected"):
        beginning.begin_challenge(begun, "tiny", version, terms)


@pytest.mark.soak(
    twin="tests/serving/test_trials.py::test_a_bad_challenger_is_dropped_by_itself_and_users_keep_their_version"
)
def test_a_good_challenger_is_promoted_by_itself_across_a_restart(begun: Home) -> None:
    version = candidate(begun, "b", 1.0)
    terms = RolloutSpec(mode="shadow", share=1.0, on_success="promote", **WIDE)
    with tried(begun, version, terms) as (server, client, challenge):
        assert {client.ask("somebody", number, texts(number))["version"] for number in range(40)} == {"1"}
        counts = TrialCounts(begun, "tiny")
        server.until(lambda: counts.counts(challenge.salt).get("errors"))
        assert server.end() == 0
    before = counts.counts(challenge.salt)["errors"].total
    with serving(begun, "tiny", *FAST) as server:
        server.until(lambda: server.figure("perennial_challenger_version", version=version))
        client, number = Client(server), 100
        while not ended(begun):
            # On a busy machine most requests are not compared, and it takes more of them.
            assert number < 20_000, server.text
            for _ in range(40):
                client.ask("somebody", number, texts(number))
                number += 1
        server.until(lambda: server.version() == version)
        assert counts.counts(challenge.salt)["errors"].total > before > 0
        assert server.end() == 0
    told = [entry for entry in entries(begun) if entry.to_version == version]
    assert [entry.action for entry in told[:2]] == [Action.CHALLENGE, Action.CHALLENGE_END]
    assert told[-1].action is Action.PROMOTE
    assert "No label came, and none was needed" in told[-1].reason
    assert status(begun, version) == tags.PROMOTED


def test_runs_begin_trials_in_place_of_promotions(begun: Home) -> None:
    def conclude(key: str, outcome: Outcome, runs: str) -> Conclusion:
        made = make_run(begun, tiny_spec(), key * 64, bias=float(ord(key))).judged(outcome, "1")
        registered, decision = made.register(), made.arguments["decision"]
        terms = RolloutSpec.model_validate({"runs": runs})
        return of_runs.conclude_run(begun, registered, decision, terms, needs_approval=False, observing=False)

    first = conclude("b", Outcome.PROMOTE, "promote")
    assert (first.status.value, first.champion) == ("held", "1")
    assert "passed its gates. Tried in the shadow" in first.reasons[0]
    second = conclude("c", Outcome.PROMOTE, "promote")
    assert f"version {first.version} is being tried" in second.reasons[0]
    ending.stop_challenge(begun, "tiny", "Enough.", {})
    held = conclude("d", Outcome.HOLD, "hold")
    challenge = current_challenge(entries(begun))
    assert challenge is not None
    assert (challenge.version, challenge.only_observes, challenge.terms.mode) == (held.version, True, "shadow")
    ending.stop_challenge(begun, "tiny", "Enough.", {})
    assert conclude("e", Outcome.PROMOTE, "none").status.value == "promoted"


def test_who_may_not_be_tried_is_told_why(begun: Home, tmp_path: Path) -> None:
    held, passed = candidate(begun, "b", 1.0, Outcome.HOLD), candidate(begun, "c", 2.0)
    for version, terms, words in (
        ("1", CANARY, "is the champion"),
        ("9", CANARY, "There is no version 9"),
        (held, CANARY, "can't answer users: its decision is HOLD"),
        (None, CANARY, "No version of tiny has the alias `challenger`"),
    ):
        with pytest.raises(RegistryError, match=words):
            beginning.begin_challenge(begun, "tiny", version, terms)
    with pytest.raises(RegistryError, match="No version of tiny is being tried"):
        ending.stop_challenge(begun, "tiny", "A test.", {})
    assert beginning.begin_challenge(begun, "tiny", held, RolloutSpec()).only_observes
    with pytest.raises(RegistryError, match=f"Version {held} of tiny is being tried beside version 1"):
        beginning.begin_challenge(begun, "tiny", passed, CANARY)
    assert ending.stop_challenge(begun, "tiny", "Enough.", {}) == held
    assert ended(begun)
    assert beginning.begin_challenge(begun, "tiny", passed, CANARY).version == passed
