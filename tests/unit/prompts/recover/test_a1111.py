"""AUTOMATIC1111's text, read and written. The rows are texts as the tools write them, what must be read beside them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from img2prompt.prompts.recover.a1111 import parse, read
from img2prompt.prompts.recover.a1111_text import write
from img2prompt.prompts.recover.carried import Carried, Field
from img2prompt.prompts.recover.loras import loras_of
from img2prompt.prompts.recover.recovered import Lora, Parameters
from img2prompt.prompts.recover.values import clean
from PIL import Image, PngImagePlugin

LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 965400086, Size: 512x768"
ORDINARY = Parameters(
    seed=965400086,
    steps=20,
    sampler="Euler",
    scheduler="Karras",
    cfg_scale=7.0,
    width=512,
    height=768,
    clip_skip=2,
    checkpoint="sd_xl_base_1.0.safetensors",
    checkpoint_hash="31e35c80fc",
    vae="sdxl_vae",
    denoise=0.45,
)

READ: list[tuple[str, str, str, str, dict[str, Any]]] = [
    ("no negative", f"a fox\n{LINE}", "a fox", "", {"steps": 20, "sampler": "Euler a", "width": 512, "height": 768}),
    ("several lines", f"a fox,\nin snow\nNegative prompt: a\nb\n{LINE}", "a fox,\nin snow", "a\nb", {"cfg_scale": 7.0}),
    ("negative only", f"Negative prompt: blurry\n{LINE}", "", "blurry", {"seed": 965400086}),
    ("parameters only", LINE, "", "", {"seed": 965400086}),
    ("empty negative", f"a fox\nNegative prompt: \n{LINE}", "a fox", "", {"steps": 20}),
    ("no parameters", "a fox\nNegative prompt: a hen", "a fox", "a hen", {"steps": None}),
    ("nothing but a prompt", "a fox: red, tail: long, mood: calm", "a fox: red, tail: long, mood: calm", "", {}),
    ("the mark in the prompt", f"a sign 'Negative prompt: no'\n{LINE}", "a sign 'Negative prompt: no'", "", {}),
    ("two marks", f"a\nNegative prompt: b\nNegative prompt: c\n{LINE}", "a\nNegative prompt: b", "c", {}),
    ("old line ends", f"a\r\nb\r\nNegative prompt: c\r\n{LINE}\r\n", "a\nb", "c", {"height": 768}),
    (
        "a line that looks alike",
        f"Steps: 3, Sampler: no\na fox\n{LINE}",
        "Steps: 3, Sampler: no\na fox",
        "",
        {"steps": 20},
    ),
    (
        "old sampler",
        "a\nSteps: 5, Sampler: DPM++ 2M Karras, Seed: 1",
        "a",
        "",
        {"sampler": "DPM++ 2M Karras", "scheduler": ""},
    ),
    ("schedule", "a\nSteps: 5, Sampler: DPM++ 2M, Schedule type: Karras", "a", "", {"scheduler": "Karras"}),
    ("guidance", "a\nSteps: 5, Distilled CFG Scale: 3.5, CFG scale: 1", "a", "", {"guidance": 3.5, "cfg_scale": 1.0}),
    ("in one line", f"a fox Negative prompt: hen {LINE}", "a fox", "hen", {"steps": 20}),
    ("empty negative in one line", f"a fox Negative prompt: {LINE}", "a fox", "", {"steps": 20}),
    ("other order", "a\nModel: m, Seed: 4, Foo: x", "a", "", {"checkpoint": "m", "seed": 4}),
    (
        "two known names are needed",
        "a\nModel: Anna, hair: red, eyes: blue",
        "a\nModel: Anna, hair: red, eyes: blue",
        "",
        {},
    ),
    ("no number", "a\nSteps: 5, Seed: many, Size: big", "a", "", {"seed": None, "width": None}),
    ("broken quote", 'a\nSteps: 5, Model: "m, Seed: 3', "a", "", {"checkpoint": '"m', "seed": 3}),
    ("broken list", "a\nSteps: 5, Model: [m, Seed: 3", "a", "", {"checkpoint": "[m", "seed": 3}),
]

OTHER: list[tuple[str, str, Mapping[str, str]]] = [
    (
        "Lora hashes",
        'Steps: 5, Lora hashes: "a: 1f, b: 2e", ENSD: 31337',
        {"Lora hashes": "a: 1f, b: 2e", "ENSD": "31337"},
    ),
    (
        "TI hashes",
        'Steps: 5, TI hashes: "easynegative: c74b", RNG: CPU',
        {"TI hashes": "easynegative: c74b", "RNG": "CPU"},
    ),
    ("escaped quotes", r'Steps: 5, Note: "say \"a, b\": c\\d", E: 1', {"Note": r'say "a, b": c\d', "E": "1"}),
    ("line end in a value", r'Steps: 5, Hires prompt: "a\nb", E: 1', {"Hires prompt": "a\nb", "E": "1"}),
    (
        "ControlNet",
        'Steps: 5, ControlNet 0: "Module: canny, Model: control [d3], Weight: 1, Resize Mode: Crop", Hires steps: 9',
        {"ControlNet 0": "Module: canny, Model: control [d3], Weight: 1, Resize Mode: Crop", "Hires steps": "9"},
    ),
    (
        "Hashes",
        'Steps: 5, Hashes: {"model": "c0", "lora:a, b": "1f"}, Version: v1.10.1',
        {"Hashes": '{"model": "c0", "lora:a, b": "1f"}', "Version": "v1.10.1"},
    ),
    ("a value with an equal size", "Steps: 5, Hires resize: 1024x1536", {"Hires resize": "1024x1536"}),
    (
        "template",
        "Steps: 5, E: 1\nTemplate: a {b|c}\nNegative Template: d",
        {"E": "1", "Template": "a {b|c}", "Negative Template": "d"},
    ),
    ("a value twice", "Steps: 5, E: 1, E: 2", {"E": "1"}),
    ("two names of one field", "Steps: 5, Schedule type: Karras, Scheduler: simple", {"Scheduler": "simple"}),
    ("a line end as it is", 'Steps: 5, Hires prompt: "a\nb", E: 1', {"Hires prompt": "a\nb", "E": "1"}),
    ("LoRAs that are none", 'Steps: 5, Lora weights: "a: 0.5, b"', {"Lora weights": "a: 0.5, b"}),
    ("template under another order", "Seed: 3, Model: m, Steps: 5\nTemplate: a", {"Template": "a"}),
]

GENERATORS = [
    ("Version: v1.10.1", "AUTOMATIC1111"),
    ("Version: f2.0.1v1.10.1-previous-313-g8a042934", "Forge"),
    ("Version: neo", "Forge"),
    ("Distilled CFG Scale: 3.5", "Forge"),
    ("App: SD.Next, Version: 7f0c3f9", "SD.Next"),
    ("Version: ComfyUI", "ComfyUI"),
    ("Version: Fooocus v2.5.5", "Fooocus"),
    ('Civitai resources: [{"type":"checkpoint","modelVersionId":1}]', "Civitai"),
    ('Version: v1.9, Civitai resources: [{"type":"checkpoint","modelVersionId":1}]', "AUTOMATIC1111"),
]

LORAS = [
    ("<lora:add_detail:0.8> a fox <lora:b c.d:1>", (Lora("add_detail", 0.8), Lora("b c.d", 1.0))),
    ("<lora:two:0.8:0.5>", (Lora("two", 0.5, 0.8),)),
    ("<lora:named:te=0.1:unet=0.2>", (Lora("named", 0.2, 0.1),)),
    ("<lora:half:0.7:unet=0.7:dyn=4>", (Lora("half", 0.7),)),
    ("<lora:bare>", (Lora("bare", 1.0),)),
    ("<lora:odd:much>", (Lora("odd", 1.0),)),
    ("<lora:same:0.5><lora:same:0.9>", (Lora("same", 0.5),)),
    ("<lora::1> <lora:open:0.5 a < b", ()),
]


@pytest.mark.parametrize(
    ("text", "positive", "negative", "parameters"), [row[1:] for row in READ], ids=[row[0] for row in READ]
)
def test_a_text(text: str, positive: str, negative: str, parameters: dict[str, Any]) -> None:
    found = parse(text)
    assert found is not None
    assert (found.positive, found.negative) == (positive, negative)
    assert {name: getattr(found.parameters, name) for name in parameters} == parameters


@pytest.mark.parametrize(("line", "other"), [row[1:] for row in OTHER], ids=[row[0] for row in OTHER])
def test_what_has_no_field_keeps_its_name(line: str, other: Mapping[str, str]) -> None:
    found = parse(f"a fox\n{line}")
    assert found is not None
    assert (found.positive, found.parameters.steps, found.parameters.other) == ("a fox", 5, other)


@pytest.mark.parametrize(("fields", "generator"), GENERATORS)
def test_who_wrote_it(fields: str, generator: str) -> None:
    found = parse(f"a fox\nSteps: 20, {fields}")
    assert found is not None
    assert found.generator == generator


@pytest.mark.parametrize(("prompt", "loras"), LORAS)
def test_loras_of_tags(prompt: str, loras: tuple[Lora, ...]) -> None:
    found = parse(f"{prompt}\nSteps: 5")
    assert found is not None
    assert (found.parameters.loras, found.positive) == (loras, prompt)


def test_what_civitai_lists() -> None:
    resources = [
        {"type": "checkpoint", "modelVersionId": 1, "modelName": "Pony [XL], best", "modelVersionName": "v6"},
        {"type": "lora", "weight": 0.85, "modelVersionId": 2, "modelName": "Double Exposure"},
        {"type": "embed", "modelVersionId": 3, "modelName": "negativeXL"},
        {"air": "urn:air:sdxl:lora:civitai:4@5", "weight": 0.5},
        {"type": "lycoris", "modelVersionId": 6},
    ]
    found = parse(f"a fox\nSteps: 5, Civitai resources: {json.dumps(resources)}, Civitai metadata: {{}}")
    assert found is not None
    assert (found.generator, found.parameters.checkpoint) == ("Civitai", "Pony [XL], best")
    assert found.parameters.loras == (
        Lora("Double Exposure", 0.85),
        Lora("urn:air:sdxl:lora:civitai:4@5", 0.5),
        Lora("6", 1.0),
    )
    assert json.loads(found.parameters.other["Civitai resources"]) == resources


def test_a_lora_told_twice_is_one_and_the_model_is_the_files() -> None:
    resources = json.dumps(
        [{"type": "lora", "modelName": "b", "weight": 0.9}, {"type": "checkpoint", "modelName": "c"}]
    )
    found = parse(f"<lora:b:0.5>\nSteps: 5, Model: m, Civitai resources: {resources}")
    assert found is not None
    assert (found.parameters.loras, found.parameters.checkpoint) == ((Lora("b", 0.5),), "m")


PLACES = [
    (Field("PNG text", "parameters", "just a fox"), "just a fox"),
    (Field("PNG text", "parameters", '{"prompt": "a fox"}'), None),
    (Field("PNG text", "parameters", " \n"), None),
    (Field("PNG text", "Title", f"a fox\n{LINE}"), None),
    (Field("EXIF", "UserComment", f"a fox\n{LINE}"), "a fox"),
    (Field("EXIF", "UserComment", "Holiday in Rome: sun, sea: warm"), None),
    (Field("JPEG comment", "", f"a fox\n{LINE}"), "a fox"),
    (Field("XMP", "exif:UserComment", f"a fox\n{LINE}"), "a fox"),
    (Field("XMP", "dc:description", f"a fox\n{LINE}"), None),
    (Field("pixels", "alpha", f"a fox\n{LINE}"), "a fox"),
    (Field("pixels", "rgb", '{"Comment": "{}"}'), None),
]


@pytest.mark.parametrize(("field", "positive"), PLACES)
def test_where_it_is_looked_for(field: Field, positive: str | None) -> None:
    found = read(Carried("PNG", 8, 8, (field,)))
    assert (found and (found.positive, found.source)) == (positive and (positive, field.source))


HOSTILE = [
    ("lines", "a: b, c: d\n" * 100_000 + LINE),
    ("marks", "Negative prompt: " * 60_000 + "\n" + LINE),
    ("mark lines", "Negative prompt: \n" * 60_000 + LINE),
    ("open quotes", "Steps: 5, " + 'k: "a, ' * 200_000),
    ("escapes", "Steps: 5, k: " + '"' + "\\" * 1_000_000),
    ("open brackets", "Steps: 5, " + "k: [a, " * 200_000),
    ("closed brackets", "Steps: 5, " + "k: [a, " * 100_000 + "]" * 100_000 + "x"),
    ("names", "Steps: 5, " + ", ".join(f"n{number}: 1" for number in range(300_000))),
    ("tags", "<lora:a:" * 200_000 + "\n" + LINE),
    ("blanks", " " * 1_000_000 + "\n" + LINE),
    ("one word", "a" * 4_000_000 + ":"),
    ("templates", "a\nSteps: 5\n" + "Template: \n" * 100_000),
    ("inline", " Steps: 20," * 200_000),
    ("line ends", "a" + "\n" * 4_000_000 + "b"),
    ("commas", "Steps: 5" + " ," * 1_000_000),
    ("no names", "Steps: 5," + '",' * 1_000_000),
    ("deep brackets", "Steps: 5" + ", k: [" + "[" * 2_000_000),
]


@pytest.mark.parametrize("text", [row[1] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_hostile_texts_end(text: str) -> None:
    """A time that grows with the square would not end within the suite's limit."""
    found = parse(text)
    assert found is not None
    assert len(found.parameters.other) <= 2_000
    assert len(found.positive) <= 200_000


