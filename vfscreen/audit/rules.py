"""A language's rules for reading reports: which words name a fracture, which turn it down, where sections begin.

Belongs here: the form of a rule file and loading it. Does not belong here: the words themselves (rules/*.yaml), what is
done with them. A further language is one more file; `load_rules` also takes the path of a site's own.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vfscreen.errors import SettingsError

Property = Literal["negated", "hedged", "historical", "recent", "question", "other_person"]
PROPERTIES: tuple[Property, ...] = ("negated", "hedged", "historical", "recent", "question", "other_person")

Target = Literal["fracture", "fracture_if_spinal", "sign", "fracture_if_negated", "intact", "treated", "distractor"]

SectionKind = Literal["question", "comparison", "report"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WordList(_Strict):
    """Words that may stand in one place of a phrase: those in `words`, or any but those in `excluded`."""

    words: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _plain_list(cls, value: object) -> object:
        return {"words": value} if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_of_them(self) -> WordList:
        if bool(self.words) == bool(self.excluded):
            raise ValueError("give words, or excluded")
        return self


class Modifier(_Strict):
    """Phrases that give a mention a property (ConText; Harkema et al., J Biomed Inform 2009).

    preceding, following: phrases before and after the mention. pseudo: phrases that hold one of them and mean something
    else. termination: what ends their reach, besides the rule file's `termination`. reach_tokens: how far they reach;
    null is the whole sentence.
    """

    preceding: tuple[str, ...] = ()
    following: tuple[str, ...] = ()
    pseudo: tuple[str, ...] = ()
    termination: tuple[str, ...] = ()
    reach_tokens: int | None = Field(None, ge=0)


class Spelling(_Strict):
    """words: corrected to when nearly so. left_alone: look like one of them and are something else."""

    words: tuple[str, ...]
    left_alone: tuple[str, ...] = ()


class LevelRules(_Strict):
    """How levels are written. prefixes: region letter (C, T, L) -> what stands before the number ("T", "Th", "D").

    through, and_: words between levels. ordinals: word -> number ("first lumbar vertebra"). regions: region letter ->
    words after an ordinal. not_after, not_before: what says that a number or "T2" is no level (disc, weighted, mm).
    """

    prefixes: dict[Literal["C", "T", "L"], tuple[str, ...]]
    through: tuple[str, ...]
    and_: tuple[str, ...]
    ordinals: dict[str, int] = Field(default_factory=dict)
    regions: dict[Literal["C", "T", "L"], tuple[str, ...]]
    followed_by_no_level: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


class Rules(_Strict):
    """A rule file. `release` names it with a hash of its content; it is part of an audit's identity."""

    language: str
    version: int = Field(ge=1)
    release: str = ""
    abbreviations: tuple[str, ...] = Field(description="A full stop after one of them ends no sentence.")
    sections: dict[SectionKind, tuple[str, ...]]
    spinal_words: tuple[str, ...] = Field(description="Words that make a bare 'fracture' one of the spine.")
    lists: dict[str, WordList]
    targets: dict[Target, tuple[str, ...]]
    modifiers: dict[Property, Modifier]
    termination: tuple[str, ...]
    levels: LevelRules
    spelling: Spelling
    severity: dict[str, int] = Field(description="Word -> Genant grade that it stands for (mild 1 ...).")
    shapes: dict[str, Literal["wedge", "biconcave", "crush"]]

    @model_validator(mode="after")
    def _complete(self) -> Rules:
        for name, found, wanted in (
            ("targets", set(self.targets), set(Target.__args__)),  # type: ignore[attr-defined]  # of a Literal
            ("modifiers", set(self.modifiers), set(PROPERTIES)),
            ("sections", set(self.sections), set(SectionKind.__args__)),  # type: ignore[attr-defined]  # of a Literal
        ):
            if missing := wanted - found:
                raise ValueError(f"{name}: {', '.join(sorted(missing))} missing")
        return self


def languages() -> tuple[str, ...]:
    """Languages that come with the program."""
    names = (f.name for f in resources.files("vfscreen.audit").joinpath("rules").iterdir())
    return tuple(sorted(n.removesuffix(".yaml") for n in names if n.endswith(".yaml")))


def load_rules(language: str) -> Rules:
    """Rules of a language ("en"), or of a YAML file by its path. SettingsError naming the file and what is wrong."""
    if language in languages():
        text = resources.files("vfscreen.audit").joinpath("rules", f"{language}.yaml").read_text(encoding="utf-8")
    else:
        try:
            text = Path(language).read_text(encoding="utf-8")
        except OSError as error:
            raise SettingsError(
                f"audit.language {language!r} is neither one of {', '.join(languages())} nor a file that can be read"
            ) from error
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    try:
        rules = Rules.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise SettingsError(f"rule file {language} is no YAML: {error}") from error
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise SettingsError(f"rule file {language} is not valid: {'; '.join(lines)}") from error
    return rules.model_copy(update={"release": f"{rules.language}-{rules.version}-{digest}"})
