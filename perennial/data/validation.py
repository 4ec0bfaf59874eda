"""Validation of a snapshot by Great Expectations: bad rows are set aside, broken data stops the run.

Each part is validated once, by itself; what concerns all parts is judged on their figures. Only this module imports
Great Expectations, and only when there is something to validate: its import takes seconds.
"""

from __future__ import annotations

import difflib
import gc
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial import digest, progress, telemetry
from perennial.artifacts import Part, Record, Retirement, Snapshot, ValidatedData
from perennial.data import checks, corrections, gone_rows, part_validation, retirements, text_index, validation_report
from perennial.data.corrections import Changes
from perennial.data.expected import BUILT_IN, Expected, of_rows
from perennial.data.findings import Finding, PartSummary
from perennial.data.gone_rows import GoneRows
from perennial.data.outcomes import Outcome, broken_by, groups, without_values
from perennial.data.text_index import Earlier
from perennial.data.validation_failure import failure
from perennial.errors import PerennialError, SpecError, ValidationError, listing
from perennial.home import Home
from perennial.spec import PipelineSpec
from perennial.store import Store

if TYPE_CHECKING:
    import pandas as pd

REPORT_STEP = "validation-report"
REPORT = "report"
FORMAT = 1
"""Of what is stored; a new number validates everything again."""
LARGE_TABLE = 50_000
"""In rows: for fewer, looking for garbage takes longer than it is worth."""


class Report(Record):
    """What the validation of a snapshot came to, whether it passed or not."""

    data: ValidatedData
    across: tuple[Finding, ...]
    """Findings on the figures of all parts."""
    passed: bool


def validate(spec: PipelineSpec, snapshot: Snapshot, home: Home) -> ValidatedData:
    """The rows of `snapshot` that may be trained and judged on; only parts not validated before are read.

    What data.corrections say of a row replaces its label first. Raises ValidationError when an expectation of severity
    critical is not met or too many rows are quarantined, SourceError when a correction can't be read, and SpecError
    when an expectation of the pipeline is none of Great Expectations', or can't be evaluated.
    """
    store, judge = home.store, Judge(spec)
    corrected = corrections.of(spec, snapshot, store)
    changes = corrected.by_part
    keys = _part_keys(spec, snapshot, changes)
    parts: list[PartSummary] = []
    for number, (part, key, own) in enumerate(zip(snapshot.parts, keys, changes, strict=True)):
        progress.advance(number, len(keys), unit="parts", detail=f"{part.rows:,} rows")
        parts.append(_part(judge, part, own, key, lambda: _earlier(snapshot, keys, parts, home), store))
    progress.advance(len(keys), len(keys), unit="parts")
    report = _report(judge, parts, keys, corrected.warnings, snapshot.retired, store)
    problem = failure(spec, parts, report.across, store.root, store.root / report.data.report_path)
    if problem is not None:
        raise problem
    return report.data


def _earlier(snapshot: Snapshot, keys: Sequence[str], parts: Sequence[PartSummary], home: Home) -> Earlier:
    """What the part after `parts` is compared with."""
    store = home.store
    return Earlier(
        keys=keys[: len(parts)],
        files=[store.root / summary.checked.path for summary in parts],
        retired=[one for one in snapshot.retired if one.hits and one.before <= len(parts)],
        root=store.root,
        index=home.state(snapshot.pipeline) / text_index.NAME,
        scratch=home.root / "tmp",
    )


def _part_keys(spec: PipelineSpec, snapshot: Snapshot, changes: Sequence[Changes]) -> list[str]:
    settings = digest.of_values(
        kind=spec.kind,
        labels=spec.data.labels,
        expected=[[one.spec, one.origin] for one in of_rows(spec)],
        versions=_versions(),
        format=FORMAT,
    )
    keys: list[str] = []
    for number, (part, own) in enumerate(zip(snapshot.parts, changes, strict=True)):
        corrected = {"corrections": own} if own else {}
        gone = retirements.at(snapshot.retired, number)
        retired = {"retired": gone} if gone else {}
        # A part's rows may contradict rows of the parts before it that still count, so its key holds theirs.
        keys.append(digest.of_values(before=keys[-1] if keys else settings, part=part.sha256, **corrected, **retired))
    return keys


