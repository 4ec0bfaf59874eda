"""Sentences without the secrets of the addresses in them: every error, note and stored sentence goes through here.

Two ways, for either alone leaks. By form: what stands where an address, a connection string or a query keeps a secret.
By value: the secrets of the addresses that this process was given, wherever they turn up, for a driver that misreads an
address (a password with an @ in it that was not percent-encoded) tells it in pieces and in words of its own.
"""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "***"

_SHORTEST = 4
"""Characters of a secret that is looked for by its value: shorter ones are parts of ordinary words."""

_SHORTEST_NAMED = 8
"""The same for variables that are called a password: those are often common words in a test set-up, like `admin`."""

_ORDINARY = frozenset({"perennial", "postgres", "postgresql", "mlflow", "prefect", "admin", "root", "test", "user"})
"""Passwords that anybody guesses, and that our own sentences are made of: not looked for by their value."""

# Anything up to the last @ before the address or its query ends, for a password may hold @, :, / and, where nothing
# else can be meant, a question mark or blanks. Three slashes begin a path. `user@host` stands in examples of ours.
_USER = re.compile(
    r"(?P<scheme>\b[A-Za-z][\w+.-]*://)(?!/|user@host(?![^\s/]*@)\b)"
    r"(?:[^\s?]*@|[^\s?/:]+:[^\s/]*@|[^\s?/:@]+:(?!\d{1,5}(?:[/\s?]|$))(?:(?!://)[^\n]){1,200}?@(?=[\w\[]))"
)

_NAMES = (
    r"[\w-]*(?:password|passwd|passphrase|pwd|secret|token|credentials?|signature)"
    r"|[\w-]*(?:api|access|account|secret|private|shared|storage)[_-]?key(?:[_-]?id)?"
    r"|pass|sas|sig|auth|authorization"
)
# As a query's part (?password=…), in a connection string (password=… host=…; PWD={…};), quoted or not.
_NAMED = re.compile(
    rf"(?i)(?<![\w-])(?P<name>{_NAMES})(?P<sign>\s?=\s?|%3D)(?P<value>\{{[^}}]*\}}|'(?:[^'\\]|\\.)*'|"
    r'"(?:[^"\\]|\\.)*"|[^\s&;,\'"]+)'
)
# As a record is printed ('password': '…', "token": "…"), in a request's header, and by short names in a query only.
_PRINTED = re.compile(
    rf"(?i)(?<![\w-])(?P<name>{_NAMES})(?P<sign>(?P<quote>['\"])\s?:\s?)(?P<value>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
)
_HEADER = re.compile(r"(?i)(?P<scheme>\bbearer\s+|\bauthorization:\s*basic\s+)(?P<value>[\w.~+/-]{8,}=*)")
# An API key of a server of ours, wherever it stands.
_API_KEY = re.compile(r"\bperennial_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")
_SHORT = re.compile(r"(?i)(?P<name>(?<=[?&])(?:pw|jwt|key|apikey))=(?P<value>[^\s&'\"]+)")
# A whole connection string, encoded into one part of a query.
_WHOLE = re.compile(r"(?i)(?P<name>\bodbc_connect|\bdsn)=[^\s&'\"]+")

_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://")
_SECRET_VARIABLE = re.compile(r"(?i)(?:password|passwd|secret|token|auth_string|access_key)$")


def mask_secrets(text: str) -> str:
    """`text` with `***` for each user name, password, token and key of an address or a connection string in it.

    Names of hosts, databases and paths stay. Nothing is looked up but the environment of this process.
    """
    masked = _API_KEY.sub(HIDDEN, _by_value(text))
    masked = _WHOLE.sub(rf"\g<name>={HIDDEN}", masked)
    masked = _USER.sub(rf"\g<scheme>{HIDDEN}@", masked)
    masked = _SHORT.sub(rf"\g<name>={HIDDEN}", masked)
    masked = _PRINTED.sub(rf"\g<name>\g<sign>\g<quote>{HIDDEN}\g<quote>", masked)
    masked = _NAMED.sub(rf"\g<name>\g<sign>{HIDDEN}", masked)
    return _HEADER.sub(rf"\g<scheme>{HIDDEN}", masked)


def _by_value(text: str) -> str:
    for secret in _secrets(tuple(sorted(_given()))):
        if secret in text:
            # As a word of its own: a secret "data" must not eat into "database".
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text


def _given() -> Iterator[tuple[str, bool]]:
    """The values of the environment that may hold a secret, and whether each is one as a whole."""
    for name, value in os.environ.items():
        if "://" in value:
            yield value, False
        elif _SECRET_VARIABLE.search(name):
            yield value, True


@lru_cache(maxsize=8)
def _secrets(given: tuple[tuple[str, bool], ...]) -> tuple[str, ...]:
    """Every spelling of every secret in `given`, the longest first."""
    spelled: set[str] = set()
    for value, whole in given:
        least = _SHORTEST_NAMED if whole else _SHORTEST
        for secret in [value] if whole else _of_addresses(value):
            for plain in {secret, unquote(secret), unquote_plus(secret)}:
                spelled |= {form for form in (plain, quote(plain, safe=""), quote_plus(plain)) if len(form) >= least}
    spelled -= _ORDINARY
    return tuple(sorted(spelled, key=lambda secret: (-len(secret), secret)))


def _of_addresses(value: str) -> Iterator[str]:
    """The secrets of the addresses in `value`: passwords, whole and in the pieces that an @ in them makes."""
    # Of one address all is its own, blanks too; several are divided by them.
    for address in _ADDRESS.split(value)[1:]:
        rest = address if len(_ADDRESS.findall(value)) == 1 else address.split()[0] if address.strip() else ""
        if not rest.startswith("/"):  # which begins a path
            for part in {rest, rest.partition("?")[0]}:
                yield from _of_user(part.rpartition("@")[0])
    for part in _NAMED.finditer(unquote_plus(value)):
        yield part["value"].strip("{}'\"")


def _of_user(user: str) -> Iterator[str]:
    name, colon, password = user.partition(":")
    if not colon:
        yield name  # a token in the place of a user, as some servers want it
    elif "/" not in name:
        yield password
        yield from re.split(r"[@/?]", password)
