"""An ONNX graph in ONNX Runtime: one run on all cores for a few texts, a run on each core for many."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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
# Fewer runs than this for each core, and some cores would have nothing to do at the end.
FEWEST_A_CORE = 2


class Graph:
    """A graph from token ids and attention mask to logits. Safe to share by threads."""

    def __init__(self, file: Path, *, pad_id: int, threads: int | None = None, gpu: bool = True) -> None:
        """`threads`: for one run; None: the cores this process may use. `gpu`: whether CUDA may be used.

        Raises PackageError if ONNX Runtime can't load the graph.
        """
        threads = threads or cpu.cores()
        self._session = _open(file, threads, gpu)
        self._pad_id = pad_id
        self.provider: str = self._session.get_providers()[0]
        self._runs_at_once = threads if self.provider == CPU and _size(file) <= LARGEST_TWICE else 1
        self._single = _open(file, 1, gpu=False) if self._runs_at_once > 1 else self._session

    def outputs_of(
        self,
        segments: Sequence[np.ndarray],
        *,
        tokens_per_batch: int = 1024,
        width: int = 1,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[np.ndarray]:
        """What the model gives for each segment of token ids, in their order: float32, (outputs,) or (tokens, outputs).

        `width`: tokens that each batch is filled up to at least. `on_progress` hears (segments done, segments in all)
        after each batch. Raises PackageError if a run fails.
        """
        outputs: list[np.ndarray] = [np.empty(0, np.float32)] * len(segments)
        done = 0
        batches = plan_batches(np.array([len(ids) for ids in segments]), tokens_per_batch)
        for batch, answers in zip(batches, self._answers(segments, batches, width), strict=True):
            for index, answer in zip(batch, answers, strict=True):
                # What stands for padding is cut off; a copy, or a small answer would keep its whole batch alive.
                outputs[index] = answer[: len(segments[index])].copy() if answer.ndim > 1 else answer
            done += len(batch)
            if on_progress:
                on_progress(done, len(segments))
        return outputs

    def _answers(
        self, segments: Sequence[np.ndarray], batches: Sequence[np.ndarray], width: int
    ) -> Iterator[np.ndarray]:
        """The outputs of each batch, in their order; a few come from runs on all cores, many from a run on each."""

        def padded(batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return pad([segments[index] for index in batch], self._pad_id, width)

        if self._runs_at_once == 1 or len(batches) < FEWEST_A_CORE * self._runs_at_once:
            yield from (self.run(*padded(batch)) for batch in batches)
            return
        with ThreadPoolExecutor(self._runs_at_once) as pool:
            yield from pool.map(lambda batch: self._run(self._single, *padded(batch)), batches)

    def run(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """The outputs of one batch (rows × outputs, or rows × tokens × outputs); both arguments rows × tokens, int64.

        Raises PackageError if ONNX Runtime fails.
        """
        return self._run(self._session, input_ids, attention_mask)

    def _run(self, session: Any, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        try:
            answer: np.ndarray = session.run([OUTPUT], dict(zip(INPUTS, (input_ids, attention_mask), strict=True)))[0]
        except Exception as error:  # onnxruntime's errors have no common base but Exception
            rows, tokens = input_ids.shape
            raise PackageError(
                f"ONNX Runtime could not run the model on a batch of {rows} × {tokens} tokens "
                f"({type(error).__name__}: {_first_line(error)}).",
                remedy="If memory ran out, use smaller batches; otherwise export the model again.",
            ) from error
        return answer

    @property
    def outputs(self) -> int:
        """Width of the model's output."""
        return int(self._session.get_outputs()[0].shape[-1])


def _open(file: Path, threads: int, gpu: bool) -> Any:
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
        return ort.InferenceSession(str(file), options, providers=providers, disabled_optimizers=without)
    except Exception as error:  # as above
        raise PackageError(
            f"ONNX Runtime {ort.__version__} could not load {file} ({type(error).__name__}: {_first_line(error)}).",
            remedy="Use the version named in package.json under created_with, or export the model again.",
        ) from error


def _size(file: Path) -> int:
    """Bytes of the graph, with those of weights that don't fit into its own file."""
    parts = (file, file.with_name(file.name + ".data"))
    return sum(part.stat().st_size for part in parts if part.exists())


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
