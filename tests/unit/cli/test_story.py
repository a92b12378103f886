"""`img2prompt story`: which pictures it takes, what it writes in which format, and that it checks before it asks."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from img2prompt.cli.story_formats import Told, as_markdown, as_text, plain
from img2prompt.cli.story_page import Shots, as_html, code_of
from img2prompt.cli.story_pictures import evenly, natural
from img2prompt.prompts import Story, Storyboard, render_story
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.cli.conftest import Img2Prompt
from img2prompt.tests.unit.cli.stories import HOSTILE, PHOTOS, as_seen, crowded, story
from PIL import Image

Answering = Callable[[Story], None]


@pytest.fixture
def answering(endpoint: SeeingServer) -> Answering:
    """Sets the story that the endpoint tells next."""

    def tells(told: Story) -> None:
        endpoint.control.script = [{"content": told.model_dump_json()}]

    return tells


def words(err: str) -> str:
    """What typer wrote, out of its box."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", err).split())


def sights(server: SeeingServer) -> list[str]:
    """What was in the pictures of the last request, in order."""
    parts = server.counts.payloads[-1]["messages"][1]["content"]
    return [part["image_url"]["url"].split()[1] for part in parts if part["type"] == "image_url"]


def test_the_story_then_a_prompt_for_each_beat(img2prompt: Img2Prompt, answering: Answering) -> None:
    answering(story())
    ended = img2prompt("story", *PHOTOS, "--beats", 4)
    board = render_story(story(), "sdxl")
    assert ended.code == 0
    assert ended.out.startswith(board.text)
    prompts = [line.removeprefix("Prompt: ") for line in ended.out.splitlines() if line.startswith("Prompt: ")]
    assert prompts == [panel.prompt for panel in board.panels]
    assert f"Negative: {board.panels[0].negative}" in ended.out
    assert "Answered by seeing-model" in ended.err


def test_beats_follow_the_pictures(img2prompt: Img2Prompt, endpoint, seen: dict[str, Path]) -> None:
    order = ("green", "blue", "red")
    ended = img2prompt("story", *(seen[color] for color in order), "--format", "json")
    found = json.loads(ended.out)
    assert [f"{color} center" in one["seen"] for color, one in zip(order, found["panels"], strict=True)] == [True] * 3
    assert [Path(one["file"]).stem for one in found["panels"]] == list(order)


def test_a_story_without_words_is_written_all_the_same(img2prompt: Img2Prompt, answering: Answering) -> None:
    beats = [beat.model_copy(update={"title": "", "what_happens": ""}).model_dump() for beat in story().beats]
    answering(story(beats=beats, logline="", genre="", ending=""))
    document = img2prompt("story", *PHOTOS, "--beats", 4, "--format", "markdown").out
    assert document.startswith("# A story\n\n*4 beats · for sdxl*\n\n## 1\\. Beat 1\n\n![")
    assert "\n\n\n" not in document


def test_json_tells_everything(img2prompt: Img2Prompt, endpoint: SeeingServer, answering: Answering) -> None:
    answering(story())
    ended = img2prompt(
        *("story", *PHOTOS, "--beats", 4, "--format", "json", "--family", "flux1", "--seed", 4),
        *("--genre", "western", "--instruction", "Give it a happy ending.", "--language", "Deutsch"),
        *("--prefix", "ohwx_style"),
    )
    found = json.loads(ended.out)
    assert found.keys() == {
        *("story", "family", "engine", "images", "panels", "style_bible", "cast_sheet", "notes"),
    }
    assert Story.model_validate(found["story"]) == story()
    assert (found["family"], found["engine"], found["images"]) == ("flux1", "endpoint", [str(file) for file in PHOTOS])
    assert [(one["number"], one["image"], one["file"]) for one in found["panels"]] == [
        *((1, 1, str(PHOTOS[0])), (2, 2, str(PHOTOS[1])), (3, 2, str(PHOTOS[1])), (4, 3, str(PHOTOS[2]))),
    ]
    panel = found["panels"][2]
    assert panel.keys() == {
        *("number", "image", "file", "title", "seen", "happens", "camera", "prompt", "negative", "tokens"),
        *("token_budget", "regions"),
    }
    assert panel["prompt"].startswith("ohwx_style") and 0 < panel["tokens"] <= panel["token_budget"]
    assert [region["id"] for region in panel["regions"]] == ["A", "B"]
    assert panel["regions"][0].keys() == {"id", "name", "prompt", "x", "y", "width", "height"}
    instruction = endpoint.counts.payloads[0]["messages"][1]["content"][-1]["text"]
    assert all(asked in instruction for asked in ("western", "Give it a happy ending.", "Deutsch", "exactly 4"))
    assert endpoint.counts.payloads[0]["seed"] == 4


