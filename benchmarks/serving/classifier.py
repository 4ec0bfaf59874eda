"""The champion as a plain transformers classifier, which other servers can load."""

import json
from pathlib import Path

from perennial.core.home import Home


def write_classifier(home: Home, folder: Path) -> None:
    """A folder with config, weights and tokenizer of a classifier whose encoder is the home's latest trained one.

    transformers' classifiers read the first token and Perennial's the mean of all, so the answers are others; how much
    there is to compute is the same.
    """
    import torch
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForSequenceClassification

    trained = max((home.store.root / "finetune").glob("*/model.safetensors"), key=lambda file: file.stat().st_mtime)
    labels = ("negative", "neutral", "positive")
    named = {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(AutoConfig.from_pretrained(trained.parent, **named))
    weights = load_file(trained)
    encoder = {name.removeprefix("encoder."): weight for name, weight in weights.items() if name.startswith("encoder.")}
    unknown = model.base_model.load_state_dict(encoder, strict=False).unexpected_keys
    assert not unknown, unknown
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_bytes((trained.parent / "tokenizer.json").read_bytes())
    # By hand: what transformers 5 writes names a class that 4 doesn't know, with which infinity comes.
    tokens = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]"}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 128, **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def write_flavour(classifier: Path, folder: Path) -> None:
    """The classifier in `classifier` as a model of MLflow's transformers flavour in `folder`."""
    import mlflow
    from mlflow.models import infer_signature
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    parts = {
        "model": AutoModelForSequenceClassification.from_pretrained(classifier),
        "tokenizer": AutoTokenizer.from_pretrained(classifier),
    }
    signature = infer_signature(["a text"], [{"label": "neutral", "score": 0.5}])
    mlflow.transformers.save_model(
        pipeline("text-classification", **parts), folder, signature=signature, pip_requirements=["transformers"]
    )
