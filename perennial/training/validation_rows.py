"""The validation rows, by which a training chooses its best checkpoint, and trainings are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perennial import kinds
from perennial.core.home import Home
from perennial.inference import decoders
from perennial.inference.decoders import Decoder, Encoded, Meaning, Outputs
from perennial.inference.tokenization import Tokenizer
from perennial.kinds.protocols import Kind
from perennial.records.data import EncodedData, ValidatedData
from perennial.records.training import TrainedModel
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.read_rows import read_split

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Judged:
    """The validation rows, read as they would be served, and what their answers should be."""

    kind: Kind
    decoder: Decoder
    encoded: Encoded
    targets: list[Any]
    labels: tuple[str, ...]
    padding: int

    def decoding(self, outputs: Outputs, statistics: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What the decoder must know beyond the labels to read such outputs."""
        return self.kind.decoding(outputs, self.encoded, self.targets, self.labels, statistics)

    def predictions(self, outputs: Outputs, decoding: Mapping[str, Any]) -> list[dict[str, Any]]:
        """`outputs` as answers."""
        return self.decoder.decode(outputs, self.encoded, Meaning(self.labels, decoding))

    def metrics(self, outputs: Outputs, statistics: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Every metric of `outputs`."""
        predictions = self.predictions(outputs, self.decoding(outputs, statistics))
        return self.kind.measure(self.targets, predictions, self.labels).values

    def answers(self, trained: TrainedModel, home: Home) -> list[dict[str, Any]]:
        """What a trained model in the store answers to these rows."""
        import torch

        from perennial.training import model
        from perennial.training.trainer import EVALUATION_TOKENS

        network = model.load_model(home.store.root / trained.path).to("cuda" if torch.cuda.is_available() else "cpu")
        outputs = model.outputs_of(network, self.encoded.segments, self.padding, EVALUATION_TOKENS)
        return self.predictions(outputs, trained.decoding)


def read_validation_rows(spec: PipelineSpec, data: EncodedData, validated: ValidatedData, home: Home) -> Judged:
    """The validation rows of `validated`, tokenized as `data` is."""
    kind, decoder = kinds.kind_named(spec.kind), decoders.decoder_named(spec.kind)
    tokenizer = Tokenizer(home.store.root / data.tokenizer_path, spec.model.max_length)
    columns = list(dict.fromkeys((*kind.input_columns, kind.target_column)))
    rows = read_split(validated, home.store, "validation", columns)
    targets = rows[kind.target_column].to_pylist()
    encoded = decoder.encode(kind.inputs(rows), tokenizer)
    return Judged(kind, decoder, encoded, targets, spec.data.labels, tokenizer.pad_id)
