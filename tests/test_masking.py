"""No secret of an address, in whichever form SQLAlchemy, a driver or MLflow takes it, stays in a sentence."""

import itertools
import logging
import re
from pathlib import Path
from urllib.parse import quote_plus

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from perennial.core import progress
from perennial.core.errors import PerennialError, RegistryError
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.registry import tracking
from tests.notes import Notes

# pytest names a test by its parameters and keeps the name in the environment, where secrets are looked for: so numbers.
SECRET = "s3kr1t-Word"
ODBC = f"DRIVER={{ODBC Driver 18 for SQL Server}};SERVER=host;UID=ann;PWD={SECRET};Encrypt=yes"

FORMS = [
    f"postgresql+psycopg://ann:{SECRET}@host:5432/db",
    f"postgresql+psycopg://host/db?user=ann&password={SECRET}",
    f"postgresql+psycopg:///db?host=/var/run&password={SECRET}&user=ann",
    f"postgresql+psycopg://ann:p@{SECRET}@host/db",
    f"postgresql+psycopg://ann:p@{SECRET}@[::1]:5432/db",
    f"postgresql+psycopg://ann:a/b/{SECRET}@host/db",
    f"postgresql+psycopg://ann:a?{SECRET}@host/db",
    f"postgresql+psycopg://ann@host/db?sslpassword={SECRET}&sslkey=/keys/ann.key",
    f"postgresql+psycopg://host1:1,host2:2/db?passfile=/x&password={SECRET}",
    f"mysql+pymysql://ann:{SECRET}@host/db?charset=utf8mb4",
    f"mysql+mysqldb://host/db?passwd={SECRET}",
    f"mssql+pyodbc://ann:{SECRET}@dsn",
    f"mssql+pyodbc:///?odbc_connect={quote_plus(ODBC)}",
    ODBC,
    f"Server=host;Uid=ann;Pwd={{{SECRET};more}};",
    f"host=host user=ann password={SECRET} dbname=db",
    f"host=host user=ann password='a b {SECRET}' dbname=db",
    f"oracle+oracledb://ann:{SECRET}@host:1521/?service_name=x",
    f"snowflake://ann:{SECRET}@account/db?warehouse=w",
    f"snowflake://ann@account/db?token={SECRET}&authenticator=oauth",
    f"databricks://token:{SECRET}@host?http_path=/sql",
    f"bigquery://project/data?credentials={SECRET}",
    f"sqlite:////folder/file.db?password={SECRET}",
    f"https://ann:{SECRET}@mlflow.example/base",
    f"https://{SECRET}@mlflow.example",
    f"https://mlflow.example/?access_token={SECRET}",
    f"https://account.blob.core.example/container?sv=1&sig={SECRET}",
    f"s3://{SECRET}:{SECRET}@bucket/path?aws_secret_access_key={SECRET}",
    f"http://ann:{SECRET}@proxy:3128",
    f"postgresql+psycopg://user@host:{SECRET}@host/db",
    f"https://mlflow.example/?pw={SECRET}&key={SECRET}",
    f"{{'user': 'ann', 'password': '{SECRET}'}}",
    f'{{"token": "{SECRET}", "host": "db"}}',
    f"Authorization: Bearer {SECRET}",
]


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
def test_every_form_of_an_address_loses_its_secret_in_a_sentence(form: str) -> None:
    sentence = f"MLflow at {form} can't be used (tried {form!r}, too): connection refused."
    masked = mask_secrets(sentence)
    assert SECRET not in masked
    assert masked.startswith("MLflow at ")
    assert masked.endswith("connection refused.")
    assert mask_secrets(masked) == masked


@pytest.mark.parametrize(
    "sentence",
    [
        "Write it like postgresql+psycopg://user@host/database, or sqlite:////folder/file.db.",
        "MLflow at http://127.0.0.1:5000 and sqlite:////home/a@b/mlflow.db can't be used.",
        "file:///data/a@2/rows.csv holds 3 rows; write to ann@example.org?",
        "the key=value pairs of a basic expectation, or a bearer; 'password': none given",
        "per: token, F1=0.83, secret sauce, 12 tokens, data.source.url_env",
    ],
    ids=range(5),
)
def test_what_holds_no_secret_stays(sentence: str) -> None:
    assert mask_secrets(sentence) == sentence


def _is_tellable(password: str) -> bool:
    """Not what reads as a port and then a sentence: that is hidden by its value only."""
    return not re.match(r"\d{1,5}([/\s?]|$)", password)


CHARACTERS = st.characters(categories=["L", "M", "N", "P", "S"], include_characters=" ")


@given(password=st.text(CHARACTERS, min_size=8, max_size=24).filter(_is_tellable))
def test_what_sqlalchemy_writes_of_any_password_is_hidden(password: str) -> None:
    url = sa.URL.create("postgresql+psycopg", "ann", password, "host", 5432, "db")
    assert (
        mask_secrets(f"at {url.render_as_string(hide_password=False)}.") == "at postgresql+psycopg://***@host:5432/db."
    )


def test_the_pieces_that_a_driver_makes_of_a_password_are_hidden_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVIEWS_URL", "postgresql+psycopg://ann:pa/55@w0rd-x@host/db?sslpassword=k%2Fey-1")
    said = 'failed to resolve host "w0rd-x@host": pa/55@w0rd-x; key k/ey-1 (k%2Fey-1) does not fit database'
    masked = mask_secrets(said)
    assert masked == 'failed to resolve host "***@host": ***; key *** (***) does not fit database'


def test_a_password_that_is_a_word_of_ours_leaves_commands_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_DATABASE_URL", "postgresql+psycopg://perennial:perennial@host/perennial")
    assert mask_secrets("Run `perennial doctor`.") == "Run `perennial doctor`."


def test_a_variable_that_is_called_a_password_is_hidden_wherever_it_turns_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    assert mask_secrets(f"401 for ann/{SECRET}") == "401 for ann/***"


def test_errors_and_notes_are_masked_where_they_are_made() -> None:
    error = PerennialError(f"It is at {FORMS[1]}.", remedy=f"Ask {FORMS[3]}.")
    notes = Notes()
    with progress.heard_by(notes):
        progress.note(f"Reading {FORMS[3]}.")
    for text in (str(error), error.problem, error.remedy, *notes.messages):
        assert SECRET not in text
        assert "***" in text


@pytest.mark.parametrize("form", FORMS[:6], ids=range(6))
def test_mlflow_that_is_down_is_told_without_the_password(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    form = form.replace("@host", "@127.0.0.1").replace("//host", "//127.0.0.1").replace(":5432", "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", form)
    with caplog.at_level(logging.DEBUG), pytest.raises(RegistryError) as told:
        tracking.check_mlflow(Home(tmp_path))
    assert SECRET not in str(told.value) + caplog.text


@pytest.mark.parametrize("form", [form for form in FORMS if "://" in form], ids=itertools.count())
def test_what_is_written_down_of_an_address_holds_no_secret(form: str) -> None:
    assert SECRET not in tracking.plain_address(form)
