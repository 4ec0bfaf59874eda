"""A tiny real package, the records of a run around it, and MLflow's servers."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

from place import free_port

from perennial.core.home import Home
from perennial.inference.package import DESCRIPTION, MODEL, TOKENIZER, PackageInfo, render, sha256
from perennial.promotion import conclusion, registration
from perennial.promotion.alias_move import alias_session
from perennial.records.data import CheckedPart, Part, Snapshot, ValidatedData
from perennial.records.decision import Decision, Outcome
from perennial.records.evaluation import Evaluation, Metrics
from perennial.records.package import OnnxPackage
from perennial.records.run import Evidence, RegisteredVersion
from perennial.records.training import TrainedModel
from perennial.registry import tags, tracking
from perennial.registry.ledger import Action
from perennial.settings.pipeline import PipelineSpec

LABELS = ("negative", "neutral", "positive", "very good")
WORDS = ("[PAD]", "[UNK]", "soup", "bread", "excellent", "nobody", "liked")
USER_TEXT = "zanzibar quarterly secret"
ELSEWHERE = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL")
"""Variables that name a registry and a ledger outside of the home."""


@dataclass(frozen=True)
class Run:
    """All that a pipeline run hands to the registry."""

    spec: PipelineSpec
    home: Home
    arguments: dict[str, Any]

    def but(self, **changes: Any) -> "Run":
        return replace(self, arguments=self.arguments | changes)

    def judged(self, outcome: Outcome, against: str | None) -> "Run":
        decision = self.arguments["decision"]
        return self.but(decision=decision.model_copy(update={"outcome": outcome, "champion_version": against}))

    def register(self) -> RegisteredVersion:
        arguments = dict(self.arguments)
        return registration.register(self.spec, arguments.pop("run_key"), Evidence(**arguments), self.home)


def new_home(folder: Path, empty_database: Path) -> Home:
    """A home whose path is no friend of URLs, with a fresh registry."""
    home = Home(folder / "höme 100% #1")
    home.mlflow.mkdir(parents=True)
    (home.mlflow / "mlflow.db").write_bytes(empty_database.read_bytes())
    return home


def new_spec() -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            # The server is the same for all tests.
            "name": f"sentiment-{uuid4().hex[:8]}",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "data/*.jsonl"}, "labels": list(LABELS)},
            "gates": [{"metric": "accuracy", "min": 0.8}, {"metric": "recall", "per": "label", "min": 0.7}],
        }
    )


def make_run(home: Home, spec: PipelineSpec, run_key: str, *, bias: float = 0.0) -> Run:
    """A run whose package differs with `bias`."""
    package = write_package(home, f"export/{run_key}", bias)
    report = home.store.root / "validate" / run_key / "report"
    report.mkdir(parents=True, exist_ok=True)
    (report / "validation.json").write_text('{"rows": 3000}', encoding="utf-8")
    metrics = Metrics(
        n=450,
        values={"accuracy": 0.84, "macro_f1": 0.81},
        per_label={label: {"recall": 0.8} for label in LABELS},
        support=dict.fromkeys(LABELS, 100),
    )
    part = Part(path="ingest/parts/1.parquet", sha256="b" * 64, rows=3000)
    arguments = {
        "run_key": run_key,
        "snapshot": Snapshot(
            pipeline=spec.name, digest="c" * 64, parts=(part,), rows=3000, new_rows=3000, repeated_rows=0, late_rows=0,
            watermark=None,
        ),
        "validated": ValidatedData(
            digest="d" * 64,
            parts=(
                CheckedPart(source=part, path="p", sha256="b" * 64, rows=2999, quarantined=1, quarantine_path=None),
            ),
            rows={"train": 2200, "validation": 300, "test": 450}, label_rows={}, quarantined=1, warnings=(),
            report_path=f"validate/{run_key}/report",
        ),
        "trained": TrainedModel(
            digest="e" * 64, path="finetune/x", base="sentence-transformers/all-MiniLM-L6-v2", base_revision="f" * 64,
            pooling="mean", precision="bf16", epochs=3, best_epoch=2, train_rows=2200,
            validation={"macro_f1": 0.82}, seconds=80,
        ),
        "package": package,
        "evaluation": Evaluation(
            digest="1" * 64, candidate=metrics, champion=None, champion_version=None, champion_problem=None,
            baselines={"tfidf": metrics}, predictions_path="evaluate/x/predictions.parquet",
        ),
        "decision": Decision(
            digest="2" * 64, outcome=Outcome.PROMOTE, reasons=(), checks=(), champion_version=None
        ),
        "seconds": {"finetune": 80.5},
    }  # fmt: skip
    return Run(spec, home, arguments)


def write_package(home: Home, path: str, bias: float) -> OnnxPackage:
    """A package that really answers: the sum of its words' weights, four labels wide."""
    import numpy as np
    from onnx import TensorProto, checker, helper, numpy_helper, save

    folder = home.store.root / path
    folder.mkdir(parents=True)
    weights = np.random.default_rng(0).normal(size=(len(WORDS), len(LABELS))).astype(np.float32) + bias
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["words", "wide"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens"], ["logits"], keepdims=0),
    ]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["r", "t"]) for n in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["r", len(LABELS)])
    constants = {"weights": weights, "last": np.array([2]), "tokens": np.array([1])}
    graph = helper.make_graph(
        nodes, "tiny", inputs, [output], [numpy_helper.from_array(array, name) for name, array in constants.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    save(model, folder / MODEL)
    _write_tokenizer(folder / TOKENIZER)
    files = {name: sha256(folder / name) for name in (MODEL, TOKENIZER)}
    info = PackageInfo(
        kind="text-classification", labels=LABELS, decoding={}, max_length=32, pad_id=0, precision="fp32",
        fallback=None, opset=17, inputs=("input_ids", "attention_mask"), base="tiny", base_revision="0" * 64,
        data_digest="c" * 64, cpu_features=(), graph={}, parity={}, created_with={}, files=files,
    )  # fmt: skip
    content = render(info)
    (folder / DESCRIPTION).write_bytes(content)
    # What the store keeps beside a step's files is no part of the package.
    (folder / "record.json").write_text(json.dumps({"sample": USER_TEXT}), encoding="utf-8")
    return OnnxPackage(
        digest=hashlib.sha256(content).hexdigest(), path=path, precision="int8", fallback=None, size_bytes=22_800_000,
        parity={"max_logit_difference": 0.0001},
    )  # fmt: skip


def _write_tokenizer(file: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(file))


def promoted(run: Run) -> str:
    """The version that the run came to, champion now."""
    version = run.register()
    assert conclusion.promote(run.home, version)
    return version.version


def second(run: Run, against: str | None) -> Run:
    """Another run for the same model, which passed its gates beside the version `against`."""
    return make_run(run.home, run.spec, "b" * 64, bias=1.0).judged(Outcome.PROMOTE, against)


def note_status(home: Home, registered: RegisteredVersion, status: str) -> None:
    """Note, in the ledger and on the version, that its pipeline run ended as `status`."""
    actions = {tags.REJECTED: Action.REJECT, tags.PARKED: Action.PARK}
    with alias_session(home, registered.model) as session:
        session.note(actions.get(status, Action.HOLD), registered.version, "A test.", status=status)
    note_tag(home, registered, tags.STATUS, status)


def note_tag(home: Home, registered: RegisteredVersion, name: str, value: str) -> None:
    """Somebody edits a tag of the version on MLflow's page."""
    with tracking.session(home) as client:
        client.set_model_version_tag(registered.model, registered.version, name, value)


def start(arguments: list[str], port: int, log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """`mlflow ARGUMENTS` on `port` of the loopback, once it answers; it leads a process group of its own."""
    # MLflow looks for uvicorn on the path, where an activated virtual environment would have put it.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    offline = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    settings = os.environ | offline | environment | {"PATH": path}
    command = [sys.executable, "-m", "mlflow", *arguments, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, env=settings)
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return server
        except OSError:
            time.sleep(0.1)
    stop(server)
    raise AssertionError(log.read_text())


@contextmanager
def mlflow_server(folder: Path, empty_database: Path) -> Iterator[str]:
    """The address of a real MLflow server with a database of its own, a copy of `empty_database`, in `folder`."""
    database, port = folder / "server.db", free_port()
    database.write_bytes(empty_database.read_bytes())
    options = ["--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(folder / "files")]
    process = start(["server", *options, "--workers", "1"], port, folder / "log")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


def stop(server: subprocess.Popen[bytes]) -> None:
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def names_of_errors(home: Home, model: str) -> tuple[str | None, str | None]:
    """What MLflow answers to the question for the alias, and to the one for the model; None: no error."""
    from mlflow.exceptions import MlflowException

    def error_of(ask: Callable[[], object]) -> str | None:
        try:
            ask()
        except MlflowException as error:
            return str(error.error_code)
        return None

    with tracking.session(home) as client:
        return (
            error_of(lambda: client.get_model_version_by_alias(model, "champion")),
            error_of(lambda: client.get_registered_model(model)),
        )


@contextmanager
def answering(status: int, body: bytes, kind: str = "text/html", delay: float = 0) -> Iterator[str]:
    """The address of a server that is no MLflow."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            time.sleep(delay)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Retry-After", "600")
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
