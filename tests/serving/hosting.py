"""The server's interface over real HTTP, in this process, of packages that need no registry."""

import dataclasses
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from registry_helpers import LABELS, WORDS, write_package

from perennial.core.home import Home
from perennial.inference.package import DESCRIPTION, MODEL, TOKENIZER, PackageInfo, read_package, render, sha256
from perennial.inference.predictor import Predictor
from perennial.inference.sharing.pool import GraphPool
from perennial.serving.app import make_app
from perennial.serving.current import CurrentVersion, LoadedVersion
from perennial.serving.host import Host, HostedModel
from perennial.serving.metrics import ServingMetrics
from perennial.settings.serving import ServingSpec

KINDS = ("text-classification", "text-pair", "multi-label", "token-classification", "regression")


@contextmanager
def hosting(predictors: Mapping[str, Predictor], **settings: int) -> Iterator[str]:
    """The address of a server of models by name."""
    with serving_of(make_host(predictors, **settings)) as address:
        yield address


@contextmanager
def serving_of(host: Host) -> Iterator[str]:
    """The address of a server of `host`."""
    server = uvicorn.Server(uvicorn.Config(make_app(host), port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def make_host(predictors: Mapping[str, Predictor], **settings: int) -> Host:
    """Models by name, each with version 1."""
    models: list[HostedModel] = []
    for name, predictor in predictors.items():
        current = CurrentVersion()
        current.served = LoadedVersion(name, "1", predictor)
        figures = ServingMetrics(name, models[0].figures if models else None)
        models.append(HostedModel(name, current, figures, {}))
    return Host(models, ServingSpec.model_validate(settings))


def tiny_predictor(folder: Path, kind: str, bias: float = 0.1, pool: GraphPool | None = None) -> Predictor:
    """Of the tiny package, called one of that kind."""
    home = Home(folder)
    package = home.store.root / write_package(home, "tiny", bias).path
    if kind == "token-classification":
        write_tagger(package / MODEL)
    info = read_package(package) if kind != "token-classification" else description(package)
    labels = LABELS[:1] if kind == "regression" else LABELS
    files_now = {name: sha256(package / name) for name in (MODEL, TOKENIZER)}
    (package / DESCRIPTION).write_bytes(render(dataclasses.replace(info, kind=kind, labels=labels, files=files_now)))
    return Predictor(package, pool=pool)


def description(package: Path) -> PackageInfo:
    """What package.json says, though the model is another one by now."""
    content = json.loads((package / DESCRIPTION).read_text())
    fields = {field.name for field in dataclasses.fields(PackageInfo)} & set(content)
    return PackageInfo(**{name: content[name] for name in fields})


def write_tagger(file: Path) -> None:
    """A model that answers each token: the weights of its word, one output for O and two a label."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper, save

    width = 1 + 2 * len(LABELS)
    weights = np.random.default_rng(0).normal(size=(len(WORDS), width)).astype(np.float32)
    node = helper.make_node("Gather", ["weights", "input_ids"], ["logits"])
    names = ("input_ids", "attention_mask")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["r", "t"]) for name in names]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["r", "t", width])
    graph = helper.make_graph([node], "tagger", inputs, [output], [numpy_helper.from_array(weights, "weights")])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), file)
