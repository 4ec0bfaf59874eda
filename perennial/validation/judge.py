"""Great Expectations as the judge of tables: quiet, bounded in memory, its errors explained."""

from __future__ import annotations

import difflib
import gc
import logging
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from perennial.core import telemetry
from perennial.core.errors import PerennialError, SpecError, ValidationError, listing
from perennial.rows.expectation import BUILT_IN, Expected
from perennial.settings.pipeline import PipelineSpec
from perennial.validation import validation_report
from perennial.validation.expectations import row_expectations
from perennial.validation.outcomes import ExpectationOutcome, broken_by, without_values

if TYPE_CHECKING:
    import pandas as pd


LARGE_TABLE = 50_000
"""In rows: for fewer, looking for garbage takes longer than it is worth."""


class Judge:
    """Great Expectations, asked about tables; imported at the first question.

    Its context is in memory: it writes nothing, sends nothing and shows no progress bars.
    """

    def __init__(self, spec: PipelineSpec) -> None:
        self.spec = spec

    def outcomes(
        self, table: pd.DataFrame, expected: Sequence[Expected], index: Sequence[str], where: str
    ) -> list[ExpectationOutcome]:
        """Each expectation's outcome on `table`, in the order of `expected`; `index`: the columns that name a row.

        Raises SpecError when an expectation of the pipeline can't be evaluated; `where` names the table then.
        """
        outcomes = []
        for one, result in zip(expected, self._results(table, expected, index), strict=True):
            if _raised(result["exception_info"]) is not None:
                raise self._cannot_evaluate(one, self._why(one, table, index), where)
            result_found = result["result"]
            outcomes.append(
                ExpectationOutcome(one, result["success"], broken_by(result_found, index), without_values(result_found))
            )
        return outcomes

    def page(self, title: str, outcomes: Sequence[ExpectationOutcome]) -> str:
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
        for one in row_expectations(self.spec):
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
        for position, one in enumerate(expected):
            suite.add_expectation(self._built(one, position))
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
            validation = judging.graph_validate(asked, runtime_configuration={"result_format": wanted})
        results = [result.to_json_dict() for result in validation]
        del judging, validation
        if len(table) >= LARGE_TABLE:
            # Great Expectations' objects hold each other and the table: several would pile up until Python looks.
            gc.collect()
        return sorted(results, key=lambda result: int(result["expectation_config"]["meta"]["position"]))

    def _built(self, one: Expected, index: int = 0) -> Any:
        """The expectation as an object of Great Expectations, which checks its arguments."""
        from great_expectations.exceptions import ExpectationNotFoundError
        from great_expectations.expectations.registry import get_expectation_impl

        try:
            implementation = get_expectation_impl(one.spec.type)
        except ExpectationNotFoundError:
            raise _unknown_type(one) from None
        try:
            return implementation(severity=one.spec.severity, meta={"position": index}, **one.arguments)
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
    def _shown(outcome: ExpectationOutcome) -> dict[str, Any]:
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
    infos = [info] if "raised_exception" in info else [one for one in info.values() if isinstance(one, Mapping)]
    return next((str(one.get("exception_message")) for one in infos if one.get("raised_exception")), None)


def _unknown_type(one: Expected) -> SpecError:
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    types = list_registered_expectation_implementations()
    near = difflib.get_close_matches(one.spec.type, types, 1)
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
    fault_list = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults())
    return listing(dict.fromkeys(fault_list)).replace("__root__: ", "")
