"""The scripts of infra/: secrets that are made and handed on, and the databases."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest
from conftest import Databases
from infra_files import INFRA, REPOSITORY, beside_python
from place import Ended

SCRIPTS = sorted(INFRA.rglob("*.sh"))
WITH_SECRETS = INFRA / "with-secrets.sh"


def with_secrets(*command: str, **environment: str) -> Ended:
    """`with-secrets.sh COMMAND` in an environment of its own."""
    done = subprocess.run(
        [WITH_SECRETS, *command],
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_are_sound(script: Path) -> None:
    shell = script.read_text(encoding="utf-8").splitlines()[0].split("/")[-1].removeprefix("env ")
    assert subprocess.run([shell, "-n", script], check=False).returncode == 0
    assert script.stat().st_mode & 0o111 == 0o111
    if shutil.which("shellcheck"):
        assert subprocess.run(["shellcheck", script], check=False).returncode == 0


def test_a_secret_becomes_a_variable_and_its_file_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "password").write_text('it\'s "$HOME" `x` \\ %\n', encoding="utf-8")
    ended = with_secrets("env", "-0", PGPASSWORD_FILE=str(tmp_path / "password"))
    assert ended.code == 0, ended.error
    said = dict(line.split("=", 1) for line in ended.out.split("\0") if line)
    assert said["PGPASSWORD"] == 'it\'s "$HOME" `x` \\ %'
    assert "PGPASSWORD_FILE" not in said


def test_a_data_sources_address_may_be_a_secret_too(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://reader:hidden@db.example/reviews", encoding="utf-8")
    ended = with_secrets(
        "sh", "-c", 'echo "$REVIEWS_URL"', PERENNIAL_SECRETS="REVIEWS_URL OTHER", REVIEWS_URL_FILE=str(tmp_path / "url")
    )
    assert ended.out == "postgresql://reader:hidden@db.example/reviews\n"


def test_without_secrets_the_command_runs_with_its_own_exit_code() -> None:
    assert with_secrets("sh", "-c", "exit 3").code == 3


def test_a_secret_that_is_not_there_stops_it_in_words(tmp_path: Path) -> None:
    ended = with_secrets("echo", "started", PREFECT_API_AUTH_STRING_FILE=str(tmp_path / "none"))
    assert (ended.code, ended.out) == (1, "")
    assert f"PREFECT_API_AUTH_STRING_FILE names {tmp_path / 'none'}, which can't be read" in ended.text
    assert with_secrets().code == 2


def test_secrets_are_random_kept_and_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = [INFRA / "make-secrets.sh", folder]
    first = subprocess.run(make, check=True, capture_output=True, text=True).stdout
    made = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(set(made.values())) == len(made)
    # MLflow wants 12 and 16 characters at least; and nothing that an address would have to encode.
    assert all(len(secret) >= 32 and not set(secret) & set("/+@%\n") for secret in made.values())
    assert made["prefect-auth"] == f"admin:{made['prefect-admin-password']}"
    assert not any(secret in first for secret in made.values())
    (folder / "grafana-password").unlink()
    subprocess.run(make, check=True, capture_output=True)
    again = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert {name for name in made if again[name] != made[name]} == {"grafana-password"}


def test_each_user_has_its_database_and_a_password_and_no_other_may_look_in(databases: Databases) -> None:
    databases.make()  # once more changes nothing
    with psycopg.connect(databases.url("postgres", "postgres").replace("+psycopg", "")) as admin:
        owners = dict(admin.execute("SELECT datname, datdba::regrole::text FROM pg_database WHERE NOT datistemplate"))
        passwords = dict(admin.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin"))
        asked = "SELECT has_database_privilege(%s, %s, 'CONNECT')"
        may = {
            (user, name)
            for user in ("prefect", "mlflow", "perennial")
            for name in owners
            if admin.execute(asked, (user, name)).fetchone() == (True,) and name != "postgres"
        }
    assert {name: owners[name] for name in ("prefect", "mlflow", "mlflow_auth", "perennial")} == {
        "prefect": "prefect",
        "mlflow": "mlflow",
        "mlflow_auth": "mlflow",
        "perennial": "perennial",
    }
    assert all(passwords[user].startswith("SCRAM-SHA-256$") for user in ("prefect", "mlflow", "perennial"))
    assert may == {
        ("prefect", "prefect"),
        ("mlflow", "mlflow"),
        ("mlflow", "mlflow_auth"),
        ("perennial", "perennial"),
        ("mlflow", "perennial"),  # for backups
    }


def test_the_pool_of_a_cluster_gets_the_image_of_its_runs(tmp_path: Path) -> None:
    """`prefect` is stood in for by a program that keeps what it was given."""
    (tmp_path / "prefect").write_text('#!/bin/sh\nfor last; do :; done\ncp "$last" "$KEPT"\n', encoding="utf-8")
    (tmp_path / "prefect").chmod(0o755)
    (tmp_path / "python").symlink_to(str(beside_python("python")))
    settings = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "KEPT": str(tmp_path / "kept.json"),
        "TMPDIR": str(tmp_path),
        "RUN_TEMPLATE": "kubernetes-gpu.json",
        "RUN_IMAGE": "registry.example/perennial-worker:1",
    }
    subprocess.run([INFRA / "kubernetes" / "work-pool.sh"], env=settings, check=True, cwd=REPOSITORY)
    made = (tmp_path / "kept.json").read_text(encoding="utf-8")
    assert '"default": "registry.example/perennial-worker:1"' in made
    assert "perennial-worker:gpu" not in made