def test_markdown_links_the_pictures_relative_to_it(
    img2prompt: Img2Prompt, answering: Answering, tmp_path: Path
) -> None:
    answering(story())
    folder = tmp_path / "my pictures"
    folder.mkdir()
    (tmp_path / "out").mkdir()
    copies = [Path(shutil.copy(photo, folder)) for photo in PHOTOS]
    ended = img2prompt("story", *copies, "--beats", 4, "--output", tmp_path / "out" / "story.md")
    assert (ended.code, ended.out) == (0, "")
    document = (tmp_path / "out" / "story.md").read_text(encoding="utf-8")
    assert document.startswith("# On the day of her launch")
    links = re.findall(r"!\[[^]]*\]\(<([^>]*)>\)", document)
    assert links == [f"../my%20pictures/{name}.jpg" for name in ("astronaut", "chelsea", "chelsea", "coffee")]
    assert "```text\nwoman, short brown hair" in document


class Page(HTMLParser):
    """The elements and attributes of a page, and what is written in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.written = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.written += data


def hostile() -> Told:
    """A story with words that would act on a page, wherever there are words."""
    board = render_story(story(), "sdxl")
    panels = tuple(
        replace(
            panel,
            **dict.fromkeys(("title", "seen", "happens", "prompt", "negative", "camera"), HOSTILE),  # type: ignore[arg-type]
            regions=tuple(replace(region, name=HOSTILE, prompt=HOSTILE) for region in panel.regions),
        )
        for panel in board.panels
    )
    texts = dict.fromkeys(("logline", "genre", "ending", "text", "style_bible", "cast_sheet"), HOSTILE)
    board = replace(board, panels=panels, observations=(HOSTILE,) * 3, notes=(HOSTILE,), **texts)
    files = [Path(f"{HOSTILE.replace('/', '')}.png")] * 3
    return Told(story(), board, HOSTILE, HOSTILE, files, HOSTILE, Path())


def shots() -> Shots:
    return Shots.of([draw(), draw("green", size=(30, 90)), draw("blue")])


def test_no_words_act_on_the_page() -> None:
    plain_page = Page(as_html(told(render_story(story(), "sdxl")), shots()))
    page = Page(as_html(replace(hostile(), family="sdxl"), shots()))
    assert page.written.count(HOSTILE) >= 4 * 5
    assert set(page.tags) == set(plain_page.tags)
    assert page.tags.count("script") == 1
    assert [name for name, _ in page.attributes if name.startswith("on")] == []
    assert page.tags.count("img") == plain_page.tags.count("img") == 7


def told(board: Storyboard, language: str = "English") -> Told:
    return Told(story(), board, "sdxl", "endpoint", PHOTOS, language, Path())


def test_the_page_loads_nothing() -> None:
    page = as_html(told(render_story(story(), "sdxl"), "Deutsch"), shots())
    urls = [value for name, value in Page(page).attributes if name in ("src", "href", "srcset", "action")]
    assert urls and all((value or "").startswith("data:image/jpeg;base64,") for value in urls)
    assert not re.search(r"https?://|@import|url\(", page)
    (policy,) = (value or "" for name, value in Page(page).attributes if name == "content" and "default" in str(value))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert '<span lang="de" dir="auto">The last photograph</span>' in page


def test_a_prompt_on_the_page_is_the_prompt_to_the_letter() -> None:
    board = render_story(story(), "sdxl")
    prompt = '\n  two  spaces, (weight:1.2),\n<lora:x:1> &amp; "quotes"'
    page = as_html(told(replace(board, panels=(replace(board.panels[0], prompt=prompt),))), shots())
    (shown,) = re.findall(r'<pre id="prompt-1" lang="en">(.*?)</pre>', page, re.DOTALL)
    assert shown.startswith("\n"), "HTML drops one newline at the beginning of a pre"
    assert Page(shown[1:]).written == prompt


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("English", "en"),
        (" DEUTSCH ", "de"),
        ("中文", "zh"),
        ("pt-BR", "pt-br"),
        ("Klingon", ""),
        ("", ""),
        ('"><b>', ""),
    ],
)
def test_a_language_has_a_code(language: str, code: str) -> None:
    assert code_of(language) == code


def test_no_words_act_in_markdown() -> None:
    document = as_markdown(hostile())
    outside = re.sub(r"^```text\n.*?\n```$", "", document, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"<(?!\S*\.png>\))", outside), "a link's own brackets are the only ones"
    assert plain("*a* _b_ [c](d) `e` # f") == r"\*a\* \_b\_ \[c\](d) \`e\` # f"
    assert (plain("# a"), plain("1. a"), plain("- a\n\nb")) == (r"\# a", r"1\. a", r"\- a b")
    ticks = replace(hostile(), board=replace(hostile().board, panels=(hostile().board.panels[0],)))
    ticks = replace(ticks, board=replace(ticks.board, panels=(replace(ticks.board.panels[0], prompt="a ``` b"),)))
    assert "````text\na ``` b\n````" in as_markdown(ticks)


def test_a_family_without_negatives_has_none_written() -> None:
    board = render_story(story(), "flux1")
    assert [panel.negative for panel in board.panels] == [""] * 4
    for written in (as_text(told(board)), as_markdown(told(board)), as_html(told(board), shots())):
        assert "Negative" not in written


def test_a_folder_is_its_pictures_in_natural_order(
    img2prompt: Img2Prompt, endpoint: SeeingServer, answering: Answering, tmp_path: Path
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for name, color in (("frame_10", "blue"), ("frame_2", "green"), ("Frame_1", "red")):
        draw(color).save(folder / f"{name}.PNG")
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(b"no picture")
    draw("yellow").save(tmp_path / "last.png")
    answering(as_seen(4))
    ended = img2prompt("story", folder, tmp_path / "last.png", "--format", "json")
    assert ended.code == 0, ended.err
    assert sights(endpoint) == ["red", "green", "blue", "yellow"]
    assert [Path(name).name for name in json.loads(ended.out)["images"]] == [
        *("Frame_1.PNG", "frame_2.PNG", "frame_10.PNG", "last.png"),
    ]


@pytest.mark.parametrize(
    ("option", "colors"),
    [(("--every", 2), "red blue cyan"), (("--pick", 2), "red cyan"), (("--pick", 3), "red blue cyan")],
)
def test_frames_are_thinned_out(
    img2prompt: Img2Prompt,
    endpoint: SeeingServer,
    answering: Answering,
    tmp_path: Path,
    option: tuple[object, ...],
    colors: str,
) -> None:
    for number, color in enumerate(("red", "green", "blue", "yellow", "cyan")):
        draw(color).save(tmp_path / f"{number}.png")
    answering(as_seen(len(colors.split())))
    ended = img2prompt("story", tmp_path, *option)
    assert ended.code == 0, ended.err
    assert sights(endpoint) == colors.split()


@pytest.mark.parametrize(("total", "count"), [(2, 2), (3, 2), (3, 3), (17, 16), (16, 16), (100, 7), (2999, 16)])
def test_what_is_picked_is_evenly_spread(total: int, count: int) -> None:
    places = [int(file.name) for file in evenly([Path(str(number)) for number in range(total)], count)]
    gaps = {after - before for before, after in pairwise(places)}
    assert (places[0], places[-1], len(places)) == (0, total - 1, count)
    assert min(gaps) > 0 and max(gaps) - min(gaps) <= 1


def test_natural_order() -> None:
    names = ["b1", "a10", "a2", "A1", "a02", "a", "10", "9", "a2b"]
    assert sorted(names, key=natural) == ["9", "10", "a", "A1", "a02", "a2", "a2b", "a10", "b1"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "Missing argument"),
        (("red.png",), 2, "there is 1; use `img2prompt prompt`"),
        (("red.png",) * 17, 2, "there are 17; --pick 16"),
        (("empty",), 1, "holds no pictures"),
        (("red.png", "blue.png", "--pick", 3), 2, "there are 2 pictures"),
        (("red.png", "blue.png", "--pick", 1), 2, "makes no story"),
        (("red.png", "blue.png", "--pick", 2, "--every", 2), 2, "exclude each other"),
        (("red.png", "blue.png", "--every", 2), 2, "there is 1"),
        (("red.png", "blue.png", "--beats", 17), 2, "beats"),
        (("red.png", "blue.png", "--family", "fluks1"), 2, "did you mean 'flux1'"),
        (("red.png", "blue.png", "--prefix", "(open"), 2, "prefix"),
        (("red.png", "blue.png", "--token-budget", 20), 2, "raise the token budget"),
        (("red.png", "blue.png", "--genre", "x" * 81), 2, "genre"),
        (("red.png", "blue.png", "--format", "pdf"), 2, "pdf"),
        (("red.png", "missing.png"), 1, "no file"),
        (("red.png", "broken.png"), 1, "not a picture"),
        (("red.png", "thin.png", "--format", "html"), 1, "too long and thin"),
        (("red.png", "blue.png", "--output", "nowhere/story.md"), 2, "there is no folder"),
        (("red.png", "blue.png", "--output", "empty"), 2, "is a directory"),
        (("red.png", "blue.png", "--output", "blue.png"), 2, "is one of the pictures"),
    ],
)
def test_what_cannot_be_is_told_before_anybody_is_asked(
    img2prompt: Img2Prompt,
    endpoint: SeeingServer,
    seen: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[object, ...],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_text("no picture")
    Image.new("RGB", (900, 4)).save(tmp_path / "thin.png")
    before = seen["blue"].read_bytes()
    ended = img2prompt("story", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert says in words(ended.err)
    assert endpoint.counts.requests == 0
    assert seen["blue"].read_bytes() == before


def test_the_same_picture_twice_a_blank_one_and_odd_sizes_are_fine(
    img2prompt: Img2Prompt, endpoint: SeeingServer, answering: Answering, seen: dict[str, Path], tmp_path: Path
) -> None:
    Image.new("RGBA", (7, 300)).save(tmp_path / "blank.png")
    answering(as_seen(4))
    files = [seen["red"], seen["red"], tmp_path / "blank.png", PHOTOS[0]]
    ended = img2prompt("story", *files, "--output", tmp_path / "story.html")
    assert (ended.code, ended.out) == (0, "")
    assert f"Wrote {tmp_path / 'story.html'}" in ended.err
    assert sights(endpoint)[:3] == ["red", "red", "white"]
    assert (tmp_path / "story.html").read_text(encoding="utf-8").count('<article class="card"') == 4


def test_what_the_budget_did_not_hold_is_said(img2prompt: Img2Prompt, answering: Answering) -> None:
    answering(crowded())
    ended = img2prompt("story", *PHOTOS, "--beats", 4, "--format", "json")
    notes = json.loads(ended.out)["notes"]
    assert notes and all(" ".join(note.split()) in " ".join(ended.err.split()) for note in notes)


def test_an_uneven_answer_is_never_half_a_story(
    img2prompt: Img2Prompt, endpoint: SeeingServer, seen: dict[str, Path], tmp_path: Path
) -> None:
    endpoint.control.script = [{"content": "Once upon a time"}] * 3
    ended = img2prompt("story", seen["red"], seen["blue"], "--output", tmp_path / "story.txt")
    assert (ended.code, ended.out) == (1, "")
    assert "JSON" in ended.err
    assert not (tmp_path / "story.txt").exists()


def test_without_a_model_nothing_is_made_up(
    img2prompt: Img2Prompt, seen: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = img2prompt("story", seen["red"], seen["blue"])
    assert (nothing.code, nothing.out) == (1, "")
    assert "IMG2PROMPT_ENDPOINT" in nothing.err
    monkeypatch.setenv("IMG2PROMPT_ENGINE", "sketch")
    refused = img2prompt("story", seen["red"], seen["blue"])
    assert (refused.code, refused.out) == (1, "")
    assert "sketch engine" in refused.err
