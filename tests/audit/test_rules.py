"""Rule files: complete, and wrong ones are named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vfscreen.audit.mentions import ReportReader
from vfscreen.audit.rules import languages, load_rules
from vfscreen.errors import SettingsError


def shipped(language: str) -> dict[str, object]:
    import vfscreen.audit

    return yaml.safe_load((Path(vfscreen.audit.__file__).parent / "rules" / f"{language}.yaml").read_text())


@pytest.mark.parametrize("language", languages())
def test_every_language_can_be_read_and_is_named_by_its_content(language: str) -> None:
    rules = load_rules(language)
    ReportReader(rules)  # every phrase compiles
    assert rules.release.startswith(f"{language}-{rules.version}-")


def test_a_sites_own_file_is_one_more_language(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    content = shipped("en")
    path.write_text(yaml.safe_dump(content))
    assert load_rules(str(path)).release != load_rules("en").release  # other bytes
    assert ReportReader(load_rules(str(path))).read("Wedge fracture of L1.")[0].levels == ("L1",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": {"fracture": ["x"]}}, "targets: .* missing"),
        ({"surprise": 1}, "surprise"),
        ({"lists": {"a": {"words": ["x"], "excluded": ["y"]}}}, "give words, or excluded"),
    ],
)
def test_a_wrong_file_is_refused_and_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump({**shipped("en"), **change}))
    with pytest.raises(SettingsError, match=message):
        load_rules(str(path))


@pytest.mark.parametrize("phrase", ["<nowhere> fracture", "fracture<of", "a{2"])
def test_a_phrase_that_cannot_be_read_is_named(tmp_path: Path, phrase: str) -> None:
    content = shipped("en")
    content["targets"]["fracture"].append(phrase)
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(SettingsError, match="phrase"):
        ReportReader(load_rules(str(path)))


def test_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="de, en"):
        load_rules("klingon")
