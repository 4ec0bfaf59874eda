"""Who may ask a server: keys, scopes, limits; what it says to others, and what it never says or writes."""

import base64
import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from place import Place, assert_explained
from serving_helpers import Answer, Serving, serving

from perennial.core.home import Home
from perennial.serving.access.api_keys import Limits, add_key, revoke_key

EVERYWHERE = "0.0.0.0"  # noqa: S104 - that is what is tested
ASK = json.dumps({"texts": ["excellent soup"]}).encode()


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "api-keys.json"


@pytest.fixture(scope="module")
def keys(key_file: Path) -> dict[str, str]:
    """Keys by their names, which say what they are good for."""
    made = {
        "predict": (["predict"], None, Limits()),
        "admin": (["admin"], None, Limits()),
        "explain": (["explain"], None, Limits()),
        "expired": (["predict", "explain", "admin"], timedelta(seconds=-1), Limits()),
        "revoked": (["predict", "explain", "admin"], None, Limits()),
        "slow": (["predict"], None, Limits(requests_per_minute=1)),
        "small": (["predict"], None, Limits(rows_per_minute=2)),
    }
    texts = {name: add_key(key_file, name, *arguments)[1] for name, arguments in made.items()}
    revoke_key(key_file, "revoked")
    return texts


@pytest.fixture(scope="module")
def guarded(champion: Home, keys: dict[str, str], key_file: Path) -> Iterator[Serving]:
    """A server that asks for those keys, on all addresses of this machine."""
    arguments = (
        "--keys",
        str(key_file),
        "--host",
        EVERYWHERE,
        "--set",
        'serving.cors_origins=["https://shop.example"]',
    )
    with serving(champion, "tiny", *arguments) as server:
        # It listens on 0.0.0.0; this is how to get there.
        server.log[:] = [{"message": line["message"].replace("//0.0.0.0", "//127.0.0.1")} for line in server.log]
        yield server


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def refusal(answer: Answer) -> tuple[int, str]:
    assert set(answer.json) == {"code", "error", "remedy"}
    assert answer.json["error"].endswith(".")
    return answer.status, answer.json["code"]


def test_a_key_opens_what_its_scope_is_and_nothing_else(guarded: Serving, keys: dict[str, str]) -> None:
    assert guarded.ask("/predict", ASK, **bearer(keys["predict"])).status == 200
    assert guarded.ask("/predict", ASK, **{"X-API-Key": keys["predict"]}).status == 200
    assert guarded.ask("/", **bearer(keys["predict"])).json["version"] == "1"
    assert guarded.ask("/metrics", **bearer(keys["admin"])).status == 200
    # A browser asks a person for a user and a password.
    basic = base64.b64encode(f"me:{keys['predict']}".encode()).decode()
    assert guarded.ask("/", Authorization=f"Basic {basic}").status == 200
    for name, path in [
        ("predict", "/metrics"),
        ("admin", "/predict"),
        ("explain", "/predict"),
        ("predict", "/explain"),
    ]:
        body = None if path == "/metrics" else ASK
        assert refusal(guarded.ask(path, body, **bearer(keys[name]))) == (403, "forbidden")
    # Let in, and then not there.
    assert guarded.ask("/models/tiny/explain", ASK, **bearer(keys["explain"])).status in (200, 404)


def test_no_key_or_none_that_is_good_is_401_and_says_nothing_of_keys(guarded: Serving, keys: dict[str, str]) -> None:
    wrong = keys["predict"][:-1] + ("A" if keys["predict"][-1] != "A" else "B")
    presented = [
        {},
        bearer(keys["expired"]),
        bearer(keys["revoked"]),
        bearer(wrong),
        bearer(""),
        bearer("x" * 5000),
        {"Authorization": "Basic !!!"},
        {"Authorization": keys["predict"]},
        {"X-API-Key": "perennial_000000000000_" + "A" * 43},
    ]
    answers = [guarded.ask("/predict", ASK, **headers) for headers in presented]
    assert {refusal(answer) for answer in answers} == {(401, "unauthorized")}
    assert all("Bearer" in answer.headers["www-authenticate"] for answer in answers)
    # An expired, a revoked and a made-up key are told the same, to the byte.
    assert len({answer.body for answer in answers[1:4]}) == 1
    for path in ("/", "/metrics", "/no-such-place", "/docs", "/openapi.json"):
        assert guarded.ask(path).status == 401
    assert {guarded.ask(path).status for path in ("/healthz", "/readyz")} == {200}


def test_nothing_of_a_key_is_in_log_figures_answers_or_files(
    guarded: Serving, keys: dict[str, str], key_file: Path, champion: Home
) -> None:
    answers = [
        guarded.ask(path, ASK, **headers).body.decode()
        for name, key in keys.items()
        if name not in ("slow", "small")  # whose minute is another test's
        for path in ("/predict", f"/predict?key={key}", f"/{key}")
        for headers in (bearer(key), {"X-API-Key": key}, {"Authorization": key})
    ]
    figures = guarded.ask("/metrics", **bearer(keys["admin"])).body.decode()
    assert 'perennial_refused_total{model="tiny",why="unauthorized"}' in figures
    files = [file.read_bytes().decode("latin-1") for file in [key_file, *champion.root.rglob("*")] if file.is_file()]
    everything = "\n".join([*answers, figures, json.dumps(guarded.log), guarded.text, *files])
    for name, key in keys.items():
        secret = key.rpartition("_")[2] if key.count("_") == 2 else key.split("_", 2)[2]
        assert secret not in everything, name
    assert "Traceback" not in guarded.text


