"""A package that differs by a byte from what was exported is refused, and the message says which file."""

import json
from pathlib import Path

import pytest

from perennial.core.errors import PackageError
from perennial.inference import package
from perennial.inference.predictor import Predictor


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_whole_package_says_what_it_is(tiny_package: Path) -> None:
    info = package.read_package(tiny_package)
    assert (info.kind, info.precision, info.fallback, info.opset) == ("text-classification", "fp32", None, 17)
    assert set(info.files) == {"model.onnx", "tokenizer.json"}
    assert info.digest == package.sha256(tiny_package / "package.json")


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "package.json"])
def test_one_changed_byte_is_refused(tiny_package: Path, name: str) -> None:
    flip_a_byte(tiny_package / name)
    with pytest.raises(PackageError) as caught:
        Predictor(tiny_package)
    assert name in caught.value.problem
    assert "export" in caught.value.remedy


def test_a_changed_label_is_refused(tiny_package: Path) -> None:
    path = tiny_package / "package.json"
    path.write_text(path.read_text().replace('"neutral"', '"neutrel"'))
    with pytest.raises(PackageError, match="does not match its own seal"):
        Predictor(tiny_package)


def test_even_white_space_is_noticed(tiny_package: Path) -> None:
    path = tiny_package / "package.json"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(PackageError, match="changed since it was exported"):
        package.read_package(tiny_package)


@pytest.mark.parametrize("content", ["", "[]", "null", "{", '{"format": 1}', "\ufeff{}"])
def test_nonsense_is_refused(tiny_package: Path, content: str) -> None:
    (tiny_package / "package.json").write_text(content)
    with pytest.raises(PackageError, match=r"package\.json"):
        package.read_package(tiny_package)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(tiny_package: Path, name: str) -> None:
    (tiny_package / name).unlink()
    with pytest.raises(PackageError, match=f"{name} is missing"):
        Predictor(tiny_package)


def test_a_folder_without_a_package_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(PackageError, match=r"There is no package in .*model\.onnx, tokenizer\.json and package\.json"):
        Predictor(tmp_path / "nowhere")


def reseal(folder: Path, **changes: object) -> None:
    content = json.loads((folder / "package.json").read_bytes())
    del content["seal"]
    (folder / "package.json").write_bytes(package._sealed(content | changes))


def test_a_newer_format_asks_for_an_update(tiny_package: Path) -> None:
    reseal(tiny_package, format=3)
    with pytest.raises(PackageError, match=r"has format 3; this version of perennial reads 1 and 2\. Update perennial"):
        package.read_package(tiny_package)


def test_unknown_fields_are_refused(tiny_package: Path) -> None:
    reseal(tiny_package, surprise=1)
    with pytest.raises(PackageError, match="does not describe a package"):
        package.read_package(tiny_package)


def test_files_elsewhere_are_not_read(tiny_package: Path) -> None:
    files = package.read_package(tiny_package).files
    reseal(tiny_package, files={**files, "../outside": "0" * 64})
    with pytest.raises(PackageError, match=r"names files outside its folder: \.\./outside"):
        package.read_package(tiny_package)


def test_another_whole_package_is_not_the_one_expected(tiny_package: Path) -> None:
    assert Predictor(tiny_package, digest=package.read_package(tiny_package).digest)
    with pytest.raises(PackageError, match="expected abcabcabcabc"):
        Predictor(tiny_package, digest="abc" * 20)