def test_a_hundred_thousand_lines_before_the_parameters() -> None:
    found = parse(f"a fox\n{'word, ' * 3}\n" * 10 + "x: 1\n" * 100_000 + f"Negative prompt: hen\n{LINE}")
    assert found is not None
    assert (found.negative, found.parameters.steps) == ("hen", 20)


# Writing


def test_it_writes_what_a1111_writes() -> None:
    assert write("a fox,\nin snow <lora:detail:0.8>", "blurry", ORDINARY_WITH_TAG) == (
        "a fox,\nin snow <lora:detail:0.8>\n"
        "Negative prompt: blurry\n"
        "Steps: 20, Sampler: Euler, Schedule type: Karras, CFG scale: 7, Seed: 965400086, Size: 512x768, "
        "Model hash: 31e35c80fc, Model: sd_xl_base_1.0.safetensors, VAE: sdxl_vae, Clip skip: 2, "
        'Denoising strength: 0.45, TI hashes: "a: 1f, b: 2e", Hires steps: 9, Version: ComfyUI'
    )


ORDINARY_WITH_TAG = Parameters(
    **{name: getattr(ORDINARY, name) for name in Parameters.__dataclass_fields__ if name not in ("loras", "other")},
    loras=(Lora("detail", 0.8),),
    other={"TI hashes": "a: 1f, b: 2e", "Hires steps": "9"},
)


