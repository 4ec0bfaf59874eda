"""Live texts answered: by the champion of the pipeline, and where configured by those of topics and entities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from perennial import kinds
from perennial.core import progress
from perennial.core.errors import PerennialError, SpecError
from perennial.core.home import Home
from perennial.records.package import Champion
from perennial.registry import versions
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    from perennial.inference.predictor import Predictor

Values = Sequence[Sequence[str] | None]
"""What a model says of each text; None: it could not be asked."""


@dataclass(frozen=True)
class AnsweredTexts:
    """What the models say of some texts; a value a text."""

    labels: Sequence[str]
    score: Sequence[float]
    scores: Sequence[Sequence[float]]
    """Of each label, in the package's order."""
    topics: Values
    entities: Values


class LiveAnswerer(Protocol):
    """What answers live texts."""

    @property
    def version(self) -> str:
        """The version that does."""

    def answered(self, texts: Sequence[str]) -> AnsweredTexts:
        """What it says of them. Raises PackageError when its model fails."""


class ChampionAnswerer:
    """The champions, loaded. Safe to be used by another thread than the one that made it."""

    def __init__(
        self, version: str, champion: Predictor, topics: Predictor | None = None, entities: Predictor | None = None
    ) -> None:
        self._version, self._champion = version, champion
        self._topics, self._entities = topics, entities

    @property
    def version(self) -> str:
        """The champion's version."""
        return self._version

    @property
    def labels(self) -> tuple[str, ...]:
        """The champion's labels, in the order of `scores`."""
        return tuple(self._champion.package.labels)

    def answered(self, texts: Sequence[str]) -> AnsweredTexts:
        """What the champions say. One of topics or entities that fails is said, and what it would say is None.

        The more texts at once, the better they are sorted by length: a few thousand are as fast as any number.
        """
        answers = self._champion.predict(texts)
        return AnsweredTexts(
            [answer["label"] for answer in answers],
            [answer["score"] for answer in answers],
            [list(answer["scores"].values()) for answer in answers],
            _asked(self._topics, texts, "topics", topics_in),
            _asked(self._entities, texts, "entities", entities_in),
        )


def load_champions(spec: PipelineSpec, home: Home) -> ChampionAnswerer:
    """The champion of the pipeline, and those of monitor.topics and monitor.entities.

    One of the latter that can't be had is said, and left out. Raises SpecError where the pipeline is of a kind that
    can't be monitored, RegistryError where there is no champion, PackageError where it can't be run.
    """
    monitor = spec.live_stream()
    if kinds.kind_named(spec.kind).asks != "label":
        raise SpecError(
            f"{spec.name} is of the kind {spec.kind}; live texts are watched by one label each, which only "
            f"{_of_kinds('label')} gives.",
            remedy=f"Monitor a pipeline of that kind; one of {_of_kinds('labels')} can be its monitor.topics, one of "
            f"{_of_kinds('spans')} its monitor.entities.",
        )
    champion, package = _loaded(home, spec.name)
    if champion.cpu_doubt:
        progress.note(champion.cpu_doubt)
    topics = _loaded_if_there(home, monitor.topics, "topics", ("label", "labels"))
    entities = _loaded_if_there(home, monitor.entities, "entities", ("spans",))
    return ChampionAnswerer(package.version, champion, topics, entities)


def _of_kinds(*asked: str) -> str:
    return " or ".join(name for name in kinds.names() if kinds.kind_named(name).asks in asked)


def topics_in(answer: Mapping[str, Any]) -> list[str]:
    """The topics of one answer."""
    return [answer["label"]] if "label" in answer else list(answer["labels"])


def entities_in(answer: Mapping[str, Any]) -> list[str]:
    """The entities of one answer, as written, each once, in the order of the text."""
    return list(dict.fromkeys(span["text"] for span in answer["spans"]))


def _loaded(home: Home, model: str) -> tuple[Predictor, Champion]:
    from perennial.inference.predictor import Predictor

    package = versions.package(home, model, can_name=False)
    return Predictor(home.store.root / package.path, digest=package.package_digest), package


def _loaded_if_there(home: Home, model: str | None, role: str, wanted: Sequence[str]) -> Predictor | None:
    if model is None:
        return None
    try:
        predictor, _ = _loaded(home, model)
    except PerennialError as error:
        progress.note(f"No {role} are given to texts, as monitor.{role} can't be asked: {error}")
        return None
    kind = predictor.package.kind
    if kinds.kind_named(kind).asks not in wanted:
        progress.note(
            f"No {role} are given to texts, as monitor.{role} names {model}, which is of the kind {kind}; "
            f"{_of_kinds(*wanted)} was expected."
        )
        return None
    return predictor


def _asked(
    predictor: Predictor | None, texts: Sequence[str], role: str, value: Callable[[Mapping[str, Any]], list[str]]
) -> Values:
    if predictor is None:
        return [None] * len(texts)
    try:
        return [value(answer) for answer in predictor.predict(texts)]
    except PerennialError as error:
        progress.note(f"Some texts have no {role}, as the model of monitor.{role} failed: {error}")
        return [None] * len(texts)
