"""The section on the rows: how many, how they changed, which were set aside or are in doubt."""

from __future__ import annotations

from collections.abc import Iterator

from perennial import kinds
from perennial.evaluation.report import charts
from perennial.evaluation.report.blocks import Block, Section, Table, Words
from perennial.evaluation.report.material import Material
from perennial.evaluation.report.sections.common import WIDEST_MATRIX
from perennial.evaluation.report.wording import several, share
from perennial.metrics import near_copy_figures


def data_section(material: Material) -> Section:
    """The rows: how many, what was set aside, how the new ones differ."""
    blocks = (
        *_rows(material),
        *_lost_ends(material),
        *_drift(material),
        *_quarantine(material),
        *_near_copies(material),
        *_label_errors(material),
    )
    return Section("data", "Data", blocks)


def _rows(material: Material) -> Iterator[Block]:
    evidence = material.evidence
    snapshot = evidence.snapshot
    summary = f"{several(snapshot.rows, 'row')}, {snapshot.new_rows:,} of them new in this run"
    summary += f", {snapshot.corrected_rows:,} corrected" if snapshot.corrected_rows else ""
    summary += f"; {several(snapshot.deleted_rows, 'row')} deleted" if snapshot.deleted_rows else ""
    summary += (
        f"; {several(snapshot.repeated_rows, 'row was', 'rows were')} there already" if snapshot.repeated_rows else ""
    )
    summary += f"; {several(snapshot.late_rows, 'row')} too old to be taken in" if snapshot.late_rows else ""
    if snapshot.forgotten_rows:
        summary += f"; {several(snapshot.forgotten_rows, 'row')} forgotten before and set aside"
    yield Words(summary + ".")
    splits = evidence.validated.rows
    names = sorted({name for counts in evidence.validated.label_rows.values() for name in counts})
    ordered = [name for name in material.spec.data.labels if name in names] or names
    rows = [("all", *(f"{count:,}" for count in splits.values()))]
    rows += [
        (name, *(f"{evidence.validated.label_rows.get(split, {}).get(name, 0):,}" for split in splits))
        for name in ordered
    ]
    caption = "Rows that may be learned from and judged on"
    yield Table(
        ("label" if ordered else "rows", *splits), tuple(rows), caption=caption, folded=len(rows) > WIDEST_MATRIX
    )


def _lost_ends(material: Material) -> Iterator[Block]:
    lost = material.evidence.evaluation.lost_ends
    if lost is None:
        return
    yield Words(lost.sentence, "doubt" if lost.any else "quiet")
    if lost.any:
        counted = tuple(
            (name, f"{cut.rows:,}", f"{cut.cut:,}", f"{cut.share:.1%}", f"{cut.token_share:.1%}")
            for name, cut in lost.splits.items()
        )
        yield Table(("split", "rows", "longer", "share", "tokens never read"), counted)


def _drift(material: Material) -> Iterator[Block]:
    drift = material.drift
    if drift is None:
        summary = (
            "There is nothing new to compare with the older rows." if not material.evidence.snapshot.new_rows
            else "The rows are not in this store, so the new ones were not compared with the older ones."
        )  # fmt: skip
        yield Words(summary, "quiet")
        return
    if drift.old is None:
        yield Words("All rows are new: there are no older ones to compare with.", "quiet")
    distance = drift.label_distance
    order = sorted(drift.new.labels, key=lambda name: -drift.new.labels[name])
    order += [name for name in (drift.old.labels if drift.old else ()) if name not in drift.new.labels]
    if order:
        caption = "Share of each label among the new rows" + (" and among the older ones." if drift.old else ".")
        if distance is not None:
            limit = material.spec.data.max_label_shift
            caption += f" Their total variation distance is {distance:.3f}; above {limit:g} the run warns."
        yield charts.label_share_bars("Label shares", caption, order, drift)
    caption = f"Length of the texts: the new rows' median is {drift.new.median_length:,.0f} characters"
    caption += f", the older rows' {drift.old.median_length:,.0f}." if drift.old else "."
    yield charts.lengths("Text length", caption + " The last step holds all longer ones, too.", drift)


def _quarantine(material: Material) -> Iterator[Block]:
    validated = material.evidence.validated
    for warning in validated.warnings:
        yield Words(f"Warning: {warning}", "doubt")
    if settled := validated.outvoted + validated.superseded:
        rule = material.spec.data.contradictions
        yield Words(
            f"{several(settled, 'row')} contradicted others with the same text that count by data.contradictions: "
            f"{rule}; {validated.superseded:,} of them were learned from before.",
            "doubt",
        )
    if not validated.quarantined:
        yield Words("No row was set aside.", "good")
        return
    total = sum(part.source.rows for part in validated.parts)
    yield Words(f"{several(validated.quarantined, 'row')} set aside ({share(validated.quarantined, total)}).", "doubt")
    if material.set_aside:
        rows = tuple((reason, f"{count:,}") for reason, count in material.set_aside.items())
        yield Table(("set aside because", "rows"), rows, caption="A row may have several reasons")


def _near_copies(material: Material) -> Iterator[Block]:
    evaluation = material.evidence.evaluation
    counted = evaluation.near_copies
    if counted is None:
        yield Words("Near copies of train rows among the test rows were not looked for in this run.", "quiet")
        return
    metric = kinds.kind_named(material.spec.kind).headline_metric
    sampled = f" (compared with {counted.compared:,} of {counted.train:,} train rows)"
    sampled = sampled if counted.compared < counted.train else ""
    for sentence in near_copy_figures.sentences(metric, evaluation):
        yield Words(f"{sentence}{sampled}", "doubt")
    if not counted.near:
        yield Words(f"None of {several(counted.test, 'test row')} is a near copy of a train row{sampled}.", "good")
    if counted.validation_near:
        yield Words(
            f"{counted.validation_near:,} of {several(counted.validation, 'validation row')}, by which the checkpoint "
            "is chosen, are near copies of train rows.",
            "quiet",
        )


def _label_errors(material: Material) -> Iterator[Block]:
    looked = material.evidence.evaluation.label_errors
    if looked is None:
        yield Words("Label errors were not looked for in this run.", "quiet")
        return
    summary = (
        f"The candidate contradicts the label of {looked.found:,} of {several(looked.n, 'test and validation row')} "
        f"({share(looked.found, looked.n)})"
    )
    if not looked.found:
        yield Words(f"{summary}.", "good")
        return
    yield Words(
        f"{summary}: perennial review {material.spec.name} lists them with their texts, to be corrected.", "doubt"
    )
    if material.doubts:
        rows = tuple(
            (doubt["row_id"], doubt["given"], doubt["suggested"], f"{doubt['score']:.4f}") for doubt in material.doubts
        )
        head = ("row id", "given label", "suggested", "support of the given one")
        caption = "Possible label errors, the most contradicted first"
        yield Table(head, rows, words=frozenset({1, 2}), folded=True, caption=caption)