def test_who_asks_too_often_is_told_when_to_come_back(guarded: Serving, keys: dict[str, str]) -> None:
    slow = [guarded.ask("/predict", ASK, **bearer(keys["slow"])) for _ in range(2)]
    assert [answer.status for answer in slow] == [200, 429]
    assert refusal(slow[1]) == (429, "too_often")
    assert 1 <= int(slow[1].headers["retry-after"]) <= 60
    rows = json.dumps({"texts": ["soup"] * 2}).encode()
    small = [guarded.ask("/predict", rows, **bearer(keys["small"])) for _ in range(2)]
    assert [answer.status for answer in small] == [200, 429]
    assert "rows a minute" in small[1].json["error"]
    many = guarded.ask("/predict", json.dumps({"texts": ["soup"] * 4}).encode(), **bearer(keys["small"]))
    assert refusal(many) == (413, "too_large")
    # Others are not held up by it.
    assert guarded.ask("/predict", ASK, **bearer(keys["predict"])).status == 200


def test_answers_tell_browsers_what_they_may_do(guarded: Serving, keys: dict[str, str]) -> None:
    for answer in (
        guarded.ask("/", **bearer(keys["predict"])),
        guarded.ask("/predict", ASK),
        guarded.ask("/healthz"),
    ):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert guarded.ask("/", **bearer(keys["predict"])).headers["cache-control"] == "no-store"


def preflight(server: Serving, origin: str) -> dict[str, str]:
    command = ["curl", "-s", "-i", "-X", "OPTIONS", f"{server.address}/predict", "-H", f"Origin: {origin}"]
    command += ["-H", "Access-Control-Request-Method: POST", "-H", "Access-Control-Request-Headers: authorization"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_only_listed_web_pages_may_ask(guarded: Serving, keys: dict[str, str], server: Serving) -> None:
    allowed = preflight(guarded, "https://shop.example")
    assert allowed["access-control-allow-origin"] == "https://shop.example"
    assert "authorization" in allowed["access-control-allow-headers"].lower()
    assert "access-control-allow-origin" not in preflight(guarded, "https://other.example")
    refused = guarded.ask("/predict", ASK, Origin="https://shop.example")
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, "https://shop.example")
    # Off, unless a page is listed.
    assert "access-control-allow-origin" not in preflight(server, "https://shop.example")


def test_keys_are_added_and_revoked_while_the_server_runs(champion: Home, tmp_path: Path) -> None:
    file = tmp_path / "api-keys.json"
    with serving(champion, "tiny", "--keys", str(file), "--insecure") as server:
        assert server.ask("/predict", ASK).status == 200
        assert "No API keys are asked for" in server.text
        key = add_key(file, "first", ["predict"], None, Limits())[1]
        server.until(lambda: server.ask("/predict", ASK).status == 401)
        assert server.ask("/predict", ASK, **bearer(key)).status == 200
        revoke_key(file, "first")
        server.until(lambda: server.ask("/predict", ASK, **bearer(key)).status == 401)
        # Once it has asked for keys, it never opens again; and what can't be read lets nobody in.
        whole = file.read_bytes()
        for spoil in (lambda: file.write_bytes(whole[:-20]), file.unlink, lambda: writable_by_all(file, whole)):
            spoil()
            server.until(lambda: server.ask("/predict", ASK, **bearer(key)).status == 503)
            assert refusal(server.ask("/predict", ASK)) == (503, "keys_unreadable")
            assert server.ask("/healthz").status == 200
        file.chmod(0o600)
        server.until(lambda: server.ask("/predict", ASK, **bearer(key)).status == 401)


def writable_by_all(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o666)


def test_other_machines_are_let_in_with_keys_or_when_told_so(champion: Home, tmp_path: Path) -> None:
    place = Place(tmp_path, None)
    place.home = champion
    for host in (EVERYWHERE, "::"):
        ended = place.command("serve", "tiny", "--host", host, "--port", "0")
        assert_explained(ended, 1, "other machines can reach the server", "perennial keys add NAME", "--insecure")
    ended = place.command("serve", "tiny", "--port", "0", "--keys", "wrong-name.json")
    assert_explained(ended, 1, "no file of API keys at wrong-name.json", "--insecure")
    (tmp_path / "damaged.json").write_text("{")
    ended = place.command("serve", "tiny", "--port", "0", "--insecure", "--keys", "damaged.json")
    assert_explained(ended, 1, "damaged.json, is damaged")
    with serving(champion, "tiny", "--host", EVERYWHERE, "--insecure") as server:
        server.log[:] = [{"message": line["message"].replace("//0.0.0.0", "//127.0.0.1")} for line in server.log]
        assert server.ask("/predict", ASK).status == 200
        assert "whoever reaches this server may ask" in server.text
