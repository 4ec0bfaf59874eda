"""The export step: a trained model becomes the package that is judged, registered and served."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from perennial import kinds
from perennial.core import digest, progress
from perennial.core.errors import ExportError, PackageError
from perennial.core.home import Home
from perennial.export import graph, package_writer, parity, quantization
from perennial.inference import cpu, decoders
from perennial.inference.package import MODEL, TOKENIZER, PackageInfo
from perennial.inference.runtime import INPUTS, Graph
from perennial.inference.tokenization import Tokenizer
from perennial.records.package import OnnxPackage
from perennial.records.training import TrainedModel
from perennial.settings.pipeline import PipelineSpec

STEP = "export"
FOLDER = "package"
# Part of the key: raise it when the code of this step gives another package for the same model.
RECIPE = 5
LIBRARIES = ("torch", "transformers", "onnx", "onnxruntime", "onnxruntime-gpu", "tokenizers")
STAGES = ("tracing", "asking the torch model", "fusing", "comparing with torch", "quantizing", "comparing with fp32")


@dataclass(frozen=True)
class Made:
    """A graph that may be packed, and how it came about."""

    path: Path
    precision: str
    how: dict[str, Any]
    parity: dict[str, Any]
    fallback: str | None = None


def export(
    spec: PipelineSpec,
    model: TrainedModel,
    inputs: Sequence[decoders.Input],
    targets: Sequence[Any],
    home: Home,
    *,
    data_digest: str,
) -> OnnxPackage:
    """The package of `model` in the precision that `spec` asks for, or in fp32 where that one would cost too much.

    `inputs` and `targets`: validation rows (256 to 1,024 of them, or all there are) on which each graph is compared
    with the trained model. `data_digest`: of the data the model learned from, for the record. A package made before
    from the same is taken from the store. Raises ExportError if the ONNX graph does not agree with the model.
    """
    if not inputs:
        raise ExportError(
            "There is no validation row to compare the exported model on.",
            remedy="Raise data.splits.validation, or add data.",
        )
    key = digest.of_values(
        model=model.digest,
        base=[model.base, model.base_revision],
        kind=spec.kind,
        labels=spec.data.labels,
        decoding=model.decoding,
        max_length=spec.model.max_length,
        export=spec.export.model_dump(include={"precision", "max_drop"}),
        rows=digest.of_values(inputs=list(inputs), targets=list(targets)),
        data=data_digest,
        versions=_versions(),
        recipe=RECIPE,
    )

    def make(folder: Path) -> OnnxPackage:
        info = _make(spec, home.store.root / model.path, model, inputs, targets, data_digest, folder)
        path = home.store.relative(home.store.folder(STEP, key) / FOLDER)
        return _record(info, path, package_writer.package_size(folder / FOLDER))

    return home.store.get_or_make(STEP, key, OnnxPackage, make)


def _make(
    spec: PipelineSpec,
    source: Path,
    model: TrainedModel,
    inputs: Sequence[decoders.Input],
    targets: Sequence[Any],
    data_digest: str,
    folder: Path,
) -> PackageInfo:
    tokenizer = Tokenizer(source / TOKENIZER, spec.model.max_length)
    draft = _draft(spec, model, tokenizer.pad_id, data_digest)
    decoder = decoders.decoder_named(spec.kind)
    encoded = decoder.encode(inputs, tokenizer)
    sample = parity.ParitySample(encoded, targets, kinds.kind_named(spec.kind), draft, decoder)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        made = _lowered(spec, sample, *_exact(spec, sample, source, Path(work)))
        return _pack(made, draft, source, folder / FOLDER)


def _exact(
    spec: PipelineSpec, sample: parity.ParitySample, source: Path, work: Path
) -> tuple[Made, parity.ParityAnswers]:
    """The fp32 graph that agrees with the trained model, and its answers: the fused one, or else the plain one."""
    from perennial.training.model import load_to_trace, outputs_of

    model = load_to_trace(source)
    plain = work / "plain.onnx"
    _stage(0)
    graph.trace(model, plain, sample.draft.pad_id, per_token=sample.decoder.per_token)
    _stage(1)
    budget = parity.TOKENS_PER_BATCH
    outputs = outputs_of(model, sample.segments, sample.draft.pad_id, budget, on_progress=partial(_within, 1))
    del model
    _check_width(spec, outputs[0].shape[-1])
    expected = sample.answers(outputs)
    _stage(2)
    fusion = graph.fuse(plain, work / "fused.onnx", source / "config.json")
    _stage(3)
    if fusion.path:
        try:
            return _agreed(fusion.path, {"fused": fusion.nodes, "notes": []}, sample, expected)
        except (ExportError, PackageError) as error:
            fusion = graph.Fusion(None, {}, f"the fused graph differs from the model: {error.problem}")
    progress.note(f"The ONNX graph is left as it was traced, which costs speed: {fusion.given_up}.")
    return _agreed(plain, {"fused": {}, "notes": [fusion.given_up]}, sample, expected)


def _agreed(
    path: Path, how: dict[str, Any], sample: parity.ParitySample, expected: parity.ParityAnswers
) -> tuple[Made, parity.ParityAnswers]:
    # Compared on the CPU, where torch ran: a GPU rounds otherwise.
    candidate = Graph(path, pad_id=sample.draft.pad_id, gpu=False)
    try:
        parity.run_shapes(candidate, sample)
        outputs = candidate.outputs_of(
            sample.segments, tokens_per_batch=parity.TOKENS_PER_BATCH, on_progress=partial(_within, 3)
        )
    except PackageError as error:
        raise ExportError(
            f"The exported graph does not run: {error.problem}",
            remedy="Choose a shorter model.max_length or another base model.",
        ) from error
    answers = sample.answers(outputs)
    largest = parity.agree(sample, expected, answers)
    measured = {"rows": len(answers.predictions), "max_logit_difference": parity.figure(largest)}
    return Made(path, "fp32", how, measured), answers


def _lowered(spec: PipelineSpec, sample: parity.ParitySample, exact: Made, answers: parity.ParityAnswers) -> Made:
    """The graph in the precision asked for, or `exact` with the reasons why not."""
    precision = spec.export.precision
    if precision == "fp32":
        return exact
    refusals: list[_RefusedError] = []
    for recipe in quantization.RECIPES[precision]:
        try:
            made = _attempt(spec, sample, exact, answers, recipe)
        except _RefusedError as refused:
            refusals.append(refused)
            continue
        notes = [*exact.how["notes"], *(f"{refused.recipe}: {refused.reason}" for refused in refusals)]
        return dataclasses.replace(made, how=made.how | {"notes": notes})
    reason = "; ".join(dict.fromkeys(refused.reason for refused in refusals))
    progress.note(f"The package is fp32: {reason}.")
    return dataclasses.replace(exact, fallback=f"{reason}; fp32 is packed.", parity=refusals[0].measured)


class _RefusedError(Exception):
    """A lower precision that may not be packed."""

    def __init__(self, recipe: str, reason: str, measured: dict[str, Any]) -> None:
        self.recipe, self.reason, self.measured = recipe, reason, measured
        super().__init__(reason)


def _attempt(
    spec: PipelineSpec, sample: parity.ParitySample, exact: Made, answers: parity.ParityAnswers, recipe: str
) -> Made:
    """The graph lowered by `recipe`. Raises _RefusedError if it can't be, or loses too much against `exact`."""
    precision = spec.export.precision
    _stage(4)
    path = exact.path.with_name(f"{precision}.onnx")
    try:
        nodes = quantization.lower_precision(exact.path, path, precision, recipe, sample.segments)
        candidate = Graph(path, pad_id=sample.draft.pad_id, gpu=precision != "int8")
    except (OSError, MemoryError, ImportError):  # the machine's fault or the installation's, not the graph's
        raise
    except Exception as error:
        # onnxruntime's tools raise what they like on graphs they don't know.
        failure = f"making {precision} failed ({type(error).__name__}: {graph.first_line(error)})"
        raise _RefusedError(recipe, failure, exact.parity) from error
    if not any(nodes.values()):
        nothing = f"no operator of this graph can be turned into {precision}"
        raise _RefusedError(recipe, nothing, exact.parity)
    _stage(5)
    result = parity.compare_precision(sample, answers, candidate, precision, spec.export.max_drop)
    measured = exact.parity | {precision: result.figures}
    if result.fault:
        raise _RefusedError(recipe, result.fault, measured)
    return Made(path, precision, exact.how | {"lowered": nodes, "recipe": recipe}, measured)


