"""An ONNX graph in ONNX Runtime: one run on all cores for a few texts, a run on each core for many, or many callers."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from perennial.core import telemetry
from perennial.core.errors import PackageError
from perennial.inference import cpu
from perennial.inference.batching import pad, plan_batches

INPUTS = ("input_ids", "attention_mask")
OUTPUT = "logits"
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
# TensorFloat-32 would keep 10 bits of an fp32 model's products; who wants that exports fp16.
CUDA_OPTIONS = {"use_tf32": "0"}
# The fused operator takes a CPU three times as long as the Add and the LayerNormalization that it stands for.
SLOWER_ON_CPU = {"SkipLayerNormFusion"}
ERRORS_ONLY = 3
# In a run on several cores they wait for each other at every operator, and those of a small graph are short: a run on
# each core answers more rows. The weights are then held twice, so not of a large graph, whose operators are long.
LARGEST_TWICE = 100_000_000

# A run on all cores ends with threads that look for more to do for some milliseconds, and so take time from runs of
# others: where callers met, each has a core of its own for so long. Two callers are answered 1.8 times as often so.
CROWDED_SECONDS = 0.1


class AnsweredBatch(NamedTuple):
    """Rows that were run together."""

    rows: np.ndarray
    """Their numbers."""
    input_ids: np.ndarray
    """Rows × tokens, int64, as `attention_mask`."""
    attention_mask: np.ndarray
    outputs: np.ndarray


class Graph:
    """A graph from token ids and attention mask to logits. Safe to share by threads."""

    def __init__(
        self, file: Path | bytes, *, pad_id: int, threads: int | None = None, gpu: bool = True, output: str = OUTPUT
    ) -> None:
        """`file`: or the graph itself. `threads`: for one run; None: the cores this process may use. `gpu`: whether
        CUDA may be used. `output`: the name of the output, if it is other.

        Raises PackageError if ONNX Runtime can't load the graph.
        """
        threads = threads or cpu.cores()
        self._session = open_session(file, threads, gpu)
        self._pad_id, self._output = pad_id, output
        self.provider: str = self._session.get_providers()[0]
        self.runs_at_once = threads if self.provider == CPU and _size(file) <= LARGEST_TWICE else 1
        """Callers at once of which each may have a core of its own; 1: more would only wait for each other."""
        self._single = open_session(file, 1, gpu=False) if self.runs_at_once > 1 else self._session
        self._callers, self._crowded_until, self._counting = 0, 0.0, threading.Lock()

    def outputs_of(
        self,
        segments: Sequence[np.ndarray],
        *,
        tokens_per_batch: int = 1024,
        width: int = 1,
        run_tokens: int = 0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[np.ndarray]:
        """What the model gives for each segment of token ids, in their order: float32, (outputs,) or (tokens, outputs).

        `width`: tokens that each batch is filled up to at least. `run_tokens`: as of `plan_batches`. `on_progress`
        hears (segments done, segments in all) after each batch. Raises PackageError if a run fails.
        """
        return by_segment(self.batches_of(segments, tokens_per_batch, width, run_tokens), segments, on_progress)

    def batches_of(
        self, segments: Sequence[np.ndarray], tokens_per_batch: int, width: int = 1, run_tokens: int = 0
    ) -> Iterator[AnsweredBatch]:
        """The outputs of each batch: a few come from runs on all cores, many from a run on each, and from runs on one
        core where others ask meanwhile. Raises as `outputs_of`."""
        lengths = np.array([len(ids) for ids in segments])
        batches = plan_batches(lengths, tokens_per_batch, run_tokens=run_tokens)

        def answered(session: Any, batch: np.ndarray) -> AnsweredBatch:
            padded = pad([segments[index] for index in batch], self._pad_id, width)
            return AnsweredBatch(batch, *padded, self._run(session, *padded))

        with self._one_more_caller() as is_crowded:
            if is_crowded:
                yield from (answered(self._single, batch) for batch in batches)
            elif self.runs_at_once == 1 or len(batches) < self.runs_at_once:
                yield from (answered(self._session, batch) for batch in batches)
            else:
                with ThreadPoolExecutor(self.runs_at_once) as pool:
                    yield from pool.map(lambda batch: answered(self._single, batch), batches)

    @contextmanager
    def _one_more_caller(self) -> Iterator[bool]:
        """For the block there is one caller more; gives whether each has less than two cores, or had lately."""
        with self._counting:
            self._callers += 1
            now = time.monotonic()
            if self._callers > 1 and 2 * self._callers > self.runs_at_once:
                self._crowded_until = now + CROWDED_SECONDS
            is_crowded = now < self._crowded_until
        try:
            yield is_crowded
        finally:
            with self._counting:
                self._callers -= 1

    def run(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """The outputs of one batch (rows × outputs, or rows × tokens × outputs); both arguments rows × tokens, int64.

        Raises PackageError if ONNX Runtime fails.
        """
        return self._run(self._session, input_ids, attention_mask)

    def _run(self, session: Any, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        return run_session(session, self._output, dict(zip(INPUTS, (input_ids, attention_mask), strict=True)))

    @property
    def outputs(self) -> int:
        """Width of the model's output."""
        return int(self._session.get_outputs()[0].shape[-1])


