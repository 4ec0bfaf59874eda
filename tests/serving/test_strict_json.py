"""JSON of which readers may think differently is refused, in words that hold nothing of it."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.serving.requests.strict_json import StrictJsonError, parse_json

REFUSED = {
    b'{"texts": ["zanzibar"], "texts": ["b"]}': "same key twice",
    b'{"rows": [{"text": "zanzibar", "text": "b"}]}': "same key twice",
    b'{"zanzibar": NaN}': "NaN or Infinity",
    b"[-Infinity]": "NaN or Infinity",
    b'["zanzibar", 1e999]': "larger than a double",
    b"[" + b"9" * 400 + b"]": "larger than a double",
    b"[" + b"9" * 5000 + b"]": "larger than a double",
    b"[" * 100_000: "nested too deeply|is not JSON",
    b'{"texts": ["\xff"]}': "not UTF-8",
    '["zanzibar"]'.encode("utf-16"): "not UTF-8|not JSON",
    b'\xef\xbb\xbf["zanzibar"]': "not JSON",
    b'["zanzibar",]': r"not JSON \(line 1, column 13\)",
    b"": "not JSON",
    b"['zanzibar']": "not JSON",
}


@pytest.mark.parametrize("body", REFUSED, ids=range(len(REFUSED)))
def test_what_is_read_in_two_ways_is_refused(body: bytes) -> None:
    with pytest.raises(StrictJsonError, match=REFUSED[body]) as error:
        parse_json(body)
    assert "zanzibar" not in str(error.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(VALUES)
def test_what_is_good_is_read_as_it_was(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    # Anything else that is raised would be a 500.
    with suppress(StrictJsonError):
        parse_json(body)
