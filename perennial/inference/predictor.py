"""The predictor: a package in, answers out. What judges a candidate is what serves it.

Needs numpy, onnxruntime and tokenizers; nothing of what trained the model.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perennial.core.errors import PackageError, listing
from perennial.inference import cascade, cpu, decoders, package
from perennial.inference.runtime import Graph
from perennial.inference.sharing.pool import GraphPool, PooledGraph, outputs_together
from perennial.inference.tokenization import Tokenizer

# Of one run, padding included. A core's caches hold the activations of about this many: 256 was as fast, 1,024 took 8%
# more time a row and 2,048 a fifth. A GPU wants work for all its cores.
TOKENS_PER_BATCH = {"CPUExecutionProvider": 512}
TOKENS_PER_BATCH_ELSEWHERE = 16384
# What a run costs beside its tokens, in tokens, on a CPU: measured with an int8 MiniLM, 1 to 64 rows of 8 to 64 tokens.
RUN_TOKENS = 24


class Predictor:
    """A loaded package. Safe to share by threads."""

    def __init__(
        self, folder: Path, *, threads: int | None = None, digest: str | None = None, pool: GraphPool | None = None
    ) -> None:
        """Checks and loads the package in `folder`.

        `threads`: for one run of the model; None: the physical cores this process may use. `digest`: the sha256 that
        package.json must have, for example the registry's. `pool`: with whose graphs it shares what it can; None: with
        none. Raises PackageError if the package is damaged, is another one, or can't be run.
        """
        self.package = package.read_package(folder, digest=digest)
        self._decoder = decoders.decoder_named(self.package.kind)
        # ONNX Runtime has int8's operators for CPUs only; a GPU would copy every tensor there and back.
        gpu = self.package.precision != "int8"
        model, words, length = folder / package.MODEL, folder / package.TOKENIZER, self.package.max_length
        self._graph: Graph | PooledGraph
        if pool is None:
            self._tokenizer = Tokenizer(words, length)
            self._graph = Graph(model, pad_id=self.package.pad_id, threads=threads, gpu=gpu)
        else:
            self._tokenizer = pool.tokenizer(words, self.package.files[package.TOKENIZER], length)
            self._graph = pool.graph(model, pad_id=self.package.pad_id, threads=threads, gpu=gpu)
        self._model = cascade.before(self._graph, folder, self.package)

    @property
    def provider(self) -> str:
        """The execution provider that ONNX Runtime really uses, for example CPUExecutionProvider."""
        return self._graph.provider

    @property
    def encoder(self) -> object:
        """What runs the model, or its encoder: where it is the same, `predict_together` runs it once."""
        return self._model.encoder if isinstance(self._model, PooledGraph) else self

    def _shared(self) -> PooledGraph:
        if not isinstance(self._model, PooledGraph):
            raise TypeError("only predictors that share their encoder are asked together")
        return self._model

    @property
    def runs_at_once(self) -> int:
        """Threads that may call `predict` at once without waiting for each other."""
        return self._graph.runs_at_once

    @property
    def _tokens_per_batch(self) -> int:
        return TOKENS_PER_BATCH.get(self.provider, TOKENS_PER_BATCH_ELSEWHERE)

    @property
    def _run_tokens(self) -> int:
        return RUN_TOKENS if self.provider in TOKENS_PER_BATCH else 0

    @property
    def missing_cpu_features(self) -> tuple[str, ...]:
        """Instruction sets of the CPU the package was validated on that this one lacks; scores may differ a little."""
        return tuple(sorted(set(self.package.cpu_features) - set(cpu.cpu_features())))

    @property
    def cpu_doubt(self) -> str:
        """Why this CPU may answer otherwise than the one that the package was made on, in a sentence; empty: it won't.

        An int8 package from a CPU that adds up products in 32 bits has weights of 8 bits; AVX2 alone saturates on them.
        """
        could = cpu.INT8_PRODUCTS & set(self.package.cpu_features)
        if self.package.precision != "int8" or not could or cpu.multiplies_int8():
            return ""
        return (
            f"The package was made on a CPU with {listing(sorted(could))}, and this one has none of the like: large "
            "int8 sums are cut off here, so answers may differ from those that were judged. Serve on such a CPU, or "
            "make and judge the model on one like this, or with export.precision: fp32."
        )

    @property
    def machine(self) -> tuple[str, ...]:
        """What scores depend on beyond the package: where it runs, with which ONNX Runtime, in batches of what size (by
        which int8 scales its numbers), on which instructions.
        """
        import onnxruntime

        batches = f"batches of {self._tokens_per_batch} tokens"
        return (self.provider, f"onnxruntime {onnxruntime.__version__}", batches, *cpu.cpu_features())

    def predict(
        self,
        inputs: Sequence[decoders.Input],
        *,
        tokens_per_batch: int | None = None,
        width: int = 1,
        at_once: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> list[dict[str, Any]]:
        """One JSON-ready answer for each input, in order. What an input is (a text, two texts, a list of tokens) and
        what an answer holds, the kind's decoder decides.

        Any string is answered: empty, very long (its end is not read, unless the kind reads windows), with NUL.
        `tokens_per_batch`, padding included, bounds each run, and so memory (None: what suits the provider); `width`:
        tokens that each batch is filled up to at least, to see what padding does; `at_once`: a few rows are parted by
        their lengths so that they are answered soonest, as a server does: other neighbours, so an int8 model's scores
        may differ in their last digits; `on_progress` hears (segments done,
        segments in all).
        Raises PackageError if the model fails or gives no finite number, TypeError if `inputs` is one string or holds
        something else.
        """
        encoded = self._encoded(inputs)
        outputs = self._finite_outputs(
            encoded, tokens_per_batch, width, on_progress, self._run_tokens if at_once else 0
        )
        return self._decoder.decode(outputs, encoded, self.package)

    def predict_with_details(
        self, inputs: Sequence[decoders.Input], *, on_progress: Callable[[int, int], None] | None = None
    ) -> list[dict[str, Any]]:
        """`predict`, and what the answers leave out (`Decoder.details`): arrays, so not ready for JSON."""
        encoded = self._encoded(inputs)
        outputs = self._finite_outputs(encoded, None, 1, on_progress)
        answers = self._decoder.decode(outputs, encoded, self.package)
        details = self._decoder.details(outputs, encoded, self.package)
        return [answer | detail for answer, detail in zip(answers, details, strict=True)]

    def predict_columns(self, columns: decoders.Columns) -> list[dict[str, Any]]:
        """`predict` of rows given by canonical column, for example `text`. Raises as `predict` does."""
        return self.predict(self._decoder.inputs(columns))

    def read_characters(self, one: decoders.Input) -> list[int]:
        """How many characters of each text of an input the model reads; of tokens, and where it reads windows, all."""
        texts = [one] if isinstance(one, str) else list(one)
        if self._decoder.per_token:
            return [len(text) for text in texts]
        return self._tokenizer.read_characters(texts)

    @property
    def decoder(self) -> decoders.Decoder:
        """What reads rows and outputs, for the package's kind of task."""
        return self._decoder

    def outputs(self, inputs: Sequence[decoders.Input], *, tokens_per_batch: int | None = None) -> list[np.ndarray]:
        """What the model gives for each segment of `inputs`, in order, float32; of a cascade, what the one gives that
        answers it. Raises as `predict` does."""
        return self._finite_outputs(self._encoded(inputs), tokens_per_batch, 1, None)

    def _encoded(self, inputs: Sequence[decoders.Input]) -> decoders.Encoded:
        if isinstance(inputs, str):
            raise TypeError("expected a list of texts, got one string; put it in a list")
        return self._decoder.encode(inputs, self._tokenizer)

    def _finite_outputs(
        self,
        encoded: decoders.Encoded,
        tokens_per_batch: int | None,
        width: int,
        on_progress: Callable[[int, int], None] | None,
        run_tokens: int = 0,
    ) -> list[np.ndarray]:
        budget = tokens_per_batch or self._tokens_per_batch
        outputs = self._model.outputs_of(
            encoded.segments, tokens_per_batch=budget, width=width, run_tokens=run_tokens, on_progress=on_progress
        )
        self._check_finite(outputs)
        return outputs

    def _check_finite(self, outputs: list[np.ndarray]) -> None:
        broken = [index for index, output in enumerate(outputs) if not np.isfinite(output).all()]
        if broken:
            raise PackageError(
                f"The {self.package.precision} model gave outputs that are no finite numbers for {len(broken):,} of "
                f"{len(outputs):,} texts (positions {listing(broken)}).",
                remedy="Export the model as fp32 (export.precision) and promote that version.",
            )


def predict_together(asked: Sequence[tuple[Predictor, Sequence[decoders.Input]]]) -> list[list[dict[str, Any]]]:
    """`predict`, `at_once`, of each predictor and its inputs, in one run of the encoder that they share.

    It is `Predictor.encoder`. Raises as `predict` does, for all of them.
    """
    if len(asked) == 1:
        return [asked[0][0].predict(asked[0][1], at_once=True)]
    encoded = [predictor._encoded(inputs) for predictor, inputs in asked]
    graphs = [(predictor._shared(), given.segments) for (predictor, _), given in zip(asked, encoded, strict=True)]
    outputs = outputs_together(graphs, asked[0][0]._tokens_per_batch, asked[0][0]._run_tokens)
    answers = []
    for (predictor, _), given, own in zip(asked, encoded, outputs, strict=True):
        predictor._check_finite(own)
        answers.append(predictor.decoder.decode(own, given, predictor.package))
    return answers