def _part(
    judge: Judge, part: Part, changes: Changes, key: str, earlier: Callable[[], Earlier], store: Store
) -> PartSummary:
    def make(folder: Path) -> PartSummary:
        return part_validation.check(judge.spec, judge, part, changes, earlier(), key, folder)

    return store.get_or_make(part_validation.STEP, key, PartSummary, make, by_stamp=True)


def _report(
    judge: Judge,
    parts: Sequence[PartSummary],
    keys: Sequence[str],
    told: Sequence[str],
    retired: Sequence[Retirement],
    store: Store,
) -> Report:
    """The report on `parts`; `told`: warnings about what is no part."""
    key = _report_key(judge.spec, keys, retired, told)

    def make(folder: Path) -> Report:
        older = _validated_before(judge.spec, keys, retired, told, store)
        gone = gone_rows.count(judge.spec, parts, keys, retired, store)
        across, outcomes = _across(judge, parts, older, gone)
        place = f"{REPORT_STEP}/{key}/{REPORT}"
        data = _data(judge.spec, parts, retired, gone, (*told, *_warnings(parts, across, older)), place)
        pages = [store.folder(part_validation.STEP, part) / part_validation.PAGE for part in keys]
        page = judge.page("all parts", outcomes)
        validation_report.write(folder / REPORT, data, parts, across, pages, page, _versions())
        passed = failure(judge.spec, parts, across, store.root, folder) is None
        return Report(data=data, across=across, passed=passed)

    return store.get_or_make(REPORT_STEP, key, Report, make)


def _report_key(spec: PipelineSpec, keys: Sequence[str], retired: Sequence[Retirement], told: Sequence[str]) -> str:
    limits = ("min_rows", "min_rows_per_label", "max_quarantined", "max_label_shift", "labels")
    # What was retired before the last part came is in its key.
    since = retirements.at(retired, len(keys))
    return digest.of_values(
        parts=keys[-1] if keys else "",
        limits={name: getattr(spec.data, name) for name in limits},
        **({"retired": since} if since else {}),
        **({"told": told} if told else {}),
    )


def _validated_before(
    spec: PipelineSpec, keys: Sequence[str], retired: Sequence[Retirement], told: Sequence[str], store: Store
) -> int:
    """How many leading parts an earlier run validated and let pass; the parts after them are new."""
    now = _report_key(spec, keys, retired, told)
    for count in range(len(keys), 0, -1):
        before = [one for one in retired if one.before < count]
        # What is no part may have been warned of then, too, or not.
        for said in dict.fromkeys((tuple(told), ())):
            key = _report_key(spec, keys[:count], before, said)
            report = store.get(REPORT_STEP, key, Report, by_stamp=True) if key != now else None
            if report is not None and report.passed:
                return count
    return 0


def _across(
    judge: Judge, parts: Sequence[PartSummary], older: int, gone: GoneRows
) -> tuple[tuple[Finding, ...], list[Outcome]]:
    import pandas as pd

    findings: list[Finding] = []
    outcomes: list[Outcome] = []
    for figures in checks.across_parts(judge.spec, parts, older, gone):
        index = list(figures.index)
        found = judge.outcomes(pd.DataFrame(figures.rows), figures.expected, index, figures.name)
        outcomes += found
        findings += [
            outcome.finding(len(figures.rows), observed=groups(outcome, figures.rows, index, figures.value))
            for outcome in found
        ]
    return tuple(findings), outcomes


def _data(
    spec: PipelineSpec,
    parts: Sequence[PartSummary],
    retired: Sequence[Retirement],
    gone: GoneRows,
    warned: Sequence[str],
    report_path: str,
) -> ValidatedData:
    return ValidatedData(
        digest=retirements.digest_of([part.checked.sha256 for part in parts], retired),
        parts=tuple(part.checked for part in parts),
        retired=tuple(one for one in retired if one.hits),
        rows=checks.rows_per_split(parts, gone),
        label_rows=checks.rows_per_label(spec, parts, gone),
        quarantined=sum(part.checked.quarantined for part in parts),
        warnings=tuple(warned),
        report_path=report_path,
    )


