"""What tools write beside labels: skipped tasks, drafts, rejects, several people, relations, odd cells."""

import json
from pathlib import Path
from typing import Any

import pytest
from export_files import Read, read, written

from perennial.core.errors import SourceError

TEXT = "Acme bought Widget Co. in Paris."


def choice(name: str, *values: str) -> dict[str, Any]:
    return {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": [*values]}}


def region(start: int, end: int, label: str, text: str) -> dict[str, Any]:
    value = {"start": start, "end": end, "text": text, "labels": [label]}
    return {"id": f"{start}", "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def task(number: int, *people: tuple[int, list[dict[str, Any]]], text: str = TEXT, **more: Any) -> dict[str, Any]:
    annotations = [
        {
            "id": number * 10 + who,
            "completed_by": who,
            "result": result,
            "was_cancelled": False,
            "updated_at": f"2026-{who}",
        }
        for who, result in people
    ]
    return {"id": number, "data": {"text": text}, "annotations": annotations, "drafts": [], "predictions": []} | more


def label_studio(folder: Path, *tasks: dict[str, Any], **manner: Any) -> Read:
    return read([written(folder, "export.json", json.dumps(tasks))], **manner)


def counted(back: Read, words: str) -> int:
    counts = back.outcome.tally.left_out + back.outcome.tally.changed
    return sum(count for reason, count in counts.items() if words in reason)


def test_label_studio_skips_drafts_and_unopened_tasks_are_no_rows_and_counted(tmp_path: Path) -> None:
    skipped = task(2, (1, []), text="b")
    skipped["annotations"][0]["was_cancelled"] = True
    drafted = task(3, text="c", drafts=[{"user": "a@example.org", "result": [choice("tone", "bad")]}])
    back = label_studio(tmp_path, task(1, (1, [choice("tone", "good")])), skipped, drafted)
    assert [(row["id"], row["tone"]) for row in back.rows] == [("1", "good")]
    assert counted(back, "skipped") == counted(back, "draft") == counted(back, "nobody labelled") == 1
    assert "example.org" not in repr(back)


def test_label_studio_submitted_without_regions_says_that_there_are_none(tmp_path: Path) -> None:
    back = label_studio(tmp_path, task(1, (1, [region(0, 4, "ORG", "Acme")])), task(2, (1, []), text="Nothing."))
    assert [row["label"] for row in back.rows] == [[{"start": 0, "end": 4, "label": "ORG"}], []]


def test_label_studio_relations_pairs_and_ratings(tmp_path: Path) -> None:
    relation = {"type": "relation", "from_id": "0", "to_id": "26", "direction": "right", "labels": ["in"]}
    rating = {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": 4}}
    pair = {"from_name": "same", "to_name": "text1", "type": "choices", "value": {"choices": ["yes"]}}
    essay = {"from_name": "why", "to_name": "text", "type": "textarea", "value": {"text": ["because"]}}
    one = task(1, (1, [region(0, 4, "ORG", "Acme"), region(26, 31, "LOC", "Paris"), relation, rating, pair, essay]))
    one["data"] |= {"text1": "left", "text2": "right"}
    back = label_studio(tmp_path, one)
    assert (back.rows[0]["stars"], back.rows[0]["same"], back.rows[0]["text2"]) == (4, "yes", "right")
    assert counted(back, "relation") == counted(back, "of a form") == 1


def test_hypertext_counts_the_page_and_its_spans_are_found_in_the_text(tmp_path: Path) -> None:
    text = "R&amp;D <b>costs</b> rose in Paris"
    value = {
        "start": "/b[1]/text()[1]",
        "end": "/b[1]/text()[1]",
        "startOffset": 0,
        "endOffset": 5,
        "globalOffsets": {"start": 4, "end": 9},
        "text": "costs",
        "hypertextlabels": ["ORG"],
    }
    marked = {"from_name": "label", "to_name": "text", "type": "hypertextlabels", "value": value}
    back = label_studio(tmp_path, task(1, (1, [marked]), text=text))
    span = back.rows[0]["label"][0]
    assert text[span["start"] : span["end"]] == "costs"
    assert counted(back, "without its HTML") == 1


def test_a_span_that_is_of_another_text_takes_only_its_own_answer_away(tmp_path: Path) -> None:
    back = label_studio(tmp_path, task(1, (1, [region(0, 4, "ORG", "Widget"), choice("tone", "good")])))
    assert (back.rows[0]["label"], back.rows[0]["tone"]) == (None, "good")
    assert counted(back, "another text") == 1


@pytest.mark.parametrize(("rule", "expected"), [("majority", "good"), ("unanimous", None), ("newest", "bad")])
def test_several_people_make_one_row_by_the_rule(rule: str, expected: str | None, tmp_path: Path) -> None:
    people = [(who, [choice("tone", tone)]) for who, tone in enumerate(("good", "good", "bad"), 1)]
    back = label_studio(tmp_path, task(1, *people), task(2, (1, [choice("tone", "bad")]), text="b"), rule=rule)
    assert [row["tone"] for row in back.rows] == [expected, "bad"][expected is None :]
    assert len(back.outcome.judged) == 1
    assert counted(back, "annotators disagree") == (expected is None)


def test_a_tie_is_no_row_and_waits_for_review(tmp_path: Path) -> None:
    back = label_studio(tmp_path, task(1, (1, [choice("tone", "good")]), (2, [choice("tone", "bad")])))
    assert back.rows == []
    assert [judged.decided for judged in back.outcome.judged] == [{"tone": None}]


def test_spans_and_several_labels_count_by_more_than_half(tmp_path: Path) -> None:
    acme, paris = region(0, 4, "ORG", "Acme"), region(26, 31, "LOC", "Paris")
    people = [
        (1, [acme, paris, choice("t", "A", "B")]),
        (2, [acme, choice("t", "A")]),
        (3, [acme, choice("t", "B", "A")]),
    ]
    back = label_studio(tmp_path, task(1, *people))
    assert back.rows[0]["label"] == [{"start": 0, "end": 4, "label": "ORG"}]
    assert back.rows[0]["t"] == ["A", "B"]


def test_the_last_word_of_a_person_counts_once(tmp_path: Path) -> None:
    twice = [(1, [choice("tone", "bad")]), (1, [choice("tone", "good")])]
    back = label_studio(tmp_path, task(1, *twice))
    assert [row["tone"] for row in back.rows] == ["good"]
    assert back.outcome.judged == []


def test_a_lone_choice_with_a_comma_is_one_label(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "id": 1, "t": {"choices": ["A", "C, D"]}, "annotator": 1, "annotation_id": 1, "lead_time": 1},
        {"text": "b", "id": 2, "t": "C, D", "annotator": 1, "annotation_id": 2, "lead_time": 1},
        {"text": "c", "id": 3, "annotator": 1, "annotation_id": 3, "lead_time": 1},
        {"text": "d", "id": 4, "annotator": None, "annotation_id": None, "lead_time": None},
    ]
    back = read([written(tmp_path, "min.json", json.dumps(rows))])
    assert [row["t"] for row in back.rows] == [["A", "C, D"], ["C, D"], []]
    assert counted(back, "nobody labelled") == 1


def doccano(*labels: Any) -> str:
    return "".join(
        json.dumps({"id": number, "text": f"text {number}", "label": label, "Comments": []}) + "\n"
        for number, label in enumerate(labels, 1)
    )


def test_another_members_empty_file_takes_no_label_away(tmp_path: Path) -> None:
    mine = written(tmp_path, "ann.jsonl", doccano(["a"], ["b"], []))
    empty = written(tmp_path, "bob.jsonl", doccano([], [], []))
    nothing = written(tmp_path, "eve.jsonl", "\n")
    back = read([mine, empty, nothing])
    assert [row["label"] for row in back.rows] == ["a", "b"]
    assert back.outcome.judged == []
    assert (counted(back, "nobody labelled"), counted(back, "one person left")) == (1, 3)


def test_members_who_both_labelled_are_two_people_named_by_their_files(tmp_path: Path) -> None:
    back = read(
        [written(tmp_path, f"{who}.jsonl", doccano([label], ["x"])) for who, label in (("ann", "a"), ("bob", "b"))]
    )
    assert [row["label"] for row in back.rows] == ["x"]
    assert back.outcome.annotators == {"ann", "bob"}


def test_empty_means_none_where_the_pipeline_says_so(tmp_path: Path) -> None:
    path = written(tmp_path, "all.jsonl", doccano(["a", "b"], []))
    assert [row["label"] for row in read([path], empty_is_none=True).rows] == [["a", "b"], []]
    marked = written(tmp_path, "spans.jsonl", doccano([[0, 4, "X"]], []))
    assert [row["label"] for row in read([marked], empty_is_none=True).rows][1] == []


def test_prodigys_rejects_are_no_rows(tmp_path: Path) -> None:
    lines = [
        {"text": "a", "_input_hash": 1, "label": "SPAM", "answer": "accept"},
        {"text": "b", "_input_hash": 2, "label": "SPAM", "answer": "reject"},
        {"text": "c", "_input_hash": 3, "label": "SPAM", "answer": "ignore"},
        {"text": "d", "_input_hash": 4, "options": [{"id": "HAM"}], "accept": ["HAM"], "answer": "accept"},
    ]
    back = read([written(tmp_path, "p.jsonl", "\n".join(map(json.dumps, lines)))])
    assert [(row["text"], row["label"]) for row in back.rows] == [("a", "SPAM"), ("d", "HAM")]
    assert counted(back, "rejected") == counted(back, "ignored") == 1


def test_argillas_drafts_and_discards_do_not_count(tmp_path: Path) -> None:
    def record(number: int, **responses: Any) -> dict[str, Any]:
        return {"id": str(number), "fields": {"text": f"t{number}"}, "suggestions": {}, "responses": responses}

    said = [
        {"value": "good", "user_id": "u", "status": "submitted"},
        {"value": "bad", "user_id": "v", "status": "draft"},
    ]
    gone = [{"value": "bad", "user_id": "u", "status": "discarded"}]
    back = read([written(tmp_path, "a.json", json.dumps([record(1, tone=said), record(2, tone=gone), record(3)]))])
    assert [(row["id"], row["tone"]) for row in back.rows] == [("1", "good")]
    assert (counted(back, "draft"), counted(back, "discarded"), counted(back, "nobody labelled")) == (1, 1, 2)


def test_argillas_flat_columns(tmp_path: Path) -> None:
    row = {"id": "r", "text": "t", "tone.responses": ["good"], "tone.responses.users": ["u"], "tone.suggestion": "bad"}
    back = read([written(tmp_path, "a.jsonl", json.dumps(row))])
    assert [(one["text"], one["tone"]) for one in back.rows] == [("t", "good")]


def test_doccanos_fasttext_is_unquoted_and_a_blank_in_a_name_is_told(tmp_path: Path) -> None:
    quoted = '"__label__y First line.\r\nSecond ""line"". "\n'
    lines = f"__label__x Acme in Paris. \n{quoted}__label__a b __label__c Text. \n Nothing. \n"
    back = read([written(tmp_path, "all.txt", lines)])
    assert [(row["text"], row["label"]) for row in back.rows] == [
        ("Acme in Paris.", "x"),
        ('First line.\r\nSecond "line".', "y"),
    ]
    assert (counted(back, "holds a blank"), counted(back, "nobody labelled")) == (1, 1)


def test_spans_are_trimmed_widened_or_counted(tmp_path: Path) -> None:
    text = "Two  spaces in Paris here"
    lines = {"id": 1, "text": text, "label": [[0, 7, "X"], [14, 21, "Y"], [3, 5, "Z"]], "Comments": []}
    past = {"id": 2, "text": "short", "label": [[2, 99, "X"]], "Comments": []}
    back = read([written(tmp_path, "all.jsonl", "\n".join(map(json.dumps, (lines, past))))])
    assert [text[one["start"] : one["end"]] for one in back.rows[0]["label"]] == ["Two  spaces", "Paris"]
    assert len(back.rows) == 1
    for words in ("blanks at its edges", "inside a word", "nothing but blanks", "ends behind its text"):
        assert counted(back, words) == 1


def test_brats_other_lines_are_counted_and_a_text_that_is_missing_is_told(tmp_path: Path) -> None:
    written(tmp_path, "d.txt", TEXT)
    marks = "T1\tORG 0 4\tAcme\nT2\tORG 12 15;19 22\tWid Co.\nR1\tin Arg1:T1 Arg2:T2\nA1\tSure T1\n#1\tNote T1\thm\n"
    back = read([written(tmp_path, "d.ann", marks)])
    assert back.rows[0]["spans"] == [{"start": 0, "end": 4, "label": "ORG"}]
    assert back.left_out == 4
    with pytest.raises(SourceError, match=r"e\.txt, is not beside it"):
        read([written(tmp_path, "e.ann", marks)])


def test_two_projects_with_the_same_ids_stay_apart(tmp_path: Path) -> None:
    exports = {name: json.dumps([task(1, (1, [choice("tone", name)]), text=name)]) for name in ("a", "b")}
    paths = [written(tmp_path, f"{name}.json", export) for name, export in exports.items()]
    back = read(paths)
    assert [row["id"] for row in back.rows] == ["1", "1 (2)"]
    assert counted(back, "id of another text") == 1


def test_conll_knows_documents_comments_and_a_hash_as_token(tmp_path: Path) -> None:
    lines = "# id = 3\n-DOCSTART- -X- O O\n\n# : I-MISC\nParis NNP B-LOC\n\n\nLima NNP B-LOC\n"
    back = read([written(tmp_path, "x.conll", lines.replace("# : I", "# : O I"))])
    assert [row["tokens"] for row in back.rows] == [["#", "Paris"], ["Lima"]]


def test_conllu_without_entities_is_told(tmp_path: Path) -> None:
    line = "1\tParis\tParis\tPROPN\tNNP\t_\t0\troot\t_\tSpaceAfter=No\n"
    with pytest.raises(SourceError, match="without entities"):
        read([written(tmp_path, "x.conllu", line)])


@pytest.mark.parametrize("content", ['[{"id": 1, "data": {"text": "a"}, "annotations": [', b"x\x9c\x03\x00"])
def test_what_is_cut_short_is_told(content: str | bytes, tmp_path: Path) -> None:
    from export_files import opener

    from perennial.ingest.sources.annotation.formats.docbin import docbin
    from perennial.ingest.sources.annotation.formats.label_studio import label_studio as reader
    from perennial.ingest.sources.annotation.opinions import Tally

    path = written(tmp_path, "x", content)
    with opener(path)() as export, pytest.raises(SourceError):
        list((docbin if isinstance(content, bytes) else reader)(export, Tally()))


@pytest.mark.parametrize(
    "line",
    [
        {"id": 1, "text": "t", "entities": [{"id": 1, "start_offset": 0, "end_offset": None, "label": "X"}]},
        {"id": 1, "text": "t", "label": [[0, 1, "X"]], "relations": 3},
        {"instance_id": "a", "user_id": "b", "labels": []},
    ],
)
def test_what_is_not_as_the_tool_writes_it_is_told_in_a_sentence(line: dict[str, Any], tmp_path: Path) -> None:
    good = {"id": 0, "text": "u", "label": [[0, 1, "X"]], "Comments": []} if "text" in line else line
    with pytest.raises(SourceError, match=r"not as its tool writes it|holds no texts"):
        read([written(tmp_path, "x.jsonl", json.dumps(good) + "\n" + json.dumps(line))])


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["a b", "good", "a b#x#y", "bad#good"], [["a b"], ["good"], ["a b", "x#y"], ["bad", "good"]]),
        (["C#", "Python", "Go", "C##Go"], [["C#"], ["Python"], ["Go"], ["C#", "Go"]]),
        (["bad#good"], [["bad", "good"]]),
        (["good", "x#y", "bad"], ["good", "x#y", "bad"]),
    ],
)
def test_doccanos_csv_parts_labels_at_a_hash_unless_its_sides_never_stand_apart(
    cells: list[str], labels: list[Any], tmp_path: Path
) -> None:
    lines = [f"{number},text {number},{cell}," for number, cell in enumerate(cells)]
    back = read([written(tmp_path, "all.csv", "\n".join(["id,text,label,Comments", *lines]))])
    assert [row["label"] for row in back.rows] == labels


