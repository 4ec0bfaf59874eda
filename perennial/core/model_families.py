"""All that is known of model families: what their configurations, weights and tokenizers are called, how they count.

A family is what config.json calls `model_type`. To add one, add its record to FAMILIES; a model of no family there is
read by the names in UNLISTED, which most architectures use. Here are facts alone: no torch, no transformers, no files,
for serving reads them, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class TokenizerFamily:
    """How some tokenizers read spaces. A package names no model family, so what stands in tokenizer.json tells."""

    pre_tokenizer: str
    """The `type` of the pre-tokenizer that splits at every space."""
    switches: tuple[str, ...] = ()
    """Settings of it that must not be false, or it does not split there."""
    word_by_word_normalizers: tuple[str | None, ...] = ()
    """The `type` of the normalizers (None: none) with which it reads what lies between two spaces as it would read that
    alone: they map character by character, and the pre-tokenizer removes the space. (): it reads no text so."""
    word_by_word_model: str = ""
    """The `type` of the tokenizer's model for which that holds, as it looks at nothing beyond a word."""

    def splits_at_spaces(self, pre_tokenizer: Mapping[str, Any]) -> bool:
        """Whether a pre-tokenizer of tokenizer.json is this family's and splits at every space."""
        here = pre_tokenizer.get("type") == self.pre_tokenizer
        return here and all(pre_tokenizer.get(switch, True) for switch in self.switches)

    def reads_word_by_word(
        self, normalizer: Mapping[str, Any], pre_tokenizer: Mapping[str, Any], model: Mapping[str, Any]
    ) -> bool:
        """Whether a tokenizer of these parts reads a text as it would read what lies between its spaces one by one."""
        return (
            normalizer.get("type") in self.word_by_word_normalizers
            and pre_tokenizer.get("type") == self.pre_tokenizer
            and model.get("type") == self.word_by_word_model
        )


BERT_PIECES = TokenizerFamily(
    "BertPreTokenizer", word_by_word_normalizers=(None, "BertNormalizer"), word_by_word_model="WordPiece"
)
BYTE_PIECES = TokenizerFamily("ByteLevel", switches=("use_regex",))
SENTENCE_PIECES = TokenizerFamily("Metaspace", switches=("split",))
WHITE_SPACE = (TokenizerFamily("Whitespace"), TokenizerFamily("WhitespaceSplit"))
IDEOGRAPHS_APART = ("clean_text", "handle_chinese_chars")
"""Settings of a normalizer, BERT's, that together put a space around each ideograph, and make spaces of white space."""