def _warnings(parts: Sequence[PartSummary], across: Sequence[Finding], older: int) -> Iterator[str]:
    for number, part in enumerate(parts[older:], older + 1):
        for finding in part.findings:
            if finding.severity == "warning" and not finding.success and not finding.row_level:
                seen = f"; seen: {finding.observed}" if finding.observed else ""
                yield f"In part {number}, {finding.fault} ({finding.origin}){seen}."
    for finding in across:
        if finding.severity == "warning" and not finding.success:
            yield f"{finding.fault[0].upper()}{finding.fault[1:]} ({finding.observed})."


def _versions() -> dict[str, str]:
    # From the package's metadata: asking Great Expectations itself would import it.
    return {"great_expectations": version("great_expectations")}


class Judge:
    """Great Expectations, asked about tables; imported at the first question.

    Its context is in memory: it writes nothing, sends nothing and shows no progress bars.
    """

    def __init__(self, spec: PipelineSpec) -> None:
        self.spec = spec

    def outcomes(
        self, table: pd.DataFrame, expected: Sequence[Expected], index: Sequence[str], where: str
    ) -> list[Outcome]:
        """Each expectation's outcome on `table`, in the order of `expected`; `index`: the columns that name a row.

        Raises SpecError when an expectation of the pipeline can't be evaluated; `where` names the table then.
        """
        outcomes = []
        for one, result in zip(expected, self._results(table, expected, index), strict=True):
            if _raised(result["exception_info"]) is not None:
                raise self._cannot_evaluate(one, self._why(one, table, index), where)
            found = result["result"]
            outcomes.append(Outcome(one, result["success"], broken_by(found, index), without_values(found)))
        return outcomes

    def page(self, title: str, outcomes: Sequence[Outcome]) -> str:
        """Data Docs' page of these outcomes: HTML that needs no network, without values of rows."""
        from great_expectations.core.expectation_validation_result import expectationSuiteValidationResultSchema
        from great_expectations.render.renderer import ValidationResultsPageRenderer
        from great_expectations.render.view import DefaultJinjaPageView

        met = sum(outcome.success for outcome in outcomes)
        results = expectationSuiteValidationResultSchema.load(
            {
                "success": met == len(outcomes),
                "suite_name": title,
                "results": [self._shown(outcome) for outcome in outcomes],
                "suite_parameters": {},
                "statistics": {
                    "evaluated_expectations": len(outcomes),
                    "successful_expectations": met,
                    "unsuccessful_expectations": len(outcomes) - met,
                    "success_percent": 100 * met / len(outcomes) if outcomes else None,
                },
                "meta": {"great_expectations_version": version("great_expectations")},
            }
        )
        document = ValidationResultsPageRenderer().render(results)
        return validation_report.offline(DefaultJinjaPageView().render(document))

    @cached_property
    def _context(self) -> Any:
        telemetry.off()
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        # What goes wrong is told by our own errors.
        logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        )
        context = gx.get_context(mode="ephemeral", project_config=config)
        for one in of_rows(self.spec):
            # A wrong one is told before the first part is read.
            self._built(one)
        return context

    def _results(self, table: pd.DataFrame, expected: Sequence[Expected], index: Sequence[str]) -> list[dict[str, Any]]:
        """Great Expectations' results as plain values, in the order of `expected`."""
        context = self._context
        import great_expectations as gx
        from great_expectations.core.batch import Batch
        from great_expectations.execution_engine import PandasExecutionEngine
        from great_expectations.validator.validator import Validator

        suite = gx.ExpectationSuite(name="suite")
        for place, one in enumerate(expected):
            suite.add_expectation(self._built(one, place))
        # A batch definition's batch hashes the whole table, twice, for a fingerprint that nothing here asks for.
        judging = Validator(PandasExecutionEngine(), data_context=context, batches=[Batch(data=table)])
        wanted = {
            "result_format": "COMPLETE",
            "unexpected_index_column_names": list(index),
            "exclude_unexpected_values": True,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asked = judging.process_expectations_for_validation(suite.expectation_configurations)
            found = judging.graph_validate(asked, runtime_configuration={"result_format": wanted})
        results = [result.to_json_dict() for result in found]
        del judging, found
        if len(table) >= LARGE_TABLE:
            # Great Expectations' objects hold each other and the table: several would pile up until Python looks.
            gc.collect()
        return sorted(results, key=lambda result: int(result["expectation_config"]["meta"]["place"]))

    def _built(self, one: Expected, place: int = 0) -> Any:
        """The expectation as an object of Great Expectations, which checks its arguments."""
        from great_expectations.exceptions import ExpectationNotFoundError
        from great_expectations.expectations.registry import get_expectation_impl

        try:
            implementation = get_expectation_impl(one.spec.type)
        except ExpectationNotFoundError:
            raise _unknown_type(one) from None
        try:
            return implementation(severity=one.spec.severity, meta={"place": place}, **one.arguments)
        except (TypeError, ValueError, AssertionError) as error:
            raise SpecError(
                f"{one.origin} ({one.spec.type}) has arguments that Great Expectations refuses: {_faults(error)}.",
                remedy="Use that expectation's own arguments, as Great Expectations' documentation lists them.",
            ) from error

    def _why(self, one: Expected, table: pd.DataFrame, index: Sequence[str]) -> str:
        # The exception's words may hold a row's text; those it has for stand-ins of the rows can't.
        strings = {str(name): "stand-in" for name, kind in table.dtypes.items() if kind.kind == "O"}
        again = self._results(table.head(2).assign(**strings), [one], index)[0]
        return (_raised(again["exception_info"]) or "it fails on the value of some row").rstrip(".")

    @staticmethod
    def _cannot_evaluate(one: Expected, raised: str, where: str) -> PerennialError:
        problem = f"{one.origin} ({one.spec.type}, columns {', '.join(one.columns) or 'of the table'}) "
        problem += f"could not be evaluated on {where}: {raised}."
        if one.origin == BUILT_IN:
            return ValidationError(problem, remedy="Nothing was trained; please report this as a fault of Perennial.")
        return SpecError(problem, remedy="Mend its arguments or its column's type, or take it out.")

    @staticmethod
    def _shown(outcome: Outcome) -> dict[str, Any]:
        spec = outcome.expected.spec
        return {
            "success": outcome.success,
            "expectation_config": {
                "type": spec.type,
                "kwargs": outcome.expected.arguments,
                "meta": {},
                "severity": spec.severity,
            },
            "result": dict(outcome.figures),
            "meta": {},
            "exception_info": {"raised_exception": False, "exception_traceback": None, "exception_message": None},
        }


def _raised(info: Mapping[str, Any]) -> str | None:
    """The message of an exception that Great Expectations met and put into its result; None: there was none."""
    # Either one exception's facts, or those of each metric that failed.
    told = [info] if "raised_exception" in info else [one for one in info.values() if isinstance(one, Mapping)]
    return next((str(one.get("exception_message")) for one in told if one.get("raised_exception")), None)


def _unknown_type(one: Expected) -> SpecError:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    known = list_registered_expectation_implementations()
    near = difflib.get_close_matches(one.spec.type, known, 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return SpecError(
        f"{one.origin}: Great Expectations {version('great_expectations')} has no expectation {one.spec.type!r}.",
        remedy=f"{hint}Expectations are named in snake case, for example expect_column_values_to_not_be_null.",
    )


def _faults(error: Exception) -> str:
    """What is wrong with an expectation's arguments; pydantic's list of faults, argument by argument, if it is that."""
    faults = getattr(error, "errors", None)
    if faults is None:
        return str(error)
    told = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults())
    return listing(dict.fromkeys(told)).replace("__root__: ", "")
