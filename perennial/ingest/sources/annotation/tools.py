"""The annotation tools whose exports are read, by the names that data.source.format has for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from perennial.ingest.sources.annotation.formats import (
    argilla,
    brat,
    conll,
    docbin,
    doccano,
    fasttext,
    label_studio,
    label_studio_rows,
    perennial,
    potato,
    prodigy,
    spacy_json,
)
from perennial.ingest.sources.annotation.reading import Reader
from perennial.rows.text_views import CHARACTERS, RENDERED, UTF16


@dataclass(frozen=True)
class Tool:
    """An annotation tool, or a format that several write."""

    name: str
    """As data.source.format has it."""
    title: str
    """As people call it."""
    offsets: str = CHARACTERS
    """What its offsets count where nothing in the file tells."""


@dataclass(frozen=True)
class Form:
    """A form in which a tool exports."""

    tool: Tool
    reader: Reader


LABEL_STUDIO = Tool("label-studio", "Label Studio")
DOCCANO = Tool("doccano", "doccano", UTF16)
PRODIGY = Tool("prodigy", "Prodigy")
ARGILLA = Tool("argilla", "Argilla")
POTATO = Tool("potato", "potato", RENDERED)
SPACY = Tool("spacy", "spaCy")
CONLL = Tool("conll", "CoNLL")
CONLLU = Tool("conllu", "CoNLL-U")
BRAT = Tool("brat", "brat")
FASTTEXT = Tool("fasttext", "fastText")
PERENNIAL = Tool("perennial", "perennial label")

FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "label-studio-json": Form(LABEL_STUDIO, label_studio.label_studio),
        "label-studio-min": Form(LABEL_STUDIO, label_studio_rows.label_studio_min),
        "label-studio-csv": Form(LABEL_STUDIO, label_studio_rows.label_studio_csv),
        "doccano-json": Form(DOCCANO, doccano.doccano),
        "doccano-csv": Form(DOCCANO, doccano.doccano_csv),
        "prodigy": Form(PRODIGY, prodigy.prodigy),
        "argilla": Form(ARGILLA, argilla.argilla),
        "potato-json": Form(POTATO, potato.potato),
        "potato-csv": Form(POTATO, potato.potato_csv),
        "potato-parquet": Form(POTATO, potato.potato_parquet),
        "spacy-json": Form(SPACY, spacy_json.spacy_json),
        "docbin": Form(SPACY, docbin.docbin),
        "conll": Form(CONLL, conll.conll),
        "conllu": Form(CONLLU, conll.conllu),
        "brat": Form(BRAT, brat.brat),
        "fasttext": Form(FASTTEXT, fasttext.fasttext),
        "perennial": Form(PERENNIAL, perennial.perennial),
    }
)
TOOLS: Mapping[str, Tool] = MappingProxyType({form.tool.name: form.tool for form in FORMS.values()})
UNTOLD: Mapping[str, str] = MappingProxyType(
    {name: name for name in ("prodigy", "argilla", "conll", "conllu", "brat", "fasttext", "perennial")}
)
"""The form of each tool that has only one: what is said to be of it is read so, whatever it looks like."""
