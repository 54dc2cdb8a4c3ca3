"""A refusal or a warning in words: its code, what fills the gaps of its text, and the text in both languages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from devices.models import Bilingual
from devices.refusal_texts import REFUSAL_TEXTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devices.refusal_texts import RefusalCode

Parameter = str | int | float | Bilingual
MAX_PARAMETER_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True, order=True)
class Wording:
    """What is wrong and what is allowed, for programs and for people. Ordered by its English text."""

    en: str
    vi: str
    code: str  # stable, such as `site-retired`
    parameters: Mapping[str, Parameter] = field(compare=False)

    def __str__(self) -> str:
        """In English, as logs and terminals have it."""
        return self.en

    def told(self) -> dict[str, Any]:
        """As the API tells it: `code`, `parameters` and `text`, which is `{vi, en}`."""
        parameters = {
            name: {"vi": value.vi, "en": value.en} if isinstance(value, Bilingual) else value
            for name, value in self.parameters.items()
        }
        return {"code": self.code, "parameters": parameters, "text": {"vi": self.vi, "en": self.en}}


def worded(code: RefusalCode, **parameters: Parameter) -> Wording:
    """A refusal of the registry in words.

    Args:
        code: why.
        parameters: fill the gaps of its text; texts are cut at `MAX_PARAMETER_CHARACTERS`.
    """
    return fill(code.value, REFUSAL_TEXTS[code], parameters)


def fill(code: str, text: Bilingual, parameters: Mapping[str, Parameter]) -> Wording:
    """A text with its gaps filled.

    Args:
        code: why.
        text: with gaps as of `str.format`; only texts of ours, never what somebody sent.
        parameters: by name of the gap; a bilingual one is told in the language of the text.
    """
    cut = {
        name: value[:MAX_PARAMETER_CHARACTERS] if isinstance(value, str) else value
        for name, value in parameters.items()
    }
    return Wording(
        code=code,
        parameters=cut,
        vi=text.vi.format(**{name: v.vi if isinstance(v, Bilingual) else v for name, v in cut.items()}),
        en=text.en.format(**{name: v.en if isinstance(v, Bilingual) else v for name, v in cut.items()}),
    )