def test_control_characters_are_not_written() -> None:
    assert write("a\x00\x1b[2J\r\nb", "", Parameters(steps=5, seed=1)) == "a[2J\nb\nSteps: 5, Seed: 1, Version: ComfyUI"


WRITTEN = [
    ("no negative", "a fox", "", ORDINARY, "a fox\nSteps: 20, "),
    (
        "LoRAs beside the prompt",
        "a fox",
        "",
        Parameters(steps=5, seed=1, loras=(Lora("a.safetensors", 0.8), Lora("b", 1.0, 0.5))),
        'a fox\nSteps: 5, Seed: 1, Lora weights: "a.safetensors: 0.8, b: 1.0: 0.5", Version: ComfyUI',
    ),
    (
        "another weight than the tag's",
        "<lora:x:0.5>",
        "",
        Parameters(steps=5, loras=(Lora("x", 0.9),)),
        "<lora:x:0.5>\n",
    ),
    ("a tag that loaded nothing", "<lora:x:0.5>", "", Parameters(steps=5), "<lora:x:0.5>\n"),
    ("guidance", "a", "", Parameters(steps=5, guidance=3.5), "a\nSteps: 5, Distilled CFG Scale: 3.5, Version: ComfyUI"),
    (
        "nothing known",
        "a",
        "b",
        Parameters(),
        "a\nNegative prompt: b\nRaw prompt: a, Raw negative prompt: b, Version: ComfyUI",
    ),
    (
        "blanks at the end",
        "a \n",
        "",
        Parameters(steps=5, seed=1),
        'a \n\nSteps: 5, Seed: 1, Raw prompt: "a \\n", Raw negative prompt: "", Version: ComfyUI',
    ),
]


