"""Finding a report: here, in MLflow, or nowhere."""

import shutil

import pytest
from registry_helpers import Run

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.evaluation.report import run_report
from perennial.promotion import reports


def test_a_report_is_found_in_the_store_by_model_version_and_run(run: Run) -> None:
    registered = run.register()
    page = run_report.stored_report(run.home, run.spec.name)
    assert page is not None
    for name, version in ((run.spec.name, None), (run.spec.name, "1"), (registered.run_id, None)):
        found = reports.find_report(run.home, name, version)
        assert (found.model, found.version, found.path) == (run.spec.name, "1", page)


def test_a_report_that_is_not_in_the_store_comes_from_mlflow(place: str, run: Run) -> None:
    run.register()
    page = run_report.stored_report(run.home, run.spec.name)
    assert page is not None
    before = page.read_bytes()
    shutil.rmtree(run.home.store.root / run_report.STEP)
    found = reports.find_report(run.home, run.spec.name, None)
    assert found.path.read_bytes() == before
    assert run.home.root in found.path.parents


def test_a_damaged_report_is_not_shown(run: Run) -> None:
    run.register()
    page = run_report.stored_report(run.home, run.spec.name)
    assert page is not None
    page.write_text("other")
    assert reports.find_report(run.home, run.spec.name, "1").path != page


def test_while_mlflow_is_down_the_last_report_of_this_machine_is_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.register()
    page = run_report.stored_report(run.home, run.spec.name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = reports.find_report(run.home, run.spec.name, None)
    assert (found.path, found.version) == (page, None)
    with pytest.raises(RegistryError):
        reports.find_report(run.home, run.spec.name, "1")


@pytest.mark.parametrize(("name", "version", "told"), [("nobody", None, "no versions"), ("f" * 32, None, "No version")])
def test_what_is_not_there_is_said(home: Home, name: str, version: str | None, told: str) -> None:
    with pytest.raises(RegistryError, match=told):
        reports.find_report(home, name, version)
