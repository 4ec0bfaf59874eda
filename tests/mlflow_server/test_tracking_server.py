"""The server for a team: it knows its users, refuses to start half-configured, and is told from one that is down."""

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from place import Place, assert_explained, free_port, processes_with
from tracking_server import ADMIN_PASSWORD, SECRETS, Settings, TrackingServer, serving, team_settings, with_password

from perennial.doctor import services

DOWN = "postgresql+psycopg://ann:hunter2@127.0.0.1:1/mlflow"


def test_nothing_is_told_to_who_does_not_say_who_he_is(server: TrackingServer) -> None:
    what = "2.0/mlflow/experiments/get?experiment_id=0"
    assert server.ask(what, user="") == 401
    assert server.ask(what, password="guessed, and guessed") == 401
    assert server.ask(what) == 200


def test_users_and_models_are_in_postgresql_and_no_password_is_anywhere(server: TrackingServer) -> None:
    import sqlalchemy as sa

    users = sa.make_url(server.settings.values["PERENNIAL_MLFLOW_DATABASE_URL"])
    users = users.set(database=f"{users.database}_auth")
    engine = sa.create_engine(users)
    with engine.connect() as connection:
        assert set(connection.scalars(sa.text("SELECT username FROM users"))) == {
            "admin",
            "ann",
            "bob",
            "worker",
            "model-server",
        }
    engine.dispose()
    files = [path for path in server.settings.folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert b"s3cret" not in content, path
        assert ADMIN_PASSWORD.encode() not in content, path
    for pid in processes_with(server.settings.values["MLFLOW_PORT"]):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"s3cret" not in command
        assert ADMIN_PASSWORD.encode() not in command


def test_without_settings_it_is_a_server_of_this_machine(tmp_path: Path) -> None:
    settings = Settings(tmp_path, {"MLFLOW_PORT": str(free_port())})
    with serving(settings) as server:
        said = server.log.read_text()
        state = tmp_path / ".perennial" / "mlflow-server"
        password = (state / "admin-password").read_text().strip()
        assert len(password) >= 24
        assert str(state / "admin-password") in said
        assert password not in said
        assert server.address in said
        assert server.ask("2.0/mlflow/experiments/get?experiment_id=0", password=password) == 200
        for name in ("admin-password", "secret-key"):
            assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        again = settings.script("start.sh")
        assert_explained(again, 1, "is taken", "MLFLOW_PORT")


REFUSED = [
    ({"MLFLOW_AUTH_ADMIN_PASSWORD": ""}, ["MLFLOW_AUTH_ADMIN_PASSWORD is not set", "no default password"]),
    ({"MLFLOW_AUTH_ADMIN_PASSWORD": "password1234"}, ["everybody knows"]),
    ({"MLFLOW_AUTH_ADMIN_PASSWORD": "hunter2"}, ["has 7 characters", "12 or more"]),
    ({"MLFLOW_AUTH_ADMIN_PASSWORD": "", "MLFLOW_AUTH_ADMIN_PASSWORD_FILE": "/no/file"}, ["/no/file", "can't be read"]),
    ({"MLFLOW_FLASK_SERVER_SECRET_KEY": ""}, ["MLFLOW_FLASK_SERVER_SECRET_KEY", "openssl rand"]),
    ({"PERENNIAL_MLFLOW_ARTIFACTS": ""}, ["PERENNIAL_MLFLOW_ARTIFACTS", "s3://"]),
    ({"PERENNIAL_MLFLOW_ARTIFACTS": "gs://bucket"}, ["PERENNIAL_MLFLOW_ARTIFACTS", "s3://"]),
    ({"PERENNIAL_MLFLOW_ARTIFACTS": "/proc/1/no"}, ["/proc/1/no", "can't be written"]),
    ({"PERENNIAL_MLFLOW_DATABASE_URL": "mysql://ann:hunter2@host/mlflow"}, ["no address of a PostgreSQL database"]),
    ({"PERENNIAL_MLFLOW_DATABASE_URL": "postgresql://ann:hun@ter2@h/x"}, ["percent-encoded"]),
    ({"PERENNIAL_MLFLOW_DATABASE_URL": "postgresql://ann@h/x?password=hunter2"}, ["no address"]),
    ({"PERENNIAL_MLFLOW_DATABASE_URL": DOWN}, ["postgresql://ann@127.0.0.1:1/mlflow", "Connection refused"]),
    ({"PERENNIAL_MLFLOW_DATABASE_URL": "", "MLFLOW_HOST": "::"}, ["PERENNIAL_MLFLOW_DATABASE_URL is not set"]),
    ({"MLFLOW_PORT": "http"}, ["MLFLOW_PORT", "'http'"]),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_it_does_not_start_half_configured(tmp_path: Path, changes: dict[str, str], words: list[str]) -> None:
    refused = team_settings(tmp_path, DOWN, DOWN).but(**changes).script("start.sh")
    assert_explained(refused, 1, *words)
    assert len(refused.error.splitlines()) == 1
    assert "hunter2" not in refused.text


def test_a_missing_database_is_named(tmp_path: Path, new_postgres: Callable[[], str]) -> None:
    import sqlalchemy as sa

    url = sa.make_url(new_postgres()).set(database="nowhere").render_as_string(hide_password=False)
    assert_explained(team_settings(tmp_path, url, url).script("start.sh"), 1, 'database "nowhere" does not exist')


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    settings = team_settings(tmp_path, DOWN, DOWN).without(*SECRETS, "PERENNIAL_MLFLOW_DATABASE_URL")
    files = {"PERENNIAL_MLFLOW_DATABASE_URL": DOWN, **SECRETS}
    for name, value in files.items():
        (tmp_path / name).write_text(f"{value}\n")
        settings = settings.but(**{f"{name}_FILE": str(tmp_path / name)})
    # All is read and found good: what is wrong is that nothing answers there.
    assert_explained(settings.script("start.sh"), 1, "Connection refused")


@pytest.mark.parametrize("script", ["start.sh", "backup.sh", "restore.sh", "upgrade.sh"])
def test_each_script_says_what_it_does(tmp_path: Path, script: str) -> None:
    helped = Settings(tmp_path, {}).script(script, "--help")
    assert helped.code == 0
    assert helped.out.startswith(f"mlflow/{script}")
    assert not list(tmp_path.iterdir())


def test_the_databases_are_upgraded_in_place(server: TrackingServer) -> None:
    upgraded = server.settings.script("upgrade.sh")
    assert upgraded.code == 0, upgraded.text
    assert "Upgraded" in upgraded.out


def test_a_password_with_odd_characters_reaches_the_database(tmp_path: Path) -> None:
    url = with_password("postgresql+psycopg://ann@127.0.0.1:1/mlflow", r"%2F\n'\"$(id) ü@/")
    shown = "source common.sh; configure; printf '%s\\n' \"${DATABASES[users]}\"; as users printenv PGPASSWORD"
    settings = team_settings(tmp_path, url, DOWN)
    done = subprocess.run(
        ["bash", "-c", shown], cwd=Path(__file__).parents[2] / "mlflow", env=settings.environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["postgresql://ann@127.0.0.1:1/mlflow_auth", r"%2F\n'\"$(id) ü@/"]


UNKNOWN = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "hunter2 hunter2"}
COMMANDS = [
    ("promote", "headlines", "1"),
    ("rollback", "headlines", "--reason", "A test."),
    ("predict", "headlines", "text"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_wrong_password_is_told_from_a_server_that_is_down(
    server: TrackingServer, elsewhere: Place, command: tuple[str, ...]
) -> None:
    refused = elsewhere.command(*command, MLFLOW_TRACKING_URI=server.address, **UNKNOWN)
    assert_explained(refused, 1, "does not accept the user 'ann'", "Correct MLFLOW_TRACKING_USERNAME")
    assert "hunter2" not in refused.text
    assert "Start that server" not in refused.text


def test_no_password_at_all(server: TrackingServer, elsewhere: Place) -> None:
    missing = elsewhere.command("promote", "headlines", "1", MLFLOW_TRACKING_URI=server.address)
    assert_explained(missing, 1, "wants to know who asks", "MLFLOW_TRACKING_PASSWORD are not set")


def test_the_doctor_tells_them_apart(server: TrackingServer, elsewhere: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MLFLOW_TRACKING_URI": server.address, **UNKNOWN}.items():
        monkeypatch.setenv(name, value)
    (finding,) = services.mlflow(elsewhere.home)
    assert "does not accept the user 'ann'" in finding.seen
    assert "Correct MLFLOW_TRACKING_USERNAME" in finding.remedy
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    (finding,) = services.mlflow(elsewhere.home)
    assert "connection refused" in finding.seen
    assert "Start that server" in finding.remedy