def by_segment(
    batches: Iterator[AnsweredBatch],
    segments: Sequence[np.ndarray],
    on_progress: Callable[[int, int], None] | None = None,
) -> list[np.ndarray]:
    """The outputs of `batches` by segment, in the order of `segments`, less what stands for padding."""
    outputs: list[np.ndarray] = [np.empty(0, np.float32)] * len(segments)
    done = 0
    for batch in batches:
        for index, answer in zip(batch.rows, batch.outputs, strict=True):
            # A copy, or a small answer would keep its whole batch alive.
            outputs[index] = answer[: len(segments[index])].copy() if answer.ndim > 1 else answer
        done += len(batch.rows)
        if on_progress:
            on_progress(done, len(segments))
    return outputs


def run_session(session: Any, output: str, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """`output` of one run on `inputs`, by name, the first dimension rows. Raises PackageError if ONNX Runtime fails."""
    try:
        answer: np.ndarray = session.run([output], inputs)[0]
    except Exception as error:  # onnxruntime's errors have no common base but Exception
        shape = " × ".join(map(str, next(iter(inputs.values())).shape[:2]))
        raise PackageError(
            f"ONNX Runtime could not run the model on a batch of {shape} tokens "
            f"({type(error).__name__}: {_first_line(error)}).",
            remedy="If memory ran out, use smaller batches; otherwise export the model again.",
        ) from error
    return answer


def open_session(file: Path | bytes, threads: int, gpu: bool) -> Any:
    """A session of the graph in `file`, or that is given. Raises PackageError if ONNX Runtime can't load it."""
    telemetry.off()
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Batches differ in shape: memory patterns, kept for each shape ever seen, would only grow.
    options.enable_mem_pattern = False
    options.log_severity_level = ERRORS_ONLY
    on_gpu = gpu and CUDA in ort.get_available_providers()
    providers: list[Any] = [(CUDA, CUDA_OPTIONS), CPU] if on_gpu else [CPU]
    without = None if on_gpu else SLOWER_ON_CPU
    try:
        return ort.InferenceSession(
            file if isinstance(file, bytes) else str(file), options, providers=providers, disabled_optimizers=without
        )
    except Exception as error:  # as above
        name = "a part of a graph" if isinstance(file, bytes) else file
        raise PackageError(
            f"ONNX Runtime {ort.__version__} could not load {name} ({type(error).__name__}: {_first_line(error)}).",
            remedy="Use the version named in package.json under created_with, or export the model again.",
        ) from error


def _size(file: Path | bytes) -> int:
    """Bytes of the graph, with those of weights that don't fit into its own file."""
    if isinstance(file, bytes):
        return len(file)
    parts = (file, file.with_name(file.name + ".data"))
    return sum(part.stat().st_size for part in parts if part.exists())


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
