"""An ONNX graph in ONNX Runtime: opened with settings that fit many short runs, and run in batches of like lengths."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perennial import telemetry
from perennial.errors import PackageError
from perennial.inference import cpu
from perennial.inference.batching import pad, plan_batches

INPUTS = ("input_ids", "attention_mask")
OUTPUT = "logits"
CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
# TensorFloat-32 would keep 10 bits of an fp32 model's products; who wants that exports fp16.
CUDA_OPTIONS = {"use_tf32": "0"}
ERRORS_ONLY = 3


class Graph:
    """A graph from token ids and attention mask to logits. Safe to share by threads."""

    def __init__(self, file: Path, *, pad_id: int, threads: int | None = None, gpu: bool = True) -> None:
        """`threads`: for one run; None: the cores this process may use. `gpu`: whether CUDA may be used.

        Raises PackageError if ONNX Runtime can't load the graph.
        """
        self._session = _open(file, threads or cpu.cores(), gpu)
        self._pad_id = pad_id
        self.provider: str = self._session.get_providers()[0]

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
        found: list[np.ndarray] = [np.empty(0, np.float32)] * len(segments)
        done = 0
        for batch in plan_batches(np.array([len(ids) for ids in segments]), tokens_per_batch):
            answers = self.run(*pad([segments[place] for place in batch], self._pad_id, width))
            for place, answer in zip(batch, answers, strict=True):
                # What stands for padding is cut off; a copy, or a small answer would keep its whole batch alive.
                found[place] = answer[: len(segments[place])].copy() if answer.ndim > 1 else answer
            done += len(batch)
            if on_progress:
                on_progress(done, len(segments))
        return found

    def run(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        """The outputs of one batch (rows × outputs, or rows × tokens × outputs); both arguments rows × tokens, int64.

        Raises PackageError if ONNX Runtime fails.
        """
        try:
            answer: np.ndarray = self._session.run(
                [OUTPUT], dict(zip(INPUTS, (input_ids, attention_mask), strict=True))
            )[0]
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
    providers: list[Any] = [CPU]
    if gpu and CUDA in ort.get_available_providers():
        providers = [(CUDA, CUDA_OPTIONS), CPU]
    try:
        return ort.InferenceSession(str(file), options, providers=providers)
    except Exception as error:  # as above
        raise PackageError(
            f"ONNX Runtime {ort.__version__} could not load {file} ({type(error).__name__}: {_first_line(error)}).",
            remedy="Use the version named in package.json under created_with, or export the model again.",
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
