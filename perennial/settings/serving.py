"""The settings of `perennial serve`."""

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from perennial.settings.base import Settings, as_list
from perennial.settings.prediction_log import PredictionLogSpec

PersonalData = Literal["email", "phone", "iban", "card", "ip", "ssn"]
"""What can be recognised by its form: e-mail addresses, phone, bank account and payment card numbers, addresses of the
internet, social security numbers of the US."""

Origin = Annotated[str, Field(pattern=r"^(https?://[A-Za-z0-9.\-\[\]:]+|\*)$")]
"""Scheme, host and port of a web page, without a slash at the end; *: any."""


def all_or_none(value: object) -> object:
    """true stands for all of it, false for none; a text by itself for a list of one."""
    if isinstance(value, bool):
        return get_args(PersonalData) if value else ()
    return as_list(value)


class ServingSpec(Settings):
    """How `perennial serve` answers: what a request may hold, how many wait, how soon a new champion is seen. They
    change no model, and hold for the server that is started with them.
    """

    poll_seconds: float = Field(default=10, gt=0)
    """How often the registry is asked who is champion, in seconds; one small request each time."""
    max_rows: int = Field(default=1000, ge=1)
    """Rows in a request; one with more is refused with 413. A file belongs into `perennial predict`."""
    max_characters: int = Field(default=20_000, ge=1)
    """Of a text, the two texts of a pair together, or all tokens of a row; a longer one is refused with 413."""
    max_body_bytes: int = Field(default=4_000_000, ge=100)
    """Of a request; a larger one is refused with 413 before it is read to its end."""
    queue_rows: int = Field(default=2000, ge=1)
    """Rows that wait or are being answered at once; a request that would make them more is refused with 429, so that
    who is let in waits for seconds, not minutes. At least max_rows."""
    batch_rows: int = Field(default=64, ge=1)
    """Rows that are answered together, at most: those that came while the model was busy. Nothing ever waits for a
    batch to fill up. More serve many clients faster, and let a short request wait longer behind long ones."""
    explain_texts: int = Field(default=20, ge=1)
    """Texts in a request to /explain; one with more is refused with 413. Each is as much work as explain_rows texts."""
    explain_rows: int = Field(default=14, ge=6)
    """Texts without some words that are asked at most to explain one, so that it costs about ten predictions. More part
    long texts further and tell more of words that act together."""
    body_seconds: float = Field(default=30, gt=0)
    """How long a request may take to come in: its headers, and then its body. A slower one is refused with 408, so that
    clients which stall, or were cut off, hold no memory. Raise it for large requests over slow lines."""
    answer_seconds: float = Field(default=30, gt=0)
    """How long a client may take to read its answer once it is sent. Then its connection is closed, so that clients
    which read slowly, or never, hold no memory. Raise it for large answers over slow lines."""
    queue_seconds: float = Field(default=300, gt=0)
    """How long a request may wait for its answers once it is in. Then it is answered with 503, and its rows that were
    not computed never are. Long enough for max_rows long texts on a few cores; clients that wait no longer and close
    their connection are noticed at once, and their rows dropped."""
    connections: int = Field(default=500, ge=1)
    """Requests to /predict at once, those included that are coming in; one more is answered with 503. Each may hold
    max_body_bytes. A little below the 1,024 files that a process may have open by default, as connections are files."""
    access_log: bool = False
    """Whether each request gets a line in the log: place, status, milliseconds and request id, and never a query or a
    text. Off, as /metrics counts them, and a busy server would write thousands of lines a second."""
    threads: int | None = Field(default=None, ge=1)
    """Of the model; none: the physical cores this process may use."""
    drain_seconds: int = Field(default=30, ge=1)
    """How long requests that are under way may take when the server is told to end. A body that is still coming in has
    five seconds."""
    notice_seconds: float = Field(default=0, ge=0)
    """How long the server still lets requests in after SIGTERM, while /readyz answers 503 and each answer closes its
    connection: as long as a balancer takes to notice. 0 for who takes traffic away first, as by a preStop hook."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Of each API key, or of each address where no keys are asked for; a request beyond it is refused with 429. As
    many may come at once. None: any number. `perennial keys add --requests-per-minute` says otherwise for one key."""
    rows_per_minute: int | None = Field(default=None, ge=1)
    """The same for rows, which is what costs; a request with more of them than this is refused with 413."""
    open_metrics: bool = False
    """Whether /metrics answers without a key where the server asks for keys; else it needs one of scope admin. True
    where only Prometheus can reach it: it tells models, versions and how much is asked."""
    cors_origins: tuple[Origin, ...] = ()
    """Web pages that may ask from a browser, by their origin, such as https://shop.example; none: only the server's
    own. A key that such a page sends can be read by whoever opens it."""
    trusted_keys: tuple[str, ...] = ()
    """Files of public keys, relative to pipeline.yaml: only versions that one of them signed serve. None: signatures
    are not looked at. `--trusted-key` adds to them."""
    redact: Annotated[tuple[PersonalData, ...], BeforeValidator(all_or_none)] = ()
    """What is taken out of texts before any of them is stored: email, phone, iban, card, ip, ssn; true: all of these.
    Off, as a server stores no texts unless it is told to. Names and postal addresses of people are not recognised."""
    redact_region: str = Field(default="US", pattern=r"^[A-Z]{2}$")
    """The country whose phone numbers are recognised without +, as two letters of ISO 3166; with + all are."""
    log: PredictionLogSpec = PredictionLogSpec()
    """What is written down of answers."""

    @model_validator(mode="after")
    def _room_for_one(self) -> Self:
        if self.queue_rows < self.max_rows:
            raise ValueError(
                f"queue_rows ({self.queue_rows}) is less than max_rows ({self.max_rows}): a request that is allowed "
                "would never be let in; raise the one or lower the other"
            )
        return self
