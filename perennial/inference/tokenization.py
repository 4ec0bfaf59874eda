"""From texts to token ids: the one way, used when a model is trained, judged and served."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perennial.errors import PackageError

# Most texts hold a token in fewer characters than this, so that the first cut of a long text is nearly always enough.
CHARACTERS_PER_TOKEN = 16
# Tokens that must lie between the last one kept and a cut. What a cut can change are the tokens that touch it, such as
# an added token with a space inside; none is that long.
MARGIN_TOKENS = 64
# Where a text may be cut: no token reaches over such a place. (Cut behind white space, and some tokenizers would read
# that white space differently.) BERT's normalizer also puts a space around every ideograph.
AT_SPACES = re.compile(r"(?<=\S) ")
AT_SPACES_AND_IDEOGRAPHS = re.compile("(?<=\\S)[ \t\n\r\u4e00-\u9fff]")
SPLIT_AT_SPACES = {"BertPreTokenizer", "ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit"}


class Tokenizer:
    """A tokenizer.json whose rows end after `max_length` tokens, special ones included. Safe to share by threads."""

    def __init__(self, file: Path, max_length: int) -> None:
        """Raises PackageError if `file` is no tokenizer.json."""
        from tokenizers import Tokenizer as Backend

        try:
            content = file.read_text(encoding="utf-8")
            settings = json.loads(content)
            self._backend = Backend.from_str(content)
        except Exception as error:  # the backend raises bare Exception
            raise PackageError(
                f"{file} is no tokenizer that the tokenizers library can read ({type(error).__name__}).",
                remedy="It must be the tokenizer.json of a fast tokenizer; export the model again.",
            ) from error
        self._backend.no_padding()
        self._backend.enable_truncation(max_length)
        self.max_length = max_length
        self.pad_id = _pad_id(settings)
        self._place_to_cut = _place_to_cut(settings)
        # A row whose rest fills this many rows more is known to go on at least MARGIN_TOKENS beyond the row's end.
        kept = max(1, max_length - self._backend.num_special_tokens_to_add(False))
        self._sure_rests = 1 + -(-MARGIN_TOKENS // kept)

    def encode(self, texts: Sequence[str]) -> tuple[list[np.ndarray], int]:
        """The token ids of each text (int32, at most max_length), in order, and how many texts lost their ends.

        A long text is cut before it is tokenized, at a space so far behind its last kept token that the ids are those
        of the whole text: tokenizing ten megabytes to keep 128 tokens would be waste. Any string will do: empty, with
        NUL, with half of a surrogate pair (read as U+FFFD).
        """
        readable = [_readable(text) for text in texts]
        limit = CHARACTERS_PER_TOKEN * (self.max_length + MARGIN_TOKENS)
        ids: list[np.ndarray] = [np.empty(0, np.int32)] * len(texts)
        waiting = list(range(len(texts)))
        truncated = 0
        while waiting:
            cuts = [self._cut(readable[row], limit) for row in waiting]
            unsure = []
            for row, cut, encoding in zip(waiting, cuts, self._backend.encode_batch_fast(cuts), strict=True):
                rests = len(encoding.overflowing) if len(encoding) >= self.max_length else 0
                if len(cut) < len(readable[row]) and rests < self._sure_rests:
                    unsure.append(row)
                    continue
                ids[row] = np.array(encoding.ids, dtype=np.int32)
                truncated += rests > 0
            waiting, limit = unsure, limit * 8
        return ids, truncated

    def _cut(self, text: str, limit: int) -> str:
        """`text` up to the last place within `limit` characters where it may be cut; all of it if there is none."""
        if len(text) <= limit or self._place_to_cut is None:
            return text
        fits = self._place_to_cut.match
        return next((text[:place] for place in range(limit, 0, -1) if fits(text, place)), text)


def _readable(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"expected texts of type str, got {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _pad_id(settings: dict[str, Any]) -> int:
    """The id of the padding token; 0 if there is none, which does no harm, for padding is masked."""
    if settings.get("padding"):
        return int(settings["padding"]["pad_id"])
    added = {token["content"]: int(token["id"]) for token in settings.get("added_tokens", [])}
    return next((added[name] for name in ("[PAD]", "<pad>", "<|padding|>", "<|endoftext|>") if name in added), 0)


def _place_to_cut(settings: dict[str, Any]) -> re.Pattern[str] | None:
    """Where this tokenizer always splits; None: nowhere for certain, so texts stay whole."""
    splitter = settings.get("pre_tokenizer") or {}
    parts = splitter.get("pretokenizers", [splitter])
    if not any(_splits_at_spaces(part) for part in parts):
        return None
    normalizer = settings.get("normalizer") or {}
    cleans = normalizer.get("clean_text") and normalizer.get("handle_chinese_chars")
    return AT_SPACES_AND_IDEOGRAPHS if cleans else AT_SPACES


def _splits_at_spaces(part: dict[str, Any]) -> bool:
    return part.get("type") in SPLIT_AT_SPACES and part.get("split", True) and part.get("use_regex", True)
