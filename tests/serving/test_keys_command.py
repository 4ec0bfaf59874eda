"""`perennial keys`: made, shown once, listed and revoked; and what the file and the limits do by themselves."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from place import Place, assert_explained

from perennial.core.errors import KeyFileError
from perennial.core.masking import mask_secrets
from perennial.serving.access.api_keys import ApiKey, KeyFile, Limits, add_key, lifetime_of, read_keys
from perennial.serving.access.rate_limits import MOST_CALLERS, RateLimiter
from perennial.serving.problems import RequestProblem


@pytest.fixture
def here(tmp_path: Path) -> Place:
    return Place(tmp_path, None)


def test_a_key_is_shown_once_and_kept_as_a_hash(here: Place) -> None:
    made = here.command("keys", "add", "shop", "--scope", "predict, explain", "--expires", "90d")
    key = made.out.split()[-1]
    assert made.code == 0
    assert "the one time that it is shown" in made.text
    file = here.home.api_keys
    assert file.stat().st_mode & 0o777 == 0o600
    assert key not in file.read_text()
    assert key.split("_", 2)[2] not in file.read_text()
    [kept] = (read_keys(file) or KeyFile()).keys
    assert kept.scopes == ("predict", "explain")
    assert kept.expires
    assert timedelta(days=89) < kept.expires - datetime.now(UTC) <= timedelta(days=90)
    listed = here.command("keys", "list")
    assert "shop: predict, explain" in listed.text
    assert key not in listed.text + here.command("keys", "list", "--json").text
    assert here.command("keys", "list", "--json").json["keys"][0]["state"] == "valid"


def test_machines_are_told_all_of_it_in_one_object(here: Place) -> None:
    made = here.command("keys", "add", "job", "--scope", "admin", "--rows-per-minute", "500", "--json").json
    assert made["key"].startswith(f"perennial_{made['id']}_")
    assert (made["scopes"], made["rows_per_minute"], made["expires"]) == (["admin"], 500, None)
    assert here.command("keys", "revoke", made["id"], "--json").json["state"] == "revoked"
    assert "sha256" not in here.command("keys", "list", "--json").text


REFUSED = [
    (["add", "a", "--scope", "write"], ["There is no scope write", "predict, explain, label, admin"]),
    (["add", "a", "--scope", ""], ["There is no scope given"]),
    (["add", "../x"], ["A key's name has"]),
    (["add", "a", "--expires", "soon"], ["--expires soon is no span of time", "--expires 90d"]),
    (["add", "a", "--expires", "0d"], ["no span of time"]),
    (["revoke", "nobody"], ["no key named nobody", "those that are good: shop"]),
    (["add", "shop"], ["a key named shop already"]),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=[" ".join(given) for given, _ in REFUSED])
def test_what_can_not_be_is_refused(here: Place, arguments: list[str], words: list[str]) -> None:
    assert here.command("keys", "add", "shop").code == 0
    before = here.home.api_keys.read_bytes()
    assert_explained(here.command("keys", *arguments), 1, *words)
    assert here.home.api_keys.read_bytes() == before


def test_a_name_whose_key_was_revoked_can_be_given_again(here: Place) -> None:
    for _ in range(2):
        assert here.command("keys", "add", "shop").code == 0
        assert here.command("keys", "revoke", "shop").code == 0
    assert [key.state(datetime.now(UTC)) for key in (read_keys(here.home.api_keys) or KeyFile()).keys] == [
        "revoked"
    ] * 2


def test_a_damaged_or_open_file_is_refused_and_left_as_it_is(here: Place) -> None:
    assert here.command("keys", "add", "shop").code == 0
    file = here.home.api_keys
    file.chmod(0o620)
    assert_explained(here.command("keys", "list"), 1, "may be written by others", "chmod 600")
    file.chmod(0o600)
    file.write_text('{"keys": [{}]}')
    assert_explained(here.command("keys", "add", "other"), 1, "is damaged", "backup")
    assert file.read_text() == '{"keys": [{}]}'


def test_two_that_add_at_once_lose_none(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"

    def add(number: int) -> None:
        add_key(file, f"key {number}", ["predict"], None, Limits())

    adding = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in adding:
        thread.start()
    for thread in adding:
        thread.join()
    assert len((read_keys(file) or KeyFile()).keys) == 8


def test_a_key_is_known_by_all_of_it_and_good_until_it_expires(tmp_path: Path) -> None:
    key, text = add_key(tmp_path / "keys.json", "a", ["predict"], timedelta(hours=1), Limits())
    keys = KeyFile(keys=(key,))
    assert keys.holder(text) == key
    for other in (text[:-1], text + "A", text.upper(), f" {text}", "", "ü", text.replace(key.id, "0" * 12), "\udcff"):
        assert keys.holder(other) is None
    assert isinstance(key.expires, datetime)
    moments = [key.expires - timedelta(seconds=1), key.expires, key.expires + timedelta(days=1)]
    assert [key.state(moment) for moment in moments] == ["valid", "expired", "expired"]


def test_a_key_in_a_sentence_is_masked(tmp_path: Path) -> None:
    text = add_key(tmp_path / "keys.json", "a", ["predict"], None, Limits())[1]
    assert text.split("_", 2)[2] not in mask_secrets(f"It said {text}, and ended.")
    assert str(KeyFileError(f"No {text}.")) == "No ***."


@pytest.mark.parametrize(
    ("text", "span"), [("90d", timedelta(days=90)), ("12h", timedelta(hours=12)), ("2 weeks", timedelta(weeks=2))]
)
def test_spans_of_time(text: str, span: timedelta) -> None:
    assert lifetime_of(text) == span
    assert lifetime_of(None) is None


def taken(limiter: RateLimiter, caller: str, amount: int, per_minute: int | None) -> int:
    """0: let in; else the seconds after which it may come again, or 413."""
    try:
        limiter.take(caller, amount, per_minute)
    except RequestProblem as problem:
        return int((problem.headers or {}).get("Retry-After", problem.status))
    return 0


def test_a_bucket_holds_a_minutes_worth_and_fills_up_evenly() -> None:
    now = [100.0]
    limiter = RateLimiter("rows", lambda: now[0])
    assert [taken(limiter, "a", 30, 60) for _ in range(3)] == [0, 0, 30]
    assert taken(limiter, "b", 60, 60) == 0
    now[0] += 29.0
    assert taken(limiter, "a", 30, 60) == 1
    now[0] += 1.0
    # What was refused took nothing.
    assert taken(limiter, "a", 30, 60) == 0
    now[0] += 3600
    assert [taken(limiter, "a", 60, 60), taken(limiter, "a", 1, 60)] == [0, 1]
    assert taken(limiter, "a", 61, 60) == 413
    assert [taken(limiter, "c", 10**9, None) for _ in range(3)] == [0, 0, 0]


def test_callers_without_number_do_not_fill_the_memory() -> None:
    limiter = RateLimiter("requests", lambda: 0.0)
    for number in range(MOST_CALLERS + 100):
        limiter.take(f"address {number}", 1, 1)
    assert len(limiter._buckets) == MOST_CALLERS


def test_records_of_keys_hold_no_key() -> None:
    assert set(ApiKey.model_fields) == {
        "id", "name", "sha256", "scopes", "created", "expires", "revoked", "requests_per_minute", "rows_per_minute",
    }  # fmt: skip
    assert json.loads(KeyFile().model_dump_json()) == {"keys": []}