@pytest.mark.parametrize(
    ("positive", "negative", "parameters", "start"), [row[1:] for row in WRITTEN], ids=[row[0] for row in WRITTEN]
)
def test_how_it_is_written(positive: str, negative: str, parameters: Parameters, start: str) -> None:
    text = write(positive, negative, parameters)
    assert text.startswith(start)
    returned(positive, negative, parameters)


def returned(positive: str, negative: str, parameters: Parameters) -> None:
    """Written, it is read back equal; without LoRAs of its own, those of the prompt's tags are read."""
    found = parse(write(positive, negative, parameters))
    assert found is not None
    assert found.generator == "ComfyUI"
    assert (found.positive, found.negative) == (clean(positive), clean(negative))
    loras = parameters.loras or loras_of(clean(positive))
    assert found.parameters == replace(parameters, loras=loras)


AWKWARD = [
    "Negative prompt: no",
    "a\nNegative prompt: b",
    "Steps: 20, Sampler: x",
    "a\nSteps: 20, Sampler: x, Seed: 3\nb",
    "a\nModel: m, Seed: 4, Size: 5x5",
    "a\nTemplate: x",
    "Raw prompt: a, Raw negative prompt: b, Version: ComfyUI",
    "  a  ",
    "\n\n",
    "a\u2028b\x85c",
    "🦊 \U0001f9d1\u200d\U0001f3a8",
    '{"json": 1}',
    '"',
    "\\",
    "a\r\nb\rc",
    "Steps: 5,",
    "<lora:x:0.5>",
    "(a, b:1.2), [c], {d|e}",
    "\x00\x1b[2J",
    "",
]