def _pack(made: Made, draft: PackageInfo, source: Path, folder: Path) -> PackageInfo:
    folder.mkdir()
    graph.move_graph(made.path, folder / MODEL)
    shutil.copyfile(source / TOKENIZER, folder / TOKENIZER)
    info = dataclasses.replace(
        draft, precision=made.precision, fallback=made.fallback, graph=made.how, parity=made.parity
    )
    return package_writer.write_package(folder, info)


def _draft(spec: PipelineSpec, model: TrainedModel, pad_id: int, data_digest: str) -> PackageInfo:
    return PackageInfo(
        kind=spec.kind,
        labels=spec.data.labels,
        decoding=model.decoding,
        max_length=spec.model.max_length,
        pad_id=pad_id,
        precision="fp32",
        fallback=None,
        opset=graph.OPSET,
        inputs=INPUTS,
        base=model.base,
        base_revision=model.base_revision,
        data_digest=data_digest,
        cpu_features=cpu.cpu_features(),
        graph={},
        parity={},
        created_with=_versions(),
        files={},
    )


def _record(info: PackageInfo, path: str, size: int) -> OnnxPackage:
    figures = {name: float(value) for name, value in info.parity.items() if not isinstance(value, dict)}
    for precision, group in info.parity.items():
        if isinstance(group, dict):
            changes = {f"{name}_change": value for name, value in group.get("change", {}).items()}
            plain = {name: value for name, value in group.items() if not isinstance(value, dict)}
            figures |= {f"{precision}_{name}": float(value) for name, value in (plain | changes).items()}
    return OnnxPackage(
        digest=info.digest,
        path=path,
        precision=info.precision,
        fallback=info.fallback,
        size_bytes=size,
        parity=figures,
    )


def _check_width(spec: PipelineSpec, width: int) -> None:
    expected = kinds.kind_named(spec.kind).outputs(spec.data.labels)
    if width != expected:
        raise ExportError(
            f"The trained model has {width} outputs; {len(spec.data.labels)} labels need {expected}.",
            remedy="data.labels changed since the model was trained; run the pipeline again.",
        )


def _versions() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # one of onnxruntime and onnxruntime-gpu is never there
            continue
    return versions


def _stage(number: int) -> None:
    progress.advance(number, len(STAGES), unit="stage", detail=STAGES[number])


def _within(number: int, done: int, total: int) -> None:
    progress.advance(number + done / total, len(STAGES), unit="stage", detail=STAGES[number])
