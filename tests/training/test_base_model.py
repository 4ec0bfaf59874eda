"""The base model is found where it says it is, is what it claims to be, and otherwise is refused in clear words."""

import json
import shutil
import time
from pathlib import Path

import pytest
import tiny_pipeline

from perennial.core.errors import BaseModelError
from perennial.core.home import Home
from perennial.settings.pipeline import PipelineSpec
from perennial.training import base_model, model
from perennial.training.base_model import BaseModel, Packaged
from perennial.training.encoding import tokenizer

HUB_NAME = "sentence-transformers/all-MiniLM-L6-v2"


def spec(base: Path | str, folder: Path = Path()) -> PipelineSpec:
    return PipelineSpec.model_validate(tiny_pipeline.settings(base)).located(folder)


@pytest.fixture
def own_base(tiny_base: Path, tmp_path: Path) -> Path:
    """A copy of the tiny base that a test may spoil."""
    return Path(shutil.copytree(tiny_base, tmp_path / "base"))


@pytest.fixture
def packaged(own_base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny base as the package `carrier` of this test carries it; its folder."""
    from perennial.core import digest

    place = own_base.parent / "carrier"
    place.mkdir()
    (place / "__init__.py").write_text("")
    folder = own_base.rename(place / "model")
    monkeypatch.syspath_prepend(str(place.parent))
    digests = {"model.safetensors": digest.of_file(folder / "model.safetensors")}
    monkeypatch.setitem(base_model.PACKAGED, "acme/tiny", Packaged("carrier", "model", digests, "carrier"))
    return folder


def test_a_folder_is_found_by_its_path_and_relative_to_the_pipeline(own_base: Path) -> None:
    by_path = base_model.find_base_model(spec(own_base))
    beside = base_model.find_base_model(spec("base", own_base.parent))
    assert by_path.folder == beside.folder == own_base
    assert by_path.revision == beside.revision
    assert by_path.embeds_sentences


def test_the_revision_is_of_the_weights_alone(own_base: Path) -> None:
    before = base_model.find_base_model(spec(own_base)).revision
    (own_base / "README.md").write_text("words")
    assert base_model.find_base_model(spec(own_base)).revision == before
    weights = own_base / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert base_model.find_base_model(spec(own_base)).revision != before


def test_a_base_that_does_not_say_how_it_pools_embeds_no_sentences(own_base: Path) -> None:
    (own_base / "modules.json").unlink()
    assert not base_model.find_base_model(spec(own_base)).embeds_sentences


def test_a_decoder_without_padding_is_refused_before_anything_is_trained(own_base: Path) -> None:
    path = own_base / "config.json"
    settings = {"model_type": "gpt2", "vocab_size": 99, "n_embd": 8, "n_layer": 1, "n_head": 1}
    path.write_text(json.dumps(settings), encoding="utf-8")
    for name in ("modules.json", "1_Pooling"):
        whole = own_base / name
        shutil.rmtree(whole) if whole.is_dir() else whole.unlink(missing_ok=True)
    with pytest.raises(BaseModelError, match=r"is a decoder \(gpt2\) without a padding token") as caught:
        model.build_model(spec(own_base), base_model.find_base_model(spec(own_base)), 3)
    assert "Choose an encoder" in caught.value.remedy
    path.write_text(json.dumps(settings | {"model_type": "funnel"}), encoding="utf-8")
    model._require_padding(spec(own_base), base_model.find_base_model(spec(own_base)))  # an encoder that needs none


@pytest.mark.parametrize("name", ["./absent", "/absent/model", "../x/y/z", "a folder with spaces"])
def test_a_missing_folder_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="there is no folder") as caught:
        base_model.find_base_model(spec(name, tmp_path))
    assert name in caught.value.problem
    assert "config.json" in caught.value.remedy


def test_the_default_needs_no_hub() -> None:
    found = base_model.find_base_model(spec(HUB_NAME))
    assert found.name == HUB_NAME
    assert found.embeds_sentences


def test_a_packaged_model_is_used_when_it_is_the_one_known(packaged: Path) -> None:
    assert base_model.find_base_model(spec("acme/tiny")).folder == packaged


def test_a_tampered_packaged_model_is_refused(packaged: Path) -> None:
    weights = packaged / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BaseModelError, match="is not the file of acme/tiny") as caught:
        base_model.find_base_model(spec("acme/tiny"))
    assert "sha256" in caught.value.problem
    assert "--force-reinstall" in caught.value.remedy


def test_a_packaged_model_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(base_model.PACKAGED, "acme/gone", Packaged("no_such_carrier", "model", {}, "no-such-carrier"))
    with pytest.raises(BaseModelError, match="no-such-carrier, which is not installed"):
        base_model.find_base_model(spec("acme/gone"))


def test_a_hub_name_without_network_fails_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Read once, at the library's import.
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    started = time.monotonic()
    with pytest.raises(BaseModelError, match="could not be fetched from the hub") as caught:
        base_model.find_base_model(spec("nobody/nothing", tmp_path))
    assert time.monotonic() - started < 20
    assert HUB_NAME in caught.value.remedy


def test_pickled_weights_are_refused(own_base: Path) -> None:
    (own_base / "model.safetensors").rename(own_base / "pytorch_model.bin")
    with pytest.raises(BaseModelError, match=r"lacks model\.safetensors") as caught:
        base_model.find_base_model(spec(own_base))
    assert "never" in caught.value.remedy


def test_a_folder_without_config_is_refused(own_base: Path) -> None:
    (own_base / "config.json").unlink()
    with pytest.raises(BaseModelError, match=r"lacks config\.json"):
        base_model.find_base_model(spec(own_base))


def test_the_tokenizer_is_stored_once_without_truncation(tiny_base: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    home, base = Home(tmp_path), base_model.find_base_model(spec(tiny_base))
    stored = tokenizer.prepare_tokenizer(base, home)
    assert tokenizer.prepare_tokenizer(base, home) == stored
    backend = Tokenizer.from_file(str(home.store.root / stored.path))
    assert backend.truncation is None
    assert backend.padding is None
    assert len(backend.encode("profit " * 900).ids) == 902


@pytest.mark.parametrize("damage", ["missing", "broken"])
def test_a_base_without_a_usable_tokenizer_is_refused(damage: str, own_base: Path, tmp_path: Path) -> None:
    if damage == "missing":
        (own_base / "tokenizer.json").unlink()
        (own_base / "tokenizer_config.json").unlink()
    else:
        (own_base / "tokenizer.json").write_text("{}")
    base = BaseModel("base", own_base, "0" * 64)
    with pytest.raises(BaseModelError, match="no tokenizer that can be used") as caught:
        tokenizer.prepare_tokenizer(base, Home(tmp_path / "home"))
    assert "tokenizer.json" in caught.value.remedy