def min_rows(*values: tuple[int, str, str, str, int]) -> list[dict[str, Any]]:
    return [
        {"id": number, "text": text, "lang": lang, "tone": tone, "annotator": who, "annotation_id": 9 * number + who,
         "created_at": "2026", "updated_at": f"2026-{who}", "lead_time": 1}
        for number, text, lang, tone, who in values
    ]  # fmt: skip


def test_label_studios_rows_with_an_id_of_their_own_are_told_from_questions(tmp_path: Path) -> None:
    """In JSON_MIN questions stand behind `id`, as all columns do where the task's own first one is called so."""
    rows = min_rows((1, "a word", "en", "good", 1), (1, "a word", "en", "bad", 2), (2, "ein Wort", "de", "good", 1))
    back = read([written(tmp_path, "min.json", json.dumps(rows))], rule="newest", targets=("tone",))
    assert [(row["text"], row["lang"], row["tone"]) for row in back.rows] == [
        ("a word", "en", "bad"),
        ("ein Wort", "de", "good"),
    ]


def test_label_studios_tasks_with_the_same_id_of_their_own_are_two(tmp_path: Path) -> None:
    rows = min_rows((7, "one", "en", "good", 1), (7, "another", "en", "bad", 1))
    names = list(rows[0])
    lines = [",".join(names), *(",".join(str(row[name]) for name in names) for row in rows)]
    back = read([written(tmp_path, "rows.csv", "\n".join(lines) + "\n")], targets=("tone",))
    assert [(row["text"], row["tone"]) for row in back.rows] == [("one", "good"), ("another", "bad")]
