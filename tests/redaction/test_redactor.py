"""Personal data taken out of texts: all that is known by its form, and nothing that only looks like it. All made up."""

import time
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.redaction.redactor import Redactor
from perennial.settings.serving import PersonalData, ServingSpec

ALL: tuple[PersonalData, ...] = get_args(PersonalData)
FOUND = {
    "email": (
        "Write to maria.lopez+shop@example.co.uk, please",
        "me@exämple.de",
        "(j_doe@mail.example.com)",
        "O'Brien's is o'brien@example.ie.",
    ),
    "phone": (
        "call (415) 555-2671 now",
        "ring me at +49 30 901820",
        "+44 20 7946 0958",
        "my number: 415.555.2671",
        "WhatsApp +34 612 345 678",
    ),
    "iban": (
        "pay to DE89 3704 0044 0532 0130 00 today",
        "GB29NWBK60161331926819",
        "iban fr14 2004 1010 0505 0001 3m02 606 thanks",
    ),
    "card": ("card 4111 1111 1111 1111, exp 12/29", "5500-0000-0000-0004", "378282246310005"),
    "ip": ("from 192.168.10.7 again", "2001:db8::8a2e:370:7334 answered", "host=10.0.0.1."),
    "ssn": ("SSN 536-90-4399", "his ssn is 536 90 4399"),
}
LEFT = (
    "Order 20231231-4711 of 12 pieces for 1,299.00 EUR",
    "revenue rose 12.5% to 4,111,111,111,111,112 dollars",
    "article 4111111111111112 is sold out",
    "version 1.2.3 and 10.20.300.40",
    "meet @noon, or mail me",
    "std::vector and 12:30:45",
    "ISBN 978-3-16-148410-0",
    "DE00 1234 is no account",
    "born 1984-03-21, ticket 000-12-3456",
    "",
    " \n",
)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FOUND.items() for text in texts])
def test_what_is_personal_is_taken_out_and_counted(kind: PersonalData, text: str) -> None:
    for kinds in ((kind,), ALL):
        redacted = Redactor(kinds).redact(text)
        assert redacted.counts == {kind: 1}, redacted
        assert redacted.text.count(f"[{kind.upper()}]") == 1
        before, _, after = redacted.text.partition(f"[{kind.upper()}]")
        assert text.startswith(before)
        assert text.endswith(after)
        # Of what was there, no piece with a digit or an @ is left.
        assert not any(character.isdigit() for character in before + after.replace("12/29", ""))


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_personal_stays(text: str) -> None:
    redacted = Redactor(ALL).redact(text)
    assert (redacted.text, sum(redacted.counts.values())) == (text, 0)


def test_kinds_that_were_not_asked_for_stay() -> None:
    text = "maria@example.com, +49 30 901820"
    assert Redactor(["email"]).redact(text).text == "[EMAIL], +49 30 901820"
    assert Redactor([]).redact(text).text == text


def test_several_in_one_text_are_each_counted() -> None:
    text = "a@example.com and b@example.com paid from DE89370400440532013000, call +49 30 901820"
    redacted = Redactor(ALL).redact(text)
    assert redacted.text == "[EMAIL] and [EMAIL] paid from [IBAN], call [PHONE]"
    assert redacted.counts == {"email": 2, "iban": 1, "phone": 1}


def test_a_region_says_whose_numbers_are_known_without_a_plus() -> None:
    text = "Tel. 030 901820"
    assert Redactor(["phone"], "DE").redact(text).text == "Tel. [PHONE]"
    assert Redactor(["phone"], "US").redact(text).text == text


@given(st.text(max_size=200))
def test_any_text_can_be_redacted_and_what_is_redacted_stays_so(text: str) -> None:
    redactor = Redactor(ALL)
    once = redactor.redact(text)
    assert redactor.redact(once.text).text == once.text
    if not once.counts:
        assert once.text == text


@pytest.mark.parametrize("piece", ["1 ", "a@", "a.", "1.", ":", "DE12 ", "0-", "a@a.", "%"])
def test_a_long_hostile_text_takes_time_in_proportion(piece: str) -> None:
    started = time.process_time()
    Redactor(ALL).redact((piece * 20_000)[:20_000])
    # Backtracking over 20,000 characters would take minutes.
    assert time.process_time() - started < 5


def test_the_setting_takes_all_some_or_none() -> None:
    assert ServingSpec().redact == ()
    assert ServingSpec.model_validate({"redact": True}).redact == ALL
    assert ServingSpec.model_validate({"redact": False}).redact == ()
    assert ServingSpec.model_validate({"redact": ["email", "card"]}).redact == ("email", "card")
    assert ServingSpec.model_validate({"redact": "email"}).redact == ("email",)
    with pytest.raises(ValueError, match="email"):
        ServingSpec.model_validate({"redact": ["names"]})
