"""What is asked about each picture and what becomes of the answer. Nothing here waits or writes: runs on one machine
and on many (on_ray.py) share it, and give the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel

from ..prompts.confidence import check_threshold
from ..prompts.errors import Img2PromptError, PromptError, RecoverError
from ..prompts.options import RenderOptions
from .found import Found
from .opening import Content, again, opened
from .wording import check_template, fill

if TYPE_CHECKING:
    from ..engine.stream import Step
    from ..prompts import ImageAnalysis, Prompt, Request

SOURCES = ("model", "embedded")
"""Of a row's words."""
ALWAYS = ("prompt", "name")
"""What a template may name where nobody has looked at the picture."""


class Carried(BaseModel):
    """The prompt that a file carries itself: nobody has to look at the picture."""

    positive: str
    negative: str


@dataclass(frozen=True, slots=True)
class Row:
    """What is written for one picture and one family; the columns of tables."""

    file_name: str
    """As `Found.name`. Called as in the metadata files of Hugging Face's ImageFolder."""
    text: str
    """The template, filled: the caption to train with."""
    family: str
    prompt: str
    negative: str
    art_style: str
    caption: str
    tags: str
    """Separated by commas, without quality words."""
    tokens: int
    token_budget: int
    source: str
    """One of SOURCES."""
    analysis: dict[str, Any] | None = field(default=None)
    """All that was found; None where nobody has looked."""

    def as_dict(self) -> dict[str, Any]:
        """Column name to value, in the columns' order."""
        return asdict(self)


Outcome: TypeAlias = list[Row] | Img2PromptError
"""Of one picture: a row for each family, or why there is none."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a run does with each picture."""

    families: tuple[str, ...] = ("sdxl",)
    options: RenderOptions = field(default_factory=RenderOptions)
    """`leave_out` holds for the whole text, `prefix` comes first in it."""
    template: str = "{prompt}"
    extra: str = ""
    """The user's own instruction to the model."""
    seed: int = 0
    min_confidence: float = 0.0
    """Above 0: the model is asked about each tag whether the picture shows it, and those that it is less sure of are
    left out."""
    ignore_embedded: bool = False
    """Ask the model also where a file carries the prompt that drew it."""

    def check(self) -> None:
        """Find out before any picture is looked at whether this can be done. Raises PromptError."""
        if not self.families or len(set(self.families)) != len(self.families):
            raise PromptError("Name at least one model family, and each once.")
        for family in self.families:
            self.options.check(family)
        check_template(self.template)
        check_threshold(self.min_confidence)

    def request(self, found: Found) -> Request[ImageAnalysis] | Step[ImageAnalysis] | Carried:
        """What to ask about one picture, told the prompt in its file, or that prompt where it is all that is wanted.
        Opens the file: CPU work, or a wait for a store. Raises PictureError and CaptionError."""
        from ..engine.pictures import open_undecoded
        from ..engine.rated import rated_request
        from ..prompts import analysis_request

        file = opened(found)
        carried = None if self.ignore_embedded else self._carried(file)
        if carried and self.options.look_at == "everything" and check_template(self.template) <= {*ALWAYS}:
            return carried
        request = analysis_request(
            open_undecoded(again(file)),
            look_at=self.options.look_at,
            extra=self.extra,
            seed=self.seed,
            known=carried.positive if carried else "",
        )
        return rated_request(request, lambda: open_undecoded(opened(found)), self.min_confidence)

    def _carried(self, file: Path | Content) -> Carried | None:
        """The prompt in the file, if it has one. That a file cannot be read is for whoever opens it to tell."""
        from ..prompts import recover

        try:
            one = recover(file)
        except RecoverError:
            return None
        return Carried(positive=one.positive, negative=one.negative) if one and one.positive else None

    def rows(self, found: Found, answer: ImageAnalysis | Carried) -> list[Row]:
        """One for each family. Raises PromptError, such as NothingToSay."""
        return [self._row(found, answer, family) for family in self.families]

    def outcome(self, found: Found, answer: ImageAnalysis | Carried | Img2PromptError) -> Outcome:
        """The rows, or why there are none."""
        if isinstance(answer, Img2PromptError):
            return answer
        try:
            return self.rows(found, answer)
        except PromptError as error:
            return error

    def _row(self, found: Found, answer: ImageAnalysis | Carried, family: str) -> Row:
        from ..prompts import render
        from ..prompts.known import render_known

        if isinstance(answer, Carried):
            prompt = render_known(answer.positive, family, self.options, answer.negative)
            caption = tags = ""
        else:
            prompt = render(answer, family, self.options)
            caption, tags = self._caption(prompt), self._tags(answer, family)
        values = {"prompt": prompt.positive, "caption": caption, "tags": tags, "name": PurePosixPath(found.name).stem}
        text = fill(self.template, values)
        if self.options.prefix and "prompt" not in check_template(self.template):
            text = f"{self.options.prefix}, {text}"
        return Row(
            file_name=found.name,
            text=text.strip(),
            family=family,
            prompt=prompt.positive,
            negative=prompt.negative,
            art_style=prompt.style,
            caption=caption,
            tags=tags,
            tokens=prompt.tokens,
            token_budget=prompt.budget,
            source="embedded" if isinstance(answer, Carried) else "model",
            analysis=None if isinstance(answer, Carried) else answer.model_dump(mode="json"),
        )

    def _caption(self, prompt: Prompt) -> str:
        """The caption to read, less the clauses with words that the user leaves out."""
        from ..prompts.keep import Keep
        from ..prompts.sentences import caption_sentences

        keep = Keep.of(self.options.leave_out, minor=False)
        if keep.allows(prompt.caption):
            return prompt.caption
        return " ".join(caption_sentences(prompt.caption, keep))

    def _tags(self, analysis: ImageAnalysis, family: str) -> str:
        """What the family's prompt is chosen from, as tags: no quality words, no order of a budget's."""
        from ..prompts.tag_list import tag_list

        return ", ".join(tag_list(analysis, family, self.options))