@dataclass(frozen=True)
class ModelFamily:
    """What is known of the models of one family. Where several names are given, the first that is there counts."""

    tokenizers: tuple[TokenizerFamily, ...] = (BERT_PIECES, BYTE_PIECES, SENTENCE_PIECES, *WHITE_SPACE)
    padding_tokens: tuple[str, ...] = ("[PAD]", "<pad>", "<|padding|>", "<|endoftext|>")
    """What its tokenizers call the padding token, where tokenizer.json does not say how it pads."""

    # Entries of config.json.
    position_limit: str = "max_position_embeddings"
    """Tokens that it can read at once."""
    positions_behind_padding: bool = False
    """Whether positions are counted from behind the padding id: the longest text is so much shorter than the limit."""
    positions_switch: str = "position_biased_input"
    """Where this is false, positions are not counted and there is no limit."""
    layer_counts: tuple[str, ...] = ("num_hidden_layers", "n_layers", "num_layers")
    head_counts: tuple[str, ...] = ("num_attention_heads", "n_heads")
    """Attention heads of a layer."""
    widths: tuple[str, ...] = ("hidden_size", "dim")
    """Of the token vectors."""
    listed_by_layer: tuple[str, ...] = ("layer_types",)
    """Lists of what each layer is: a student has fewer entries."""
    head_dropouts: tuple[str, ...] = ("classifier_dropout", "seq_classif_dropout")
    encoder_dropouts: tuple[str, ...] = ("hidden_dropout_prob", "dropout")
    attention_dropouts: tuple[str, ...] = ("attention_probs_dropout_prob", "attention_dropout")

    # Names of weights and of parts of the network.
    layer_lists: tuple[str, ...] = ("layer", "layers", "h", "block")
    """What the list of layers is called; a layer's number stands behind it."""
    embeddings: str = "embeddings"
    heads: tuple[str, ...] = ("classifier", "pre_classifier", "score", "head")
    """How the names begin of what its sequence-classification model has beside the encoder."""
    pooler: str = "pooler"
    """What a mean of the token vectors does not use, so that it is taken away."""

    # How it is computed.
    cpu_attention: str | None = "eager"
    """The implementation that trains on a CPU, where torch's fused one takes half as long again; None: the default."""
    traced_attention: str | None = "eager"
    """The implementation whose ONNX graph the fusions know."""
    fusions: str = "bert"
    """ONNX Runtime's name of the patterns by which its graph is fused."""

    def longest_text(self, config: Mapping[str, Any]) -> int | None:
        """Tokens, special ones included, that the model of a config.json can read at once; None: no limit."""
        limit = config.get(self.position_limit)
        if not isinstance(limit, int) or limit < 1 or config.get(self.positions_switch) is False:
            return None
        return limit - config.get("pad_token_id", 1) - 1 if self.positions_behind_padding else limit

    def layer_count(self, config: Mapping[str, Any]) -> int | None:
        """Layers of the encoder of a config.json; None: it does not say."""
        return next((count for name in self.layer_counts if isinstance(count := config.get(name), int)), None)

    def heads_and_width(self, config: Mapping[str, Any]) -> tuple[int, int]:
        """Attention heads and width of the token vectors of a config.json; 0, 0: it does not say both."""
        heads = next((config[name] for name in self.head_counts if config.get(name)), 0)
        width = next((config[name] for name in self.widths if config.get(name)), 0)
        return (int(heads), int(width)) if heads and width else (0, 0)

    def layer_number(self, name: str) -> int | None:
        """The number of the encoder layer that a weight called `name` belongs to; None: to none."""
        part = self._layer_part(name)
        return None if part is None else int(name.split(".")[part])

    def in_layer(self, name: str, number: int) -> str:
        """What a weight called `name`, which belongs to a layer, is called in the layer `number`."""
        words, part = name.split("."), self._layer_part(name)
        return ".".join(str(number) if each == part else word for each, word in enumerate(words))

    def _layer_part(self, name: str) -> int | None:
        """Which of the words of `name` is a layer's number."""
        for part, (before, word) in enumerate(pairwise(name.split(".")), 1):
            if before in self.layer_lists and word.isdigit():
                return part
        return None


UNLISTED = ModelFamily()
"""How a model of no family below is read."""

_BERT = ModelFamily(tokenizers=(BERT_PIECES,), padding_tokens=("[PAD]",), layer_lists=("layer",), heads=("classifier",))
_ROBERTA = replace(_BERT, tokenizers=(BYTE_PIECES,), padding_tokens=("<pad>",), positions_behind_padding=True)
_XLM_ROBERTA = replace(_ROBERTA, tokenizers=(SENTENCE_PIECES,))

FAMILIES: dict[str, ModelFamily] = {
    "bert": _BERT,
    "electra": _BERT,
    "distilbert": replace(_BERT, heads=("pre_classifier", "classifier")),
    "mpnet": replace(_BERT, padding_tokens=("<pad>",), positions_behind_padding=True),
    "roberta": _ROBERTA,
    "xlm-roberta": _XLM_ROBERTA,
    "camembert": _XLM_ROBERTA,
    "modernbert": replace(_BERT, tokenizers=(BYTE_PIECES,), layer_lists=("layers",), heads=("head", "classifier")),
}
"""By `model_type`."""


def family_named(model_type: object) -> ModelFamily:
    """What is known of the models whose configuration says `model_type`."""
    return FAMILIES.get(str(model_type), UNLISTED)


def entry_name(config: object, names: Sequence[str]) -> str:
    """The first of `names` that a configuration of transformers has; the first of all if it has none.

    There are more of them than in config.json: what is DistilBERT's `n_layers` there is `num_hidden_layers`, too.
    """
    return next((name for name in names if hasattr(config, name)), names[0])


def tokenizer_families() -> Iterator[TokenizerFamily]:
    """How the tokenizers of all families read spaces, each way once."""
    families = (UNLISTED, *FAMILIES.values())
    yield from dict.fromkeys(each for family in families for each in family.tokenizers)


def padding_tokens() -> Iterator[str]:
    """What the tokenizers of all families call the padding token, the most usual name first."""
    families = (UNLISTED, *FAMILIES.values())
    yield from dict.fromkeys(each for family in families for each in family.padding_tokens)