@pytest.mark.parametrize("negative", AWKWARD)
@pytest.mark.parametrize("positive", AWKWARD)
def test_awkward_texts_return(positive: str, negative: str) -> None:
    for parameters in (ORDINARY, Parameters(), Parameters(width=5, height=6)):
        returned(positive, negative, parameters)


texts = st.one_of(
    st.sampled_from(AWKWARD),
    st.text(),
    st.lists(st.one_of(st.sampled_from(AWKWARD), st.text(max_size=9)), max_size=4).map("\n".join),
    st.lists(st.sampled_from(["Steps: 20", ", ", ": ", '"', "[", "]", "\\", "\n", "Negative prompt:", "a"])).map(
        "".join
    ),
)
"""Prompts: whatever Unicode has, and what looks like A1111's form."""
values = texts.map(clean)
floats = st.floats(-1e6, 1e6) | st.sampled_from([7.0, 0.45, 1e-7])
whole = st.integers(-(1 << 64) + 1, (1 << 64) - 1)
names = st.sampled_from(
    ["Size", "Steps", "Version", "seed", "Lora weights", "Hires steps", "a", "", "b:c", "d,e", "ü 1"]
)
loras = st.builds(Lora, values, floats, st.none() | floats)
parameters = st.builds(
    Parameters,
    seed=st.none() | whole,
    steps=st.none() | whole,
    sampler=values,
    scheduler=values,
    cfg_scale=st.none() | floats,
    guidance=st.none() | floats,
    denoise=st.none() | floats,
    width=st.none() | whole,
    height=st.none() | whole,
    clip_skip=st.none() | whole,
    checkpoint=values,
    checkpoint_hash=values,
    vae=values,
    loras=st.lists(loras, max_size=3).map(tuple),
    other=st.dictionaries(names | values, values, max_size=4),
)


