"""Fixtures that more than one folder of tests needs."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import garbage
import pytest
import tiers
import tiny_pipeline
from channels import Webhook, webhook
from hypothesis import settings
from tiny_model import TINY_LABELS, tiny_spec, tiny_texts, write_tiny_model

from perennial.core.home import Home
from perennial.records.package import OnnxPackage
from perennial.records.training import TrainedModel

pytest.register_assert_rewrite("place")
pytest_plugins = ["place_fixtures", "postgres_fixtures"]

# Set before torch is imported: a tiny model gains nothing from threads, and tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Machines differ in speed, and tests leave nothing behind: no deadline for an example, no store of those that failed.
# `make soak` takes the second profile. A test that wants more or fewer examples asks for a multiple of the profile's.
settings.register_profile("perennial", deadline=None, database=None, max_examples=20)
settings.register_profile("soak", settings.get_profile("perennial"), max_examples=30)
settings.load_profile("perennial")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    tiers.keep(config, items)
    yield
    tiers.begin_with_long(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    garbage.keep_what_is_loaded()


def pytest_sessionfinish(session: pytest.Session) -> None:
    gc.unfreeze()


@pytest.fixture(scope="session")
def _tiny_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, TrainedModel]:
    home = Home(tmp_path_factory.mktemp("tiny-home"))
    return home, write_tiny_model(home.store.root / "finetune" / "tiny")


@pytest.fixture
def tiny_home(_tiny_home: tuple[Home, TrainedModel], tmp_path: Path) -> tuple[Home, TrainedModel]:
    """A home of the test's own whose store holds the tiny trained model, and that model's record."""
    home = Home(tmp_path / "home")
    shutil.copytree(_tiny_home[0].root, home.root)
    return home, _tiny_home[1]


@pytest.fixture(scope="session")
def _tiny_package(_tiny_home: tuple[Home, TrainedModel]) -> tuple[Path, OnnxPackage]:
    from perennial.export.onnx_package import export

    home, model = _tiny_home
    texts = tiny_texts(64)
    packed = export(tiny_spec(), model, texts, [TINY_LABELS[0]] * len(texts), home, data_digest="d" * 64)
    return home.store.root / packed.path, packed


@pytest.fixture
def tiny_package(_tiny_package: tuple[Path, OnnxPackage], tmp_path: Path) -> Path:
    """A folder of the test's own with the tiny model's fp32 package."""
    return Path(shutil.copytree(_tiny_package[0], tmp_path / "package"))


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real pretrained-like base model: a tiny BERT that says it embeds sentences. Read only."""
    return tiny_pipeline.write_base(tmp_path_factory.mktemp("base") / "tiny-bert")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database as it is after the set-up, which takes seconds."""
    from perennial.registry import tracking

    home = Home(tmp_path_factory.mktemp("empty"))
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("MLFLOW_TRACKING_URI", raising=False)
        environment.delenv("MLFLOW_REGISTRY_URI", raising=False)
        tracking.check_mlflow(home)
    return home.mlflow / "mlflow.db"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook whose address is in TEAM_URL."""
    with webhook() as made:
        monkeypatch.setenv("TEAM_URL", made.url)
        yield made
