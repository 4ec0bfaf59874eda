import pytest
import report_data

from perennial.records.run import Evidence
from perennial.registry import model_card


@pytest.fixture
def evidence() -> Evidence:
    return report_data.evidence()


def test_a_card_says_what_a_user_must_know(evidence: Evidence) -> None:
    card = model_card.model_card_of(report_data.spec(), evidence)
    assert "sentence-transformers/all-MiniLM-L6-v2, fine-tuned on 9,600 rows of data cccccccccccc" in card
    assert "**Decision:** REJECT" in card
    assert "text-classification; it knows `negative`, `neutral`, `positive`." in card
    assert "| metric | value | 95% interval | champion | majority | tfidf |" in card
    assert "| accuracy | 0.871 | 0.851 to 0.891 | 0.859 | 0.410 | 0.800 |" in card
    assert "longer than 24 tokens" in card
    assert "weakest on `positive`" in card
    assert "`typos change nothing`" in card
    assert 'perennial predict tiny "a text"' in card


def test_a_card_of_pairs_says_how_they_are_told_apart(evidence: Evidence) -> None:
    words = "told apart by the separator between them"
    assert words not in model_card.model_card_of(report_data.spec(), evidence)
    assert words in model_card.model_card_of(report_data.spec().model_copy(update={"kind": "text-pair"}), evidence)


def test_a_card_says_what_may_be_known_by_heart(evidence: Evidence) -> None:
    spec = report_data.spec()
    assert report_data.COPIED in model_card.model_card_of(spec, report_data.copied(evidence))
    assert "near copies" not in model_card.model_card_of(spec, evidence)


def test_a_card_is_short_enough_for_mlflow_and_escapes_what_users_wrote() -> None:
    labels = [f"{report_data.EVIL} `{place}` | {'x' * 200}" for place in range(300)]
    evil = report_data.EVIL
    decision = report_data.decision().model_copy(update={"reasons": (f"recall of '{evil}' is *0.1* [x](y).",) * 50})
    card = model_card.model_card_of(report_data.spec(labels), report_data.evidence(labels, decision=decision))
    assert len(model_card.linked(card, "1", "2" * 32)) < 5000
    outside = "".join(card.split("`")[::2])
    assert "<script" not in outside
    assert "\\*0.1\\*" in card


def test_a_link_from_another_registry_is_replaced() -> None:
    once = model_card.linked("What it is.", "1", "a" * 32)
    assert model_card.linked(once, "7", "b" * 32) == model_card.linked("What it is.", "7", "b" * 32)