@given(positive=texts, negative=texts, parameters=st.just(ORDINARY))
def test_any_texts_return(positive: str, negative: str, parameters: Parameters) -> None:
    returned(positive, negative, parameters)


@given(positive=texts, negative=texts, parameters=parameters)
def test_any_parameters_return(positive: str, negative: str, parameters: Parameters) -> None:
    returned(positive, negative, parameters)


def test_a_long_prompt_returns() -> None:
    returned("fox, " * 39_000 + "x", "hen\n" * 40_000 + "y", ORDINARY)


# What others read of it


def a1111_reads(text: str) -> dict[str, str]:
    """As A1111's parse_generation_parameters does, by its expression."""
    *lines, last = text.strip().split("\n")
    found = re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', last)
    assert len(found) >= 3
    joined = "\n".join(lines)
    positive, _, negative = joined.partition("\nNegative prompt: ")
    return {"Prompt": positive, "Negative prompt": negative} | {
        name: json.loads(value) if value.startswith('"') else value for name, value in found
    }


@pytest.mark.parametrize("loras", [(), (Lora("x, y: z", 0.5),), (Lora("plain", 0.8, 0.3),)])
def test_a1111_reads_it(loras: tuple[Lora, ...]) -> None:
    known = {name: getattr(ORDINARY, name) for name in Parameters.__dataclass_fields__ if name != "loras"}
    found = a1111_reads(write("a fox,\nin snow", "blurry\nhen", Parameters(**known, loras=loras)))
    assert found["Prompt"] == "a fox,\nin snow"
    assert found["Negative prompt"] == "blurry\nhen"
    assert (found["Steps"], found["Seed"], found["Size"]) == ("20", "965400086", "512x768")
    assert (found["Sampler"], found["Schedule type"], found["Version"]) == ("Euler", "Karras", "ComfyUI")
    assert found["Model"] == "sd_xl_base_1.0.safetensors"


@pytest.mark.parametrize("parameters", [Parameters(), Parameters(steps=5), Parameters(width=5, height=6)])
def test_a1111_finds_the_parameters_however_few(parameters: Parameters) -> None:
    found = a1111_reads(write("a fox", "hen", parameters))
    assert (found["Prompt"], found["Negative prompt"], found["Version"]) == ("a fox", "hen", "ComfyUI")


@pytest.mark.parametrize("awkward", AWKWARD[:7])
def test_a1111_finds_the_parameters_under_awkward_texts(awkward: str) -> None:
    found = a1111_reads(write(f"a\n{awkward}", "", ORDINARY))
    assert (found["Steps"], found["Seed"], found["Size"]) == ("20", "965400086", "512x768")


def test_sd_parsers_reads_it() -> None:
    sd_parsers = pytest.importorskip("sd_parsers")
    info, file = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_itxt("parameters", write("a fox, 🦊", "blurry", ORDINARY))
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=info)
    found = sd_parsers.ParserManager().parse(file)
    assert found is not None
    (sampler,) = found.samplers
    assert [prompt.value for prompt in sampler.prompts] == ["a fox, 🦊"]
    assert [prompt.value for prompt in sampler.negative_prompts] == ["blurry"]
    assert (sampler.name, sampler.parameters["seed"], sampler.model.name) == (
        "Euler",
        "965400086",
        "sd_xl_base_1.0.safetensors",
    )
