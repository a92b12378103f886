"""The node `Multi-Image Story`: several pictures in, looked at together; a story out whose every beat is a prompt."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..prompts.options import FEWEST_PICTURES, MOST_BEATS, MOST_PICTURES
from . import inputs
from .asking import OF_THE_SETTINGS, Answers, ChosenEngine, ask_all
from .comfy import Progress, in_thread, io, schema
from .images import check_batch, from_picture, one_after_another
from .shown import shown_story

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from ..engine import Engine
    from ..prompts import Panel, RenderOptions, Request, Story

SEPARATE = tuple(f"image_{number}" for number in range(1, MOST_PICTURES + 1))
GROUP = "pictures"
"""What ComfyUI's Autogrow calls them together, where there is one: `pictures.image_1` and on."""


class MultiImageStory(io.ComfyNode):
    """Tells one story of all the pictures it gets. Takes inputs as lists: a list of pictures is one story, not many."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The node as ComfyUI shows it; its list outputs have one item per beat."""
        return schema(
            node_id="Img2Prompt_MultiImageStory",
            display_name="Multi-Image Story",
            category="img2prompt",
            description=f"Looks at {FEWEST_PICTURES} to {MOST_PICTURES} pictures together and tells their story: each "
            "beat is a prompt, in which a character looks the same wherever it appears.",
            search_aliases=["story", "storyboard", "comic", "narrative", "video frames", "img2prompt"],
            inputs=_inputs(),
            outputs=_outputs(),
            hidden=[io.Hidden.unique_id],
            is_input_list=True,
            is_output_node=True,  # so that it runs, and shows its text, with nothing connected after it
        )

    @classmethod
    def validate_inputs(cls, family: Sequence[str | None] = (None,), pictures: object = None) -> bool | str:
        """Whether there is such a family: ComfyUI does not check a V3 combo's value. It would say of each input that is
        named here what is wrong with one, so the other choices are checked when the node runs. A linked input is
        [None].

        `pictures` is of no account; some releases with Autogrow hand it to whoever is asked about other inputs.
        """
        return inputs.bad_family(family[0]) or True

    @classmethod
    def fingerprint_inputs(cls, family: Sequence[str | None] = (None,), **_: object) -> str:
        """What, besides the inputs, changes the answer: the engine that the settings choose, and the user's files."""
        from ..engine.settings import Settings

        return f"{Settings.load().fingerprint()} {inputs.version_of(family[0])}"

    @classmethod
    async def execute(
        cls, engine: Sequence[ChosenEngine] = (OF_THE_SETTINGS,), **given: Sequence[Any]
    ) -> io.NodeOutput:
        """Ask one question about all pictures, and render its answer. `given` are the inputs by name, those that have
        nothing left out. Raises Img2PromptError: an error is never a text."""
        batches = _take_batches(given)
        wish = _Wish(**{name: inputs.only(name, values) for name, values in given.items()})
        chosen = inputs.only("engine", engine)
        options = wish.check(sum(map(check_batch, batches)))
        asked = chosen.open()
        progress = Progress(1, cls.hidden.unique_id)
        request, seen_at = await in_thread(lambda: _request(wish, batches, asked), progress)
        told = await ask_all(asked, chosen.release, [request], progress)
        return await in_thread(lambda: _output(told, wish.family, options, request.pictures, seen_at), progress)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the user asks for: one value of each widget."""

    extra_instruction: str
    genre: str
    beats: int
    language: str
    family: str
    prefix: str
    leave_out: str
    token_budget: int
    seed: int
    emphasis: str
    unknown_tags: str

    def check(self, pictures: int) -> RenderOptions:
        """How to render. Raises PictureError or PromptError for what cannot be done, before the model is asked."""
        from ..prompts import RenderOptions, check_story, check_story_options

        options = RenderOptions.from_texts(
            prefix=self.prefix,
            leave_out=self.leave_out,
            token_budget=self.token_budget,
            emphasis=self.emphasis,
            unknown_tags=self.unknown_tags,
        )
        check_story(pictures, self.beats)
        check_story_options(self.family, options)
        return options

    def request(self, pictures: Sequence[Image.Image]) -> Request[Story]:
        from ..prompts import story_request

        return story_request(
            pictures,
            beats=self.beats,
            genre=self.genre,
            extra=self.extra_instruction,
            language=self.language,
            seed=self.seed & inputs.MAX_SEED,
        )


def _take_batches(given: dict[str, Any]) -> list[torch.Tensor]:
    """Takes out of a node's inputs those that are pictures, in the order in which the story has them.

    A graph of the API goes with one release's names, and ComfyUI hands on links of names that it does not know: so all
    are taken everywhere, the dict of Autogrow, its `pictures.image_1`, and the plain `image_1`.
    """
    grown = given.pop(GROUP, None) or {}
    batches = list(given.pop("images", ()))
    for name in SEPARATE:
        for found in (grown.get(name), given.pop(f"{GROUP}.{name}", None), given.pop(name, None)):
            batches += found or ()
    return batches


def _request(wish: _Wish, batches: Sequence[torch.Tensor], asked: Engine) -> tuple[Request[Story], str]:
    """The request, and a sentence about the pixels of its pictures where the model's context leaves fewer than the
    settings do. Raises EngineError, PictureError or PromptError."""
    most = asked.settings.max_pixels
    request = wish.request(one_after_another(batches, most))
    pixels = asked.pixels_each(request)
    if pixels >= most or all(picture.width * picture.height <= pixels for picture in request.pictures):
        return request, ""
    side = math.isqrt(pixels)
    return request, f"Pictures seen at up to {side} x {side} pixels each, to fit the model's context."


def _inputs() -> list[io.Input]:
    """All inputs: those that `_take_batches` takes, those of `_Wish`, and the engine."""

    tooltip = "A picture, of any size. They come in order, after images."

    def one(name: str) -> io.Image.Input:
        return io.Image.Input(name, optional=True, tooltip=tooltip)

    images = io.Image.Input(
        "images",
        optional=True,
        tooltip="The pictures in their order: a batch, such as a video's frames, or a list of any sizes.",
    )
    separate = inputs.growing(GROUP, tooltip, one, SEPARATE)
    others = [*_widgets(), inputs.engine()]
    # Autogrow's must be last: the front end pastes links by number, before there are as many sockets as were copied
    return [images, *others, *separate] if inputs.AUTOGROW else [images, *separate, *others]


def _widgets() -> list[Any]:
    """The inputs of `_Wish`."""
    return [
        inputs.family(),
        inputs.extra_instruction("What to tell, in your own words. Empty: the story that the pictures suggest."),
        io.String.Input("genre", default="", tooltip="Such as fairy tale. Empty: what the pictures suggest."),
        io.Int.Input(
            "beats",
            default=0,
            min=0,
            max=MOST_BEATS,
            tooltip="How many beats, and so prompts, the story has. 0: one per picture.",
        ),
        inputs.language(" Prompts stay English."),
        inputs.prefix(),
        inputs.leave_out(),
        inputs.token_budget(),
        inputs.seed(),
        inputs.emphasis(),
        inputs.unknown_tags(),
    ]


def _outputs() -> list[Any]:
    """What comes out, in the order of `_output`."""
    return [
        io.String.Output("story", display_name="story", tooltip="The whole story, to read."),
        _per_beat("prompts", "One per beat, ready for a text encoder: the sampler after it draws them in order."),
        _per_beat("negatives", "One per beat, empty where the family takes none."),
        _per_beat("captions", "One per beat: its title and what happens, to stand under the picture."),
        io.String.Output("style_bible", display_name="style_bible", tooltip="How every beat is drawn, to read."),
        io.String.Output("cast_sheet", display_name="cast_sheet", tooltip="Who is in it and how they look, to read."),
        _per_beat(
            "regional_prompts", "One per beat: a JSON list of each character's own prompt and share of the picture."
        ),
        io.String.Output("story_json", display_name="story_json", tooltip="Everything that was found, as JSON."),
        io.Image.Output("storyboard", display_name="storyboard", tooltip="Pictures and beats on one sheet, to save."),
    ]


def _per_beat(name: str, tooltip: str) -> io.String.Output:
    return io.String.Output(name, display_name=name, is_output_list=True, tooltip=tooltip)


def _output(
    told: Answers[Story], family: str, options: RenderOptions, pictures: Sequence[Image.Image], seen_at: str
) -> io.NodeOutput:
    """The outputs, and the story for the node's own display. Raises PromptError."""
    from ..prompts import render_story
    from ..prompts.panels import storyboard_grid

    (story,), (how,) = told.answers, told.how
    board = render_story(story, family, options)
    notes = [note for note in (*board.notes, seen_at) if note]
    text = "\n\n".join([board.text, *(f"({note})" for note in notes)])
    prompts = [panel.prompt for panel in board.panels]
    return io.NodeOutput(
        text,
        prompts,
        [panel.negative for panel in board.panels],
        [_caption(panel) for panel in board.panels],
        board.style_bible,
        board.cast_sheet,
        [json.dumps([asdict(region) for region in panel.regions], ensure_ascii=False) for panel in board.panels],
        story.model_dump_json(),
        from_picture(storyboard_grid(board, pictures)),
        ui={"text": [text], "prompts": prompts, "shown": shown_story(board, family, how, notes)},
    )


def _caption(panel: Panel) -> str:
    return ": ".join(part for part in (panel.title, panel.happens) if part)
