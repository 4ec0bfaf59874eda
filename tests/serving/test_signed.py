"""A server that has a public key serves only what its private half signed: at the start, at each swap, and again."""

from pathlib import Path

import pytest
from place import Place, assert_explained
from serving_helpers import promote

from perennial.core.errors import RegistryError, SignatureError
from perennial.core.home import Home
from perennial.registry import tags, tracking
from perennial.serving.current import CurrentVersion
from perennial.serving.metrics import ServingMetrics
from perennial.serving.versions import last_served
from perennial.serving.versions.following import Follower
from perennial.settings.serving import ServingSpec
from perennial.signing import keys
from perennial.signing.keys import KeyPair, TrustedKey, trusted_keys


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyPair:
    """The key of who registers versions here."""
    made = keys.new_pair(tmp_path / "release")
    monkeypatch.setenv(keys.VARIABLE, str(made.private))
    return made


def follower(home: Home, current: CurrentVersion, *trusted: TrustedKey) -> Follower:
    settings = ServingSpec(poll_seconds=1e-9)
    return Follower(home, "tiny", None, settings, current, ServingMetrics("tiny"), trusted)


def set_signature(home: Home, version: str, value: str) -> None:
    with tracking.session(home) as client:
        client.set_model_version_tag("tiny", version, tags.SIGNATURE, value)


def signature_of(home: Home, version: str) -> str:
    with tracking.session(home) as client:
        return str(client.get_model_version("tiny", version).tags[tags.SIGNATURE])


def test_the_old_version_serves_on_until_the_new_one_is_signed_by_a_trusted_key(
    home: Home, tmp_path: Path, pair: KeyPair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    current = CurrentVersion()
    following = follower(home, current, *trusted_keys([pair.public]))
    promote(home, "a", None)
    following.load()
    assert current.served
    assert current.served.version == "1"
    monkeypatch.setenv(keys.VARIABLE, str(keys.new_pair(tmp_path / "stranger").private))
    promote(home, "b", "1")
    strange = signature_of(home, "2")
    for signature, words in (
        (strange, "is signed by a stranger"),
        ("", "is not signed"),
        (signature_of(home, "1"), "carries the signed statement of another one, version 1 of tiny"),
    ):
        set_signature(home, "2", signature)
        following.look()
        assert (current.served.version, current.problem) == ("1", "signature")
        assert words in caplog.text
    assert "Version 1 goes on serving." in caplog.text
    # Who holds the key says that it is right.
    monkeypatch.setenv(keys.VARIABLE, str(pair.private))
    place = Place(tmp_path / "elsewhere", None)
    place.home = home
    assert place.command("sign", "tiny", "2").code == 0
    following.look()
    assert (current.served.version, current.problem) == ("2", None)
    verified = place.command("verify", "tiny", "--trusted-key", str(pair.public), "--json").json
    assert (verified["status"], verified["version"], verified["outcome"]) == ("signed", "2", "PROMOTE")
    assert verified["signer"] == {"file": "release.pub", "id": pair.key_id}
    other = keys.new_pair(tmp_path / "other").public
    assert_explained(place.command("verify", "tiny", "--trusted-key", str(other)), 1, "signed by a stranger")
    # Neither does a server start with what a stranger signed, …
    set_signature(home, "2", strange)
    with pytest.raises(SignatureError, match="signed by a stranger"):
        follower(home, CurrentVersion(), *trusted_keys([pair.public])).load()
    # … nor go on with what served last but was not signed so, while the registry is down.
    down = home.with_mlflow_at("http://127.0.0.1:9")
    last = last_served.last_served_of(home, "tiny")
    assert last
    gone_on = {last.signature: "2", strange: None, "": None}
    for signature, version in gone_on.items():
        last_served.note_served(down, "tiny", last.served, signature)
        again = CurrentVersion()
        starting = follower(down, again, *trusted_keys([pair.public]))
        if version:
            starting.load()
        else:
            with pytest.raises(RegistryError, match="can't be used"):
                starting.load()
        assert (again.served.version if again.served else None) == version
    assert "which served last, is signed by a stranger" in caplog.text
    assert "which served last, is not signed" in caplog.text


def test_key_files_that_are_no_good_are_refused_with_a_sentence(home: Home, tmp_path: Path) -> None:
    place = Place(tmp_path / "elsewhere", None)
    place.home = home
    assert place.command("keys", "signing", "new", "mine").code == 0
    private, public = place.folder / "mine", place.folder / "mine.pub"
    assert (private.stat().st_mode & 0o777, public.stat().st_mode & 0o777) == (0o600, 0o644)
    before = private.read_bytes()
    assert_explained(place.command("keys", "signing", "new", "mine"), 1, "is there already", "nothing was written")
    assert private.read_bytes() == before
    (place.folder / "text").write_text("no key")
    for file, words in (
        ("missing", "can't be read: No such file"),
        ("text", "holds no public key"),
        ("mine", "is a private key: a server needs the public one"),
    ):
        assert_explained(place.command("serve", "tiny", "--trusted-key", file), 1, words)
    for value, words in (
        ("missing", "can't be read"),
        ("text", "holds no private key"),
        ("mine.pub", "holds no private key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA", "holds no private key"),
    ):
        (place.folder / "text").chmod(0o600)
        public.chmod(0o600)
        ended = place.command("sign", "tiny", "1", PERENNIAL_SIGNING_KEY=value)
        assert_explained(ended, 1, words)
        assert "AAAA" not in ended.text
    private.chmod(0o644)
    ended = place.command("sign", "tiny", "1", PERENNIAL_SIGNING_KEY="mine")
    assert_explained(ended, 1, "may be read by others (its mode is 0644)", "chmod 600")
    assert_explained(place.command("sign", "tiny", "1"), 1, "PERENNIAL_SIGNING_KEY is not set")
    assert_explained(place.command("verify", "tiny"), 1, "no key by which a signature could be told", "--trusted-key")
