"""Eight rows of each of ten labels: from `init` to a champion that answers texts it never saw."""

import json
import random
from pathlib import Path

import pytest
import tiny_pipeline
from place import Place

INTENTS = {
    "card lost": (
        "I lost my card | my card was stolen | can't find my bank card | someone took my card | card is "
        "missing since yesterday | where do I report a lost card | my wallet and card are gone | block my "
        "card it vanished | I misplaced my debit card | I left my card in a taxi"
    ),
    "exchange rate": (
        "what rate do you use for euros | how many dollars do I get | is your currency rate fair | rate for "
        "yen today | how do you set the exchange rate | conversion rate for pounds | what do I pay to "
        "convert money | which rate applies on weekends | is the rate the interbank one | what's today's rate"
    ),
    "top up failed": (
        "my top up did not go through | adding money failed | top-up was declined | why was my deposit "
        "rejected | money I added is not there | top up keeps failing | I tried to load money and it errored "
        "| the top up reverted | could not add funds | my funding attempt was cancelled"
    ),
    "pin": (
        "I forgot my PIN | how do I change my pin | pin is blocked | reset the pin please | wrong pin three "
        "times | where do I see my pin | unlock my pin code | I need a new pin number | set another pin | "
        "pin doesn't work"
    ),
    "close account": (
        "delete my account | I want to leave your bank | close everything | how do I cancel my account | "
        "please terminate my account | I'm done with this service | remove my profile for good | shut down "
        "my account | I no longer want an account | end my membership"
    ),
    "fee": (
        "why was I charged extra | what is this fee | there's a charge I don't understand | do you take a "
        "fee for cash | you billed me one pound more | extra cost on my statement | hidden charges | which "
        "fees apply abroad | unexpected commission | why did the withdrawal cost more"
    ),
    "card arrival": (
        "when will my card come | card has not arrived | still waiting for the card | track my new card | "
        "how long does delivery of the card take | my card is not in the mail | shipping time for card | "
        "it's two weeks and no card | has my card been sent | where's the card you promised"
    ),
    "transfer pending": (
        "my transfer is still pending | money not received yet | how long do transfers take | recipient "
        "hasn't got the money | why is the payment not complete | transfer hangs | my friend waits for the "
        "money | sent money yesterday and nothing | is my transfer stuck | the wire is slow"
    ),
    "age": (
        "how old must I be | can my child have an account | minimum age | accounts for teenagers | is my son "
        "too young | age limit for opening | my daughter is 15 may she join | do you serve kids | from what "
        "age | can minors sign up"
    ),
    "identity": (
        "why do you need my passport | verify my identity | id check failed | which documents do you accept "
        "| the selfie check doesn't work | prove who I am | my ID was refused | upload my driving licence | "
        "how to pass verification | you can't confirm my identity"
    ),
}
"""Questions to a bank: eight to learn from, the last two to ask."""


@pytest.mark.soak(twin="tests/training/test_step_floor.py::test_batches_become_smaller_and_then_epochs_more")
def test_eight_rows_a_label_are_enough(prefect_api: str, empty_database: Path, tmp_path: Path) -> None:
    texts = {label: one.split(" | ") for label, one in INTENTS.items()}
    learned = [{"text": text, "label": label} for label, each in texts.items() for text in each[:8]]
    random.Random(3).shuffle(learned)  # noqa: S311 - not for secrets
    place = Place(tmp_path / "place", prefect_api)
    place.give_database(empty_database)
    data = tiny_pipeline.write_csv(place.folder / "tiny.csv", learned)
    assert place.command("init", "tiny", "--data", str(data)).code == 0
    ran = place.run("--json")
    assert ran.code == 0, ran.text
    assert any(" test rows tell little: " in reason for reason in ran.json["reasons"]), ran.json["reasons"]
    asked = [{"text": text, "gold": label} for label, each in texts.items() for text in each[8:]]
    lines = "".join(json.dumps(row) + "\n" for row in asked)
    answers = place.command("predict", "tiny", stdin=lines.encode()).lines
    right = [answer["label"] == row["gold"] for answer, row in zip(answers, asked, strict=True)]
    # All 20 here; with the three steps that the settings came to it was 12. Another processor may differ in one.
    assert sum(right) >= 19
