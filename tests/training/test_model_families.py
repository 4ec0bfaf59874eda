"""What the table of model families says is so of transformers' models, and one record adds a family."""

import ast
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_pipeline
import torch
import toy_family
from good_rows import checked
from training_helpers import prepare

from perennial.core import model_families
from perennial.core.model_families import FAMILIES, UNLISTED, ModelFamily, TokenizerFamily, family_named
from perennial.export.onnx_package import export
from perennial.inference.predictor import Predictor
from perennial.inference.tokenization import Tokenizer
from perennial.pipeline_file import loader
from perennial.training import base_model, model, param_groups, warm_start
from perennial.validation.read_rows import read_split

REPOSITORY = Path(__file__).parents[2]
SIZES = {"vocab_size": 30, "max_position_embeddings": 20, "pad_token_id": 1}
USUAL = {"num_hidden_layers": 3, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
DISTIL = {"n_layers": 3, "n_heads": 2, "dim": 16, "hidden_dim": 32}


def config_of(name: str) -> Any:
    from transformers import AutoConfig

    return AutoConfig.for_model(name, **SIZES, **(DISTIL if name == "distilbert" else USUAL))


@pytest.fixture(params=sorted(FAMILIES))
def listed(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_configuration_says_what_the_table_reads_in_it(listed: str, tmp_path: Path) -> None:
    config_of(listed).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == listed
    family = family_named(listed)
    assert family.layer_count(config) == 3
    assert family.heads_and_width(config) == (2, 16)
    assert family.longest_text(config) == (18 if family.positions_behind_padding else 20)


# ModernBERT's positions are rotations, which go on without end.
@pytest.mark.parametrize("listed", sorted(FAMILIES.keys() - {"modernbert"}))
def test_the_longest_text_is_read_and_no_longer_one(listed: str) -> None:
    from transformers import AutoModel

    family, network = family_named(listed), AutoModel.from_config(config_of(listed))
    longest = family.longest_text(config_of(listed).to_dict())
    assert longest is not None
    ids = torch.full((1, longest + 1), 5)
    with torch.inference_mode():
        assert network(ids[:, 1:]).last_hidden_state.shape == (1, longest, 16)
        with pytest.raises((IndexError, RuntimeError)):
            network(ids)


def test_weights_are_called_as_the_table_says(listed: str) -> None:
    from transformers import AutoModel, AutoModelForSequenceClassification

    family = family_named(listed)
    classifier = AutoModelForSequenceClassification.from_config(config_of(listed))
    prefix = f"{classifier.base_model_prefix}."
    network = model.OwnHead(classifier)
    for name, _ in network.named_parameters():
        assert model.is_head(name, family) == (not name.removeprefix("classifier.").startswith(prefix)), name
        # A family narrows the names by which others are read; it changes nothing.
        assert model.is_head(name, UNLISTED) == model.is_head(name, family), name
        assert family.layer_number(name) == UNLISTED.layer_number(name), name
    encoder = AutoModel.from_config(config_of(listed))
    numbers = {family.layer_number(name) for name, _ in encoder.named_parameters()}
    assert numbers == {None, 0, 1, 2}
    model.freeze(network, embeddings=True, layers=0)
    assert not classifier.get_input_embeddings().weight.requires_grad


def test_each_way_of_a_listed_family_is_a_way_of_the_others_too() -> None:
    """A package names no family: what is known of tokenizers holds for whichever model they come with."""
    assert set(model_families.tokenizer_families()) == set(UNLISTED.tokenizers)
    assert list(model_families.padding_tokens()) == list(UNLISTED.padding_tokens)


def test_a_model_of_no_family_is_read_by_the_names_that_most_use() -> None:
    family = family_named("nobody-knows")
    assert family is family_named(None) is UNLISTED
    assert family.longest_text({"max_position_embeddings": 8, "pad_token_id": 3}) == 8
    assert family.longest_text({"max_position_embeddings": 8, "position_biased_input": False}) is None
    assert family.longest_text({"max_position_embeddings": "8"}) is family.longest_text({}) is None
    assert family.layer_count({"num_layers": 6}) == 6
    assert family.layer_count({"n_layer": 6}) is None
    assert family.heads_and_width({"n_heads": 4, "dim": 8}) == (4, 8)
    assert family.heads_and_width({"hidden_size": 4}) == (0, 0)
    assert family.layer_number("encoder.block.7.layer.1.w") == 7
    assert family.in_layer("encoder.block.7.layer.1.w", 2) == "encoder.block.2.layer.1.w"
    assert family.layer_number("encoder.layer.norm") is None


@pytest.fixture
def tower(monkeypatch: pytest.MonkeyPatch) -> ModelFamily:
    """A family added by its record, and by nothing else."""
    toy_family.register()
    monkeypatch.setitem(FAMILIES, toy_family.NAME, toy_family.RECORD)
    return toy_family.RECORD


@pytest.mark.usefixtures("tower")
def test_one_record_adds_a_family_from_its_texts_to_its_package(tmp_path: Path) -> None:
    """Encoded, fine-tuned, distilled, exported and asked: each step reads the record where it asks for the family."""
    base = toy_family.write_base(tmp_path / "base")
    student = {"layers": 2, "epochs": 1}
    tiny_pipeline.write_pipeline(tmp_path / "tiny", base, export__student=student, training__freeze_layers=1)
    made = prepare(tmp_path)
    teacher = made.train()
    taught = made.distil(teacher)
    assert teacher.validation["accuracy"] > 0.5
    assert taught.distillation is not None
    assert (taught.distillation.layers, taught.distillation.teacher_layers) == (2, 4)
    assert json.loads((made.root / taught.path / "config.json").read_text())["paints"] == ["red", "white"]

    rows = read_split(checked(made.snapshot), made.home.store, "validation", ["text", "label"])
    texts, labels = rows["text"].to_pylist(), rows["label"].to_pylist()
    packed = export(made.spec, taught, texts, labels, made.home, data_digest="d" * 64)
    predictor = Predictor(made.root / packed.path)
    assert predictor.package.pad_id == 2
    alone = [predictor.predict([text])[0]["label"] for text in texts[:20]]
    padded = [answer["label"] for answer in predictor.predict(texts[:20], width=24)]
    assert alone == padded


def test_what_is_trained_is_told_by_the_record(tower: ModelFamily, tmp_path: Path) -> None:
    folder = toy_family.write_base(tmp_path / "base", sentences=False)
    tiny_pipeline.write_pipeline(tmp_path / "tiny", folder, training__dropout=0.25, training__encoder_dropout=0.0)
    spec = loader.read_pipeline(tmp_path / "tiny" / "pipeline.yaml")
    base = base_model.find_base_model(spec)
    assert (base.longest, base.layers) == (40 - 2 - 1, 4)
    network = model.build_model(spec, base, 3)
    assert isinstance(network, model.OwnHead)
    config = model.pretrained_part(network).config
    assert (config.roof_leak, config.leak, config.draught) == (0.25, 0.0, 0.0)
    assert model.width(network) == model.width_of(base) == 32
    own = {name for name, _ in network.named_parameters()} - warm_start.encoder_names(network)
    assert own == {"classifier.roof.weight", "classifier.roof.bias"}
    training = spec.training.model_copy(update={"layer_decay": 0.5})
    groups = param_groups.parameter_groups(network, training, 1e-3, ())
    # The cellar, each of four storeys, and the roof.
    assert len({group["lr"] for group in groups}) == 6
    model.freeze(network, embeddings=True, layers=3)
    frozen = {name.split(".")[2] for name, weights in network.named_parameters() if not weights.requires_grad}
    assert frozen == {"cellar", "tower"}
    assert tower.layer_number("classifier.house.tower.3.mix.weight") == 3


def test_without_its_record_the_family_is_not_known(tmp_path: Path) -> None:
    toy_family.register()
    folder = toy_family.write_base(tmp_path / "base")
    base = base_model.BaseModel("toy", folder, "0" * 64)
    assert (base.longest, base.layers) == (None, None)
    assert Tokenizer(_tokenizer_of(folder), 8).pad_id == 0


@pytest.mark.usefixtures("tower")
def test_a_long_text_is_cut_where_the_familys_tokenizer_splits(tmp_path: Path) -> None:
    file = _tokenizer_of(toy_family.write_base(tmp_path / "base"))
    text = "profit " * 100_000
    (ids,), truncated = Tokenizer(file, 16).encode([text])
    from tokenizers import Tokenizer as Backend

    assert truncated == 1
    assert np.array_equal(ids, Backend.from_file(str(file)).encode(text[:700]).ids[:16])


def _tokenizer_of(folder: Path) -> Path:
    """Its tokenizer.json, which does not say how it pads."""
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["padding"] = None
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def names_in(record: ModelFamily | TokenizerFamily) -> Iterator[str]:
    """The names of a record that stand for nothing else."""
    for field in fields(record):
        value = getattr(record, field.name)
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, TokenizerFamily):
                yield from names_in(each)
            elif isinstance(each, str) and ("_" in each or not each.islower()) and each:
                yield each


def test_no_other_file_knows_a_name_that_the_table_knows() -> None:
    names = {*FAMILIES, *(name for family in (UNLISTED, *FAMILIES.values()) for name in names_in(family))}
    assert {"roberta", "hidden_size", "BertPreTokenizer", "[PAD]", "layer_types"} <= names
    table = Path(model_families.__file__)
    elsewhere = [
        f"{path.relative_to(REPOSITORY)}: {node.value}"
        for path in sorted((REPOSITORY / "perennial").rglob("*.py"))
        if path != table
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert elsewhere == []
