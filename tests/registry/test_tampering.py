"""One byte flipped in the registry's storage: no command lets that package serve, whatever this machine has of it."""

from pathlib import Path

import pytest
from place import Place, assert_explained, flip
from promoting import promote
from registry_helpers import Run, make_run

from perennial.core import digest
from perennial.core.errors import RegistryError
from perennial.promotion import approval, conclusion
from perennial.records.decision import Outcome
from perennial.registry import aliases, tracking

SAID = ("is not what was exported: model.onnx has sha256", "The champion is untouched")

ON_SERVER = pytest.mark.soak(twin="tests/registry/test_tampering.py::test_every_command_refuses_a_tampered_package")


@pytest.fixture(params=["database", pytest.param("server", marks=ON_SERVER)])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the database in the home, and with a server."""
    if request.param == "server":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", request.getfixturevalue("server"))
    return str(request.param)


@pytest.fixture
def storage(place: str, run: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Where the registry, or any server of this session, keeps its files."""
    return [run.home.mlflow] if place == "database" else sorted(tmp_path_factory.getbasetemp().glob("server*"))


def candidate(run: Run, key: str, against: str | None) -> Run:
    return make_run(run.home, run.spec, key * 64, bias=float(ord(key))).judged(Outcome.PROMOTE, against)


def spoil(storage: list[Path], run: Run) -> None:
    """Flip one bit of the weights in the newest package that is this run's: others on the server may be equal."""
    expected = run.arguments["package"].digest
    packages = (file for folder in storage for file in folder.rglob("package/package.json"))
    descriptions = [file for file in packages if digest.of_file(file) == expected]
    description = max(descriptions, key=lambda file: file.stat().st_mtime_ns)
    flip(description.with_name("model.onnx"))


def test_every_command_refuses_a_tampered_package(
    storage: list[Path], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_DATABASE_URL", f"sqlite:///{run.home.root}/ledger.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking.uri(run.home))
    first, second, third = candidate(run, "p", None), candidate(run, "q", "1"), candidate(run, "r", "2")
    for made in (first, second):
        assert promote(run.home, made.register())
    third.register()
    for made in (first, third):
        spoil(storage, made)
    name = run.spec.name
    # This machine has all of them whole in its store; another one gets what the registry has.
    here, elsewhere = Place(run.home.root.parent, None), Place(tmp_path / "elsewhere", None)
    here.home = run.home
    for machine in (here, elsewhere):
        for command in (["promote", name, "3"], ["promote", name, "3", "--as", "live"]):
            assert_explained(machine.command(*command), 1, "package of version 3", *SAID)
        assert_explained(machine.command("rollback", name, "--reason", "x"), 1, "package of version 1", *SAID)
    assert_explained(elsewhere.command("predict", name, "soup", "--version", "1"), 1, "package of version 1", *SAID)
    assert_explained(elsewhere.command("serve", name, "--version", "1"), 1, "package of version 1", *SAID)
    champion = aliases.champion(run.spec.name, run.home)
    assert champion is not None
    assert champion.version == "2"


def test_a_tampered_candidate_is_not_approved(storage: list[Path], run: Run) -> None:
    version = run.register()
    conclusion.conclude(run.home, version, run.arguments["decision"], needs_approval=True)
    spoil(storage, run)
    with pytest.raises(RegistryError, match=r"package of version 1 .*model.onnx has sha256.*untouched"):
        approval.approve(run.home, run.spec.name)
    assert aliases.champion(run.spec.name, run.home) is None
