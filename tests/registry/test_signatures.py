"""Versions are signed as they are registered, and what anybody changes afterwards is told from what was signed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from registry_helpers import ELSEWHERE, Run, make_run, new_home, new_spec, note_tag, promoted, second

from perennial.core import progress
from perennial.core.errors import KeyFileError, SignatureError
from perennial.promotion import serving_champion
from perennial.promotion.safeguards import version_signing
from perennial.records.decision import Outcome
from perennial.registry import signatures, tags, tracking, versions
from perennial.signing import keys
from perennial.signing.keys import TrustedKey
from perennial.signing.statement import Statement


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> keys.KeyPair:
    return keys.new_pair(tmp_path_factory.mktemp("keys") / "release")


@pytest.fixture(scope="module")
def trusted(pair: keys.KeyPair) -> tuple[TrustedKey, ...]:
    return keys.trusted_keys([pair.public])


@pytest.fixture
def signing(pair: keys.KeyPair, monkeypatch: pytest.MonkeyPatch) -> keys.KeyPair:
    """Runs register with the private key at hand."""
    monkeypatch.setenv(keys.VARIABLE, str(pair.private))
    return pair


@pytest.fixture(scope="module")
def two_versions(pair: keys.KeyPair, tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Run:
    """A registry with two signed versions of one model; who changes them puts them back."""
    home = new_home(tmp_path_factory.mktemp("registry"), empty_database)
    first = make_run(home, new_spec(), "a" * 64)
    with pytest.MonkeyPatch.context() as environment:
        for name in ELSEWHERE:
            environment.delenv(name, raising=False)
        environment.setenv(keys.VARIABLE, str(pair.private))
        assert [first.register().version, second(first, "1").register().version] == ["1", "2"]
    return first


@pytest.fixture
def two(two_versions: Run) -> Iterator[Run]:
    """The same, put back as it was."""
    files = {file: file.read_bytes() for file in evidence_files(two_versions)}
    marks = {name: tag_of(two_versions, "2", name) for name in (tags.SIGNATURE, tags.PACKAGE_DIGEST)}
    yield two_versions
    for file, content in files.items():
        file.write_bytes(content)
    for name, value in marks.items():
        set_tag(two_versions, "2", name, value)


def checked(run: Run, version: str, trusted: tuple[TrustedKey, ...], *, passed: bool = True) -> Statement:
    with tracking.session(run.home) as client:
        model_version = client.get_model_version(run.spec.name, version)
        return signatures.check_version(client, run.home, model_version, trusted, passed=passed).statement


def evidence_files(run: Run) -> list[Path]:
    return sorted(run.home.mlflow.rglob("evidence.json"))


def tag_of(run: Run, version: str, name: str) -> str:
    with tracking.session(run.home) as client:
        return str(client.get_model_version(run.spec.name, version).tags[name])


def set_tag(run: Run, version: str, name: str, value: str) -> None:
    with tracking.session(run.home) as client:
        client.set_model_version_tag(run.spec.name, version, name, value)


def test_a_version_is_signed_with_evidence_decision_and_data(
    run: Run, signing: keys.KeyPair, trusted: tuple[TrustedKey, ...]
) -> None:
    version = promoted(run)
    brought = serving_champion.bring(run.home, run.spec.name, None, trusted)
    assert brought.package.version == version
    assert brought.signer == str(trusted[0])
    assert "release.pub" in brought.signer
    stated = version_signing.verified(run.home, run.spec.name, version, trusted).statement
    assert (stated.model, stated.version, stated.outcome) == (run.spec.name, "1", "PROMOTE")
    assert stated.package_digest == run.arguments["package"].digest
    assert stated.decision_digest == run.arguments["decision"].digest
    assert stated.data_digest == run.arguments["snapshot"].digest
    assert len(stated.evidence_digest) == 64
    # As other tools read it: a DSSE envelope around an in-toto statement.
    envelope = json.loads(tag_of(run, version, tags.SIGNATURE))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert envelope["signatures"][0]["keyid"] == signing.key_id


def test_without_a_key_nothing_is_signed_and_nothing_is_asked_for(run: Run, trusted: tuple[TrustedKey, ...]) -> None:
    version = run.register().version
    with tracking.session(run.home) as client:
        assert tags.SIGNATURE not in client.get_model_version(run.spec.name, version).tags
    with pytest.raises(SignatureError, match=r"Version 1 of .* is not signed, and only what release\.pub"):
        checked(run, version, trusted)


def strangers(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.VARIABLE, str(keys.new_pair(folder / "stranger").private))
    version_signing.sign_registered(run.home, run.spec.name, "2")


def unsigned(run: Run, *_: object) -> None:
    with tracking.session(run.home) as client:
        client.delete_model_version_tag(run.spec.name, "2", tags.SIGNATURE)


def replayed(run: Run, *_: object) -> None:
    set_tag(run, "2", tags.SIGNATURE, tag_of(run, "1", tags.SIGNATURE))


def with_other_evidence(run: Run, *_: object) -> None:
    for file in evidence_files(run):
        file.write_text(file.read_text().replace('"seconds"', '"seconds" '))


def without_evidence(run: Run, *_: object) -> None:
    for file in evidence_files(run):
        file.unlink()


def with_other_digest(run: Run, *_: object) -> None:
    set_tag(run, "2", tags.PACKAGE_DIGEST, tag_of(run, "1", tags.PACKAGE_DIGEST))


def with_changed_statement(run: Run, *_: object) -> None:
    import base64

    envelope = json.loads(tag_of(run, "2", tags.SIGNATURE))
    payload = base64.b64decode(envelope["payload"]).replace(b'"PROMOTE"', b'"PROMOTE "')
    envelope["payload"] = base64.b64encode(payload).decode()
    set_tag(run, "2", tags.SIGNATURE, json.dumps(envelope))


def damaged(run: Run, *_: object) -> None:
    set_tag(run, "2", tags.SIGNATURE, tag_of(run, "2", tags.SIGNATURE)[:-9])


ATTACKS: dict[str, tuple[Callable[..., None], str]] = {
    "stranger": (strangers, r"is signed by a stranger \("),
    "unsigned": (unsigned, "is not signed"),
    "replay": (replayed, "carries the signed statement of another one, version 1 of"),
    "evidence edited": (with_other_evidence, "evidence of Version 2 of .* was changed after it was signed"),
    "evidence gone": (without_evidence, "evidence that Version 2 of .* was signed with can't be compared"),
    "digest edited": (with_other_digest, "package's digest was changed after it was signed"),
    "statement edited": (with_changed_statement, "is not that key's: the statement was changed"),
    "damaged": (damaged, "is damaged: it is no DSSE envelope"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_what_was_signed_is_refused(
    two: Run, trusted: tuple[TrustedKey, ...], attack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(two, "2", trusted).version == "2"
    do, words = ATTACKS[attack]
    do(two, tmp_path, monkeypatch)
    with pytest.raises(SignatureError, match=words) as refused:
        checked(two, "2", trusted)
    assert refused.value.remedy


def test_what_did_not_pass_its_gates_serves_only_when_it_is_named(
    run: Run, signing: keys.KeyPair, trusted: tuple[TrustedKey, ...]
) -> None:
    held = run.judged(Outcome.HOLD, None).register()
    with pytest.raises(SignatureError, match="is signed, with the decision HOLD"):
        checked(run, held.version, trusted)
    assert checked(run, held.version, trusted, passed=False).outcome == "HOLD"


def test_a_version_judged_again_is_signed_again(
    run: Run, signing: keys.KeyPair, trusted: tuple[TrustedKey, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = run.judged(Outcome.HOLD, None)
    version = held.register().version
    monkeypatch.delenv(keys.VARIABLE)
    notes: list[str] = []
    with progress.heard_by(Notes(notes)):
        assert run.register().version == version
    assert any("is still signed as it was judged before" in note for note in notes)
    assert version_signing.verified(run.home, run.spec.name, version, trusted).statement.outcome == "HOLD"
    monkeypatch.setenv(keys.VARIABLE, str(signing.private))
    assert version_signing.sign_registered(run.home, run.spec.name, version) == signing.key_id
    stated = version_signing.verified(run.home, run.spec.name, version, trusted).statement
    assert stated.outcome == "PROMOTE"
    assert stated.evidence_path.startswith("judgings/")


class Notes(progress.Silent):
    """Keeps what a person should know."""

    def __init__(self, kept: list[str]) -> None:
        self.kept = kept

    def note(self, message: str) -> None:
        self.kept.append(message)


def test_evidence_that_was_changed_outside_is_not_signed(run: Run, signing: keys.KeyPair) -> None:
    version = run.register().version
    with_other_evidence(run)
    with pytest.raises(Exception, match=r"evidence.json was changed since it was registered"):
        version_signing.sign_registered(run.home, run.spec.name, version)


def test_when_rows_are_forgotten_the_new_evidence_is_signed_by_the_same_key_only(
    run: Run, signing: keys.KeyPair, trusted: tuple[TrustedKey, ...], tmp_path: Path
) -> None:
    version = run.register().version
    [file] = evidence_files(run)
    before = version_signing.verified(run.home, run.spec.name, version, trusted).statement.evidence_digest
    with_other_evidence(run)
    from perennial.core import digest

    after, signer = digest.of_file(file), keys.signer_from_environment()
    with tracking.session(run.home) as client:
        run_id = client.get_model_version(run.spec.name, version).run_id
        other = keys._signer(keys.new_pair(tmp_path / "other").private.read_bytes(), "another")
        assert replaced(client, run_id, before, after, None) == [f"version 1 of {run.spec.name}"]
        assert replaced(client, run_id, before, after, other) == [f"version 1 of {run.spec.name}"]
        assert replaced(client, run_id, before, after, signer) == []
    assert version_signing.verified(run.home, run.spec.name, version, trusted).statement.evidence_digest == after


def replaced(client: MlflowClient, run_id: str, before: str, after: str, signer: object) -> list[str]:
    return signatures.evidence_replaced(client, run_id, before, after, signer)  # type: ignore[arg-type]


def test_a_key_that_is_no_good_stops_a_run_before_anything_is_trained(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = keys.new_pair(tmp_path / "own")
    own.private.chmod(0o640)
    monkeypatch.setenv(keys.VARIABLE, str(own.private))
    for step in (lambda: versions.already(run.home, run.spec.name, "f" * 64), run.register):
        with pytest.raises(KeyFileError, match="may be read by others") as refused:
            step()
        assert "chmod 600" in refused.value.remedy
    with tracking.session(run.home) as client:
        assert client.search_model_versions("") == []


def test_a_tag_that_another_person_set_is_no_signature(
    run: Run, signing: keys.KeyPair, trusted: tuple[TrustedKey, ...]
) -> None:
    registered = run.register()
    note_tag(run.home, registered, tags.SIGNATURE, '{"payload": "", "payloadType": "x", "signatures": []}')
    with pytest.raises(SignatureError, match=r"signed by a stranger \(nobody\)"):
        version_signing.verified(run.home, run.spec.name, registered.version, trusted)
