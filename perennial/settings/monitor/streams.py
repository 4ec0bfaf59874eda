"""Settings of where live texts come from."""

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from perennial.settings.base import Settings, as_list
from perennial.settings.data import AnnotationTool, FileSource, SqlSource, TimeFormat
from perennial.settings.serving import PersonalData, all_or_none

_NOT_COLUMNS = ("text", "id", "time", "source")


def _tables(source: FileSource) -> FileSource:
    if source.format in get_args(AnnotationTool):
        raise ValueError(
            f"format: {source.format} is an annotation tool's, and live texts are read from csv, tsv, jsonl, parquet "
            "or arrow"
        )
    return source


def _web_or_files(addresses: tuple[str, ...]) -> tuple[str, ...]:
    for address in addresses:
        if "://" in address and not address.lower().startswith(("http://", "https://")):
            raise ValueError(
                f"feeds names {address.partition('://')[0]}://…; an address begins with http:// or https://"
            )
    return addresses


class FeedSource(Settings):
    """RSS and Atom feeds, each an address or a file."""

    type: Literal["feed"]
    """feed: what makes this a source of feeds."""
    feeds: Annotated[tuple[str, ...], BeforeValidator(as_list), AfterValidator(_web_or_files), Field(min_length=1)]
    """Addresses (http, https), and paths or globs relative to the pipeline's folder."""
    text: Literal["title", "summary", "title_and_summary"] = "title"
    """What is a text: the headline, what stands below it, or both. Markup is taken out. A text that a feed calls by the
    same id again is known."""
    timeout_seconds: float = Field(default=20, gt=0, le=600)
    """How long one feed may take, in seconds."""
    most_mib: float = Field(default=10, gt=0, le=100)
    """How large one feed may be, in MiB, unpacked; a larger one is left out, and said."""


class RedisSource(Settings):
    """A stream of Redis (or Valkey), of which each entry is a text with its columns. Extra `redis`."""

    type: Literal["redis"]
    """redis: what makes this a stream of Redis."""
    url_env: str
    """Name of the environment variable that holds the URL, as redis://host:6379/0; the URL itself never goes into a
    file."""
    stream: str = Field(min_length=1)
    """The stream's key."""
    group: str | None = Field(default=None, min_length=1)
    """The consumer group: what was stored is acknowledged to it, and others of the group get other entries. It is made
    if it is not there. None: all entries are read, and the server is told nothing."""
    json_field: str | None = Field(default=None, min_length=1)
    """The field that holds a JSON object with the columns. None: the entry's fields are the columns."""


class KafkaSource(Settings):
    """A topic of Kafka, or of what speaks as it does, of which each message is a text with its columns. Extra
    `kafka`."""

    type: Literal["kafka"]
    """kafka: what makes this a topic of Kafka."""
    servers: Annotated[tuple[str, ...], BeforeValidator(as_list), Field(min_length=1)]
    """Brokers to begin with, as host:9092."""
    topic: str = Field(min_length=1)
    """The topic; all its partitions are read, from their oldest message on."""
    group: str | None = Field(default=None, min_length=1)
    """The group whose offsets are set to what was stored, so that Kafka's own tools see how far reading is. Where to go
    on is never read from them. None: the brokers are told nothing."""
    value: Literal["json", "text"] = "json"
    """What a message's value is: a JSON object with the columns, or the text alone."""
    properties: dict[str, str] = Field(default={})
    """Further properties of librdkafka, such as security.protocol; none that is a secret."""
    properties_env: dict[str, str] = Field(default={})
    """Properties whose values are secret, such as sasl.password, with the name of the environment variable that holds
    each."""
    timeout_seconds: float = Field(default=20, gt=0, le=600)
    """How long the brokers may be silent, in seconds, before they count as unreachable."""


LiveSource = Annotated[
    Annotated[FileSource, AfterValidator(_tables)] | SqlSource | FeedSource | RedisSource | KafkaSource,
    Field(discriminator="type"),
]
"""Where live texts come from. The path of files may be a folder, too: all tables in it."""


def _named_once(names: Any) -> Any:
    for name in names:
        if name in _NOT_COLUMNS or list(names).count(name) > 1:
            raise ValueError(f"kept names {name!r}, which is stored already, or named twice; take it out")
    return names


class TextTableSpec(Settings):
    """A table of a database that stored texts are copied to, for whoever reads them with SQL."""

    url_env: str
    """Name of the environment variable that holds the database's address, as SQLAlchemy takes it; tried with SQLite and
    PostgreSQL. The address itself never goes into a file."""
    table: str = Field(default="perennial_live_texts", min_length=1, max_length=63)
    """The table's name; it is made where there is none."""


class LiveColumnsSpec(Settings):
    """Which column, or field, of the source holds what."""

    text: str = "text"
    """The text itself."""
    id: str | None = None
    """What names a row for ever. None: a text is known by its time, its source and itself; of a stream by its entry."""
    time: str | None = "time"
    """When it was published. None: the time at which it was read; of a stream that at which it was added."""
    time_format: TimeFormat | None = None
    """How times are written that don't tell it themselves, as data.columns.time_format has it."""
    source: str | None = None
    """Who published it: `at_least_sources` counts them. None: all is of one source."""
    kept: Annotated[tuple[str, ...], BeforeValidator(as_list), AfterValidator(_named_once)] = ()
    """Other columns that are stored as text, and by which trends may be counted. Of feeds: link, author, category,
    feed."""


class RedactionSpec(Settings):
    """Personal data in live texts."""

    redact: Annotated[tuple[PersonalData, ...], BeforeValidator(all_or_none)] = ()
    """What is taken out of texts before any of them is stored: email, phone, iban, card, ip, ssn; true: all of them."""
    region: str = Field(default="US", pattern=r"^[A-Z]{2}$")
    """The country whose phone numbers are recognised without +, as two letters of ISO 3166; with + all are."""
