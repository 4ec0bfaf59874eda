"""What MLflow keeps of a run loses forgotten rows, and keeps its figures."""

import io
import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from perennial.erasure import artifacts, weights
from perennial.erasure.registry_traces import OwnVersion
from perennial.ingest import forgotten
from perennial.ingest.forgotten import ID, SIDE, TEXT, ForgetRequest, ForgottenPart, ForgottenRows, Sieve, side_key
from perennial.registry.judged.replacements import successors
from perennial.rows import folding, splits

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def sieve_of(
    *, ids: tuple[str, ...] = (), texts: tuple[str, ...] = (), rows: tuple[str, ...] = (), made: datetime | None = NOW
) -> Sieve:
    record = ForgottenRows(salt="ab" * 32)
    keys = [splits.text_key(splits.SEPARATOR.join(map(folding.normalise, text.split("|")))) for text in texts]
    request = ForgetRequest(
        number=1, moment=NOW, who="us", reason="", columns=("text", "text_pair"),
        ids=tuple(record.digest(ID, one) for one in ids), texts=tuple(record.digest(TEXT, key) for key in keys),
        rows=tuple(record.digest(ID, one) for one in rows),
        sides=tuple(record.digest(SIDE, side_key(text)) for text in texts if "|" not in text),
    )  # fmt: skip
    return Sieve(record.with_request(request), made=made)


def test_records_name_a_pseudonym_and_no_figure_changes() -> None:
    record = {
        "version": "17", "n": 17, "comparison": {"worst": ["17", "18"], "values": {"17": 0.5}},
        "places": [{"row_id": "17", "file": "a.csv", "line": 3}, {"row_id": "18", "file": "a.csv", "line": 4}],
    }  # fmt: skip
    content = json.dumps(record).encode()
    after, hits = artifacts.masked("evidence.json", content, sieve_of(ids=("17",)))
    read = json.loads(after)
    name = read["comparison"]["worst"][0]
    assert hits == 2
    assert name.startswith("forgotten-")
    assert read["places"] == [{"row_id": name, "file": "a.csv", "line": None}, record["places"][1]]
    assert (read["version"], read["n"], read["comparison"]["values"]) == ("17", 17, {"17": 0.5})
    assert artifacts.masked("evidence.json", after, sieve_of(ids=("17",))) == (after, 0)
    assert artifacts.masked("evidence.json", content, sieve_of(ids=("19",))) == (content, 0)


def test_answers_stay_under_a_pseudonym() -> None:
    sink = io.BytesIO()
    table = pa.table({"row_id": ["17", "18"], "target": ["a", "b"], "candidate": ["{}", "{}"]})
    pq.write_table(table, sink)
    after, hits = artifacts.masked("answers/predictions.parquet", sink.getvalue(), sieve_of(ids=("18",)))
    read = pq.read_table(io.BytesIO(after))
    assert hits == 1
    assert read["row_id"][0].as_py() == "17"
    assert read["row_id"][1].as_py().startswith("forgotten-")
    assert read.drop(["row_id"]) == table.drop(["row_id"])


def test_a_page_loses_the_lines_of_tables_that_name_rows() -> None:
    def table(head: str) -> str:
        cells = "".join(
            f'<tr>\n<th scope="row">{name}</th>\n<td>said by {name}</td></tr>' for name in ("a&amp;b", "other")
        )
        return f'<table><thead><tr><th scope="col">{head}</th><th scope="col">text</th></tr></thead>{cells}</table>'

    page = f"<p>a&amp;b</p>{table('row id')}{table('label')}"
    after, hits = artifacts.masked("report.html", page.encode(), sieve_of(ids=("a&b",)))
    assert hits == 1
    assert "said by a&amp;b" not in after.decode().partition("</table>")[0]
    assert "said by other" in after.decode().partition("</table>")[0]
    assert after.decode().endswith(table("label"))


def test_complaints_lose_the_rows_and_pairs_go_by_both_texts_or_one() -> None:
    cases = [
        {"text": "Is  IT?", "text_pair": "it is", "label": "yes"},
        {"text": "no", "text_pair": "yes", "label": "b"},
    ]
    content = "".join(json.dumps(case) + "\n" for case in cases).encode()
    for texts in (("is it?|IT IS",), ("it is",), ("is it?",)):
        after, hits = artifacts.masked("complaints/abc.jsonl", content, sieve_of(texts=texts))
        assert (hits, json.loads(after)) == (1, cases[1]), texts
    assert artifacts.masked("complaints/abc.jsonl", content, sieve_of(texts=("it is|is it?",))) == (content, 0)
    assert artifacts.masked("complaints/abc.jsonl", content, sieve_of(texts=("no", "is it?")))[0] == b""


def test_the_id_of_a_row_that_was_matched_by_text_may_be_anothers_later() -> None:
    content = json.dumps({"worst": ["17"]}).encode()
    before, after = NOW - timedelta(days=1), NOW + timedelta(days=1)
    assert artifacts.masked("evidence.json", content, sieve_of(rows=("17",), made=before))[1] == 1
    assert artifacts.masked("evidence.json", content, sieve_of(rows=("17",), made=after))[1] == 0


def test_the_ledger_follows_a_file_through_what_replaced_it() -> None:
    replaced = {"a": "b", "b": "c", "d": ""}
    assert successors("a", replaced) == ("b", "c")
    assert successors("d", replaced) == ()
    assert successors("c", replaced) == ()


def test_a_version_made_before_an_earlier_forgetting_learned_from_the_rows_of_a_later_one() -> None:
    asked = [
        ForgetRequest(number=n, moment=NOW, who="us", reason="", columns=("text",), parts={old: part})
        for n, old, part in (
            (1, "old", ForgottenPart(rows=1, train_rows=0, now="newer")),
            (2, "newer", ForgottenPart(rows=2, train_rows=2, now="newest")),
        )
    ]
    rows = ForgottenRows(salt="ab" * 32, requests=tuple(asked))
    affected = weights.affected_parts(rows, asked[1])
    own = [OwnVersion("tiny", str(n), "run", (sha,), False) for n, sha in enumerate(("old", "newer", "newest"), 1)]
    assert weights.not_reproducible(own, affected) == ["tiny 1", "tiny 2"]
    assert affected["old"].train_rows == 2


def test_digests_are_of_the_home_that_made_them() -> None:
    one, other = forgotten.new_record(), forgotten.new_record()
    assert one.digest(ID, "17") != other.digest(ID, "17")
    assert one.digest(ID, "17") != one.digest(TEXT, "17")
