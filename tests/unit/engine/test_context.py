"""How the pictures of one request share the model's context: nothing is cut short, and what does not fit is said."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from img2prompt.engine import Engine, Settings
from img2prompt.engine.chat import prepare
from img2prompt.engine.client import ChatClient
from img2prompt.engine.context import Context, check_fits, pixels_each, pixels_to_send
from img2prompt.engine.errors import Refused
from img2prompt.engine.server.managed import ManagedBackend
from img2prompt.engine.sketch import SketchBackend
from img2prompt.prompts import analysis_request, load_preset, story_request
from img2prompt.prompts.request import Request, Sampling
from img2prompt.prompts.tokens import count_tokens
from img2prompt.tests.seeing import Sight, draw
from img2prompt.tests.seeing_server import Kind, SeeingServer
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from img2prompt.tests.unit.engine.conftest import MakeEngine

SEEING_MODEL = Path(__file__).parents[2] / "seeing_model" / "model"
DEFAULT = Settings().max_pixels
SMALLEST = 65_536
HERE = Context(8192, DEFAULT, "raise it to {needed}")
SIZES = [(1024, 1024), (1536, 1024), (640, 1136), (1333, 777)]


class Word(BaseModel):
    word: str = Field(max_length=5)


def words(count: int, instruction: str = "Look.", *, most: int = 1000) -> Request[Word]:
    """A question about so many pictures of different large sizes."""
    pictures = tuple(draw(size=SIZES[number % len(SIZES)]) for number in range(count))
    return Request(pictures, instruction, Word, Sampling(max_tokens=most))


def least(request: Request[Any]) -> int:
    """The shortest context that takes it, as the error says."""
    with pytest.raises(Refused) as caught:
        pixels_each(request, replace(HERE, tokens=1))
    return int(str(caught.value).split("raise it to ")[1].split(",")[0])


def taken(request: Request[Any], pixels: int) -> int:
    """The tokens that Qwen3-VL makes of a request and its longest answer, counted with its own vocabulary."""
    chat = prepare(request, pixels, None)
    numbers = [f"<|vision_start|><|vision_end|>Picture {number}:" for number in range(1, len(chat.pictures) + 1)]
    text = "\n".join([*["<|im_start|>assistant\n<|im_end|>"] * 3, chat.system, chat.instruction, *numbers])
    pictures = [Sight("", "", picture.width, picture.height).tokens for picture in chat.pictures]
    return count_tokens(text, "qwen") + sum(pictures) + chat.sampling.max_tokens


@pytest.mark.parametrize("tokens", [6144, 8192, 32_768])
def test_one_picture_is_sent_as_large_as_the_settings_say(tokens: int) -> None:
    assert pixels_each(analysis_request(draw(size=(4000, 3000))), replace(HERE, tokens=tokens)) == DEFAULT


@pytest.mark.parametrize("tokens", [8192, 16_384])
@pytest.mark.parametrize("count", [2, 3, 8, 12, 16])
def test_all_pictures_of_a_story_fit_with_its_longest_answer(count: int, tokens: int) -> None:
    pictures = words(count).pictures
    request = story_request(pictures, genre="noir", extra="Schau genau hin, was die Leute tun! " * 5, language="German")
    pixels = pixels_each(request, replace(HERE, tokens=tokens))
    assert SMALLEST <= pixels <= DEFAULT
    assert taken(request, pixels) <= tokens


@pytest.mark.parametrize(
    "instruction",
    [
        load_preset("system").fill(),
        "用中文讲述一个故事。每一幅画都要清楚。" * 20,
        "日本語で物語を語ってください。" * 20,
        "Расскажи историю про лес. " * 20,
        "هذه قصة عن البحر " * 20,
        "ภาษาไทยเล่าเรื่อง" * 20,
        "σπίτι, θάλασσα! " * 20,
        "🐶🎨" * 50,
        "0123456789" * 50,
        "{}[]();:/*+-=" * 40,
    ],
)
def test_text_is_never_counted_short(instruction: str) -> None:
    """As much room is left as there must be: with the smallest context that takes it, the text fits."""
    request = words(4, instruction)
    needed = least(request)
    assert pixels_each(request, replace(HERE, tokens=needed)) == SMALLEST
    with pytest.raises(Refused):
        pixels_each(request, replace(HERE, tokens=needed - 1))
    assert taken(replace(request, pictures=()), SMALLEST) <= needed - 4 * 64 - 4 * 12


def test_each_picture_has_room_for_its_number_and_marks() -> None:
    number = count_tokens("<|vision_start|><|vision_end|>Picture 16:", "qwen")
    assert least(words(16)) - least(words(15)) >= 64 + number


@pytest.mark.parametrize("share", [73, 81, 100, 128, 1000])
def test_a_picture_takes_no_more_than_its_share_when_its_sides_are_rounded(share: int) -> None:
    request = words(16)
    pixels = pixels_each(request, replace(HERE, tokens=least(request) + 16 * (share - 64)))
    for width in range(700, 2100, 90):
        chat = prepare(replace(request, pictures=(draw(size=(width, 1000)),)), pixels, None)
        sent = chat.pictures[0]
        assert Sight("", "", sent.width, sent.height).tokens <= share


def test_more_pictures_get_less_each_and_never_more_than_the_settings_say() -> None:
    shares = [pixels_each(words(count), HERE) for count in range(1, 17)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == DEFAULT > shares[-1] > SMALLEST
    assert pixels_each(words(16), replace(HERE, max_pixels=100_000)) == 100_000


def test_a_request_without_pictures_shares_nothing() -> None:
    assert pixels_each(words(0), HERE) == DEFAULT


@pytest.mark.parametrize(
    ("count", "tokens", "says"),
    [
        (
            16,
            2048,
            r"^The 16 pictures do not fit into the model's context of 2,048 tokens: with the text and an answer of up "
            r"to 1,000 tokens, 2,\d\d\d are needed; raise it to 2\d\d\d, or use fewer pictures\.$",
        ),
        (2, 500, r"answer of up to 1,000 tokens"),
    ],
)
def test_what_does_not_fit_is_refused(count: int, tokens: int, says: str) -> None:
    with pytest.raises(Refused, match=says):
        pixels_each(words(count), replace(HERE, tokens=tokens))


@pytest.mark.parametrize(
    ("request_", "context", "told"),
    [
        (
            words(16),
            HERE,
            "To fit into the context of 8,192 tokens, the 16 pictures are seen at {side}x{side} at most.",
        ),
        (words(1), replace(HERE, tokens=1100), ""),  # one alone shares with nobody
        (words(16), replace(HERE, tokens=32_768), ""),  # they fit as they are
        (words(16), replace(HERE, max_pixels=SMALLEST), ""),  # the settings alone make them small
        (Request((draw(),) * 16, "Look.", Word), HERE, ""),  # they are small
    ],
)
def test_it_is_told_when_the_context_makes_pictures_smaller(
    request_: Request[Any], context: Context, told: str
) -> None:
    lines: list[str] = []
    pixels = pixels_to_send(request_, context, lines.append)
    assert pixels == pixels_each(request_, context)
    expected = told.format(side=math.isqrt(pixels))
    assert len(lines) == bool(told) and "".join(lines).startswith(expected)


def test_a_request_that_was_made_ready_for_a_longer_context() -> None:
    request = words(16)
    chat = prepare(request, pixels_each(request, HERE), None)
    check_fits(chat, HERE)
    with pytest.raises(Refused, match=r"a context of 6,144 tokens, shorter than .*; ask again\.$") as caught:
        check_fits(chat, replace(HERE, tokens=6144))
    assert caught.value.retryable
    check_fits(prepare(words(0), DEFAULT, None), replace(HERE, tokens=10))


def test_a_server_with_less_than_was_planned_is_not_asked(server: SeeingServer) -> None:
    request = words(16)
    chat = prepare(request, pixels_each(request, HERE), None)
    server.control.max_model_len = 6144
    client = ChatClient(Settings(cache=False), server.url)

    async def ask() -> None:
        await client.ready(lambda line: None)
        try:
            await client.ask(chat)
        finally:
            await client.close()

    with pytest.raises(Refused, match="ask again"):
        asyncio.run(ask())
    assert server.counts.requests == 0


# Who answers knows the context


def test_vllm_tells_its_context(server: SeeingServer, make_engine: MakeEngine) -> None:
    request = words(16)
    engine = make_engine(max_model_len=2048)  # of no account where the server tells
    assert engine.pixels_each(request) == pixels_each(request, HERE) < DEFAULT
    assert server.counts.requests == 0
    server.control.max_model_len = 32_768
    assert make_engine().pixels_each(request) == DEFAULT
    server.control.max_model_len = 2048
    with pytest.raises(
        Refused, match=r"of 2,048 tokens.*; start the server with --max-model-len 2\d\d\d or more, or use"
    ):
        make_engine().ask(request)
    assert server.counts.requests == 0


@pytest.mark.parametrize("kind", ["llamacpp", "plain"])
def test_of_other_servers_the_setting_counts(kind: Kind, server: SeeingServer, make_engine: MakeEngine) -> None:
    server.control.kind = kind
    server.control.max_model_len = 2048
    request = words(16)
    assert make_engine().pixels_each(request) == pixels_each(request, HERE)
    with pytest.raises(Refused, match="if the server's context is longer, set IMG2PROMPT_MAX_MODEL_LEN to it"):
        make_engine(max_model_len=2048).pixels_each(request)


def test_our_own_engine_knows_its_plan_before_any_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi, so no GPU
    own = {"engine": "managed", "model": str(SEEING_MODEL), "cache_dir": tmp_path}
    with_default = Engine(ManagedBackend(Settings.model_validate(own)), Settings())
    assert with_default.pixels_each(words(2)) == SMALLEST  # the checkpoint's own limit
    short = Engine(ManagedBackend(Settings.model_validate({**own, "max_model_len": 2048})), Settings())
    with pytest.raises(
        Refused, match=r"of 2,048 tokens.*; set IMG2PROMPT_MAX_MODEL_LEN to 2\d\d\d or more, or use fewer"
    ):
        short.ask(words(16))
    assert [engine.status().phase for engine in (with_default, short)] == ["stopped", "stopped"]
    with_default.close()
    short.close()


def test_the_sketch_looks_at_every_pixel() -> None:
    assert SketchBackend().pixels_each(words(2)) == 1536 * 1024


@pytest.mark.parametrize("count", [1, 2, 8, 16])
def test_pictures_arrive_no_larger_than_told(count: int, server: SeeingServer, make_engine: MakeEngine) -> None:
    """The server refuses what does not fit into its context with the longest answer."""
    request = words(count, most=2048)
    engine = make_engine()
    pixels = engine.pixels_each(request)
    lines: list[str] = []
    engine.ask_many([request], report=lines.append)
    shown = server.counts.payloads[0]["messages"][1]["content"]
    sizes = [part["image_url"]["url"].split()[-1].split("x") for part in shown if part["type"] == "image_url"]
    seen = [int(width) * int(height) for width, height in sizes]
    assert len(seen) == count
    assert max(seen) <= pixels
    assert all(abs(one / pixels - 1) < 0.02 for one in seen) or pixels == DEFAULT
    assert bool(lines) == (pixels < DEFAULT)
