"""The base model's tokenizer as one tokenizer.json: what encodes training rows, is packed, and serves."""

from pathlib import Path

from perennial.core import digest, telemetry
from perennial.core.errors import BaseModelError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.training.base_model import BaseModel

STEP = "tokenizer"
FILE = "tokenizer.json"
VOCABULARIES = ("tokenizer.json", "vocab*", "*.model", "*.tiktoken")


class StoredTokenizer(Record):
    """A tokenizer in the store."""

    path: str
    sha256: str


def prepare_tokenizer(base: BaseModel, home: Home) -> StoredTokenizer:
    """The fast tokenizer of `base`, converted from a slow one where need be.

    Raises BaseModelError if it has none that the `tokenizers` library can run: the serving side has no other.
    """
    files = {path.name: digest.of_file(path) for path in sorted(base.folder.glob("*token*")) if path.is_file()}
    files |= {path.name: digest.of_file(path) for path in sorted(base.folder.glob("vocab*"))}
    key = digest.of_values(files=files, base=base.revision)

    def make(folder: Path) -> StoredTokenizer:
        _write(base, folder / FILE)
        path = home.store.folder(STEP, key) / FILE
        return StoredTokenizer(path=home.store.relative(path), sha256=digest.of_file(folder / FILE))

    return home.store.get_or_make(STEP, key, StoredTokenizer, make)


def _write(base: BaseModel, path: Path) -> None:
    telemetry.off()
    from transformers import AutoTokenizer

    # Without any of these, transformers makes up a tokenizer that knows no word.
    if not any(file for name in VOCABULARIES for file in base.folder.glob(name)):
        raise _unusable(base, "there is no tokenizer.json and no vocabulary")
    try:
        tokenizer = AutoTokenizer.from_pretrained(base.folder, use_fast=True, local_files_only=True)
        backend = tokenizer.backend_tokenizer
    except Exception as error:  # transformers and tokenizers raise nearly anything for a broken file
        raise _unusable(base, type(error).__name__) from error
    backend.no_truncation()
    backend.no_padding()
    backend.save(str(path))


def _unusable(base: BaseModel, reason: str) -> BaseModelError:
    return BaseModelError(
        f"The base model in {base.folder} has no tokenizer that can be used ({reason}).",
        remedy="It needs a tokenizer.json, or files from which transformers can make a fast tokenizer.",
    )
