"""Every generator's text in every container is read rightly, whatever else is in the file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from img2prompt.prompts import RecoverError, recover
from img2prompt.prompts.recover.carried import Carried, Field
from img2prompt.prompts.recover.files import read_file
from img2prompt.prompts.recover.generators import Reader
from img2prompt.prompts.recover.recovered import Lora, Recovered
from img2prompt.tests.unit.prompts.recover.containers import png
from img2prompt.tests.unit.prompts.recover.variants import VARIANTS, Variant


def check(variant: Variant, found: Recovered | None) -> None:
    assert found is not None
    assert (found.generator, found.positive, found.negative) == (
        variant.generator,
        variant.positive,
        variant.negative,
    )
    for name, value in variant.parameters.items():
        read = getattr(found.parameters, name)
        if isinstance(value, Mapping):
            read = {key: read.get(key) for key in value}
        assert (name, read) == (name, value)
    assert found.source
    assert found.notes == ()


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_a_variant(variant: Variant) -> None:
    if variant.hidden:
        assert recover(io.BytesIO(variant.file)) is None
    check(variant, recover(io.BytesIO(variant.file), stealth=variant.hidden))


def test_there_are_variants_enough() -> None:
    assert len(VARIANTS) >= 44
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)


@pytest.mark.parametrize(
    "variant", [variant for variant in VARIANTS if variant.second], ids=lambda variant: variant.name
)
def test_sd_parsers_agrees(variant: Variant) -> None:
    sd_parsers = pytest.importorskip("sd_parsers")
    found = sd_parsers.ParserManager().parse(io.BytesIO(variant.file))
    assert found is not None
    sampler = found.samplers[0]
    assert [prompt.value for prompt in sampler.prompts] == [variant.positive]
    assert [prompt.value for prompt in sampler.negative_prompts if prompt.value] == [variant.negative][
        : bool(variant.negative)
    ]
    if "steps" in variant.parameters and "steps" in sampler.parameters:
        assert int(sampler.parameters["steps"]) == variant.parameters["steps"]


def test_novelais_characters_are_kept_apart() -> None:
    variant = next(variant for variant in VARIANTS if variant.name == "NovelAI 4")
    found = recover(io.BytesIO(variant.file))
    assert found is not None
    girl, boy = found.prompts[0].characters
    assert (girl.positive, girl.negative, girl.center) == ("girl, red hair", "hat", (0.3, 0.7))
    assert (boy.positive, boy.negative, boy.center) == ("boy", "", (0.5, 0.5))


def test_novelais_characters_without_places() -> None:
    caption = {"base_caption": "a", "char_captions": [{"char_caption": "b", "centers": [{"x": 0.5, "y": 0.5}]}]}
    comment = json.dumps({"v4_prompt": {"caption": caption, "use_coords": False}})
    found = recover(io.BytesIO(png({"Comment": comment, "Software": "NovelAI"})))
    assert found is not None
    (character,) = found.prompts[0].characters
    assert (found.positive, character.center) == ("a, b", None)


def test_invokeais_graph_names_its_nodes() -> None:
    variant = next(variant for variant in VARIANTS if variant.name == "InvokeAI graph")
    found = recover(io.BytesIO(variant.file))
    assert found is not None
    (prompt,) = found.prompts
    assert [(node.id, node.type) for node in prompt.positive_nodes] == [("p", "string")]
    assert [(node.id, node.type) for node in prompt.negative_nodes] == [("n", "sdxl_compel_prompt")]
    assert prompt.sampler is not None
    assert (prompt.sampler.id, prompt.sampler.type) == ("d", "denoise_latents")


# Files that somebody changed

READERS = [
    import_module(f"img2prompt.prompts.recover.{name}").read
    for name in ["novelai", "invokeai", "swarmui", "fooocus", "a1111", "draw_things", "easy_diffusion", "midjourney"]
]
ODD: list[Any] = [
    None,
    True,
    -1,
    1e300,
    float("nan"),
    "",
    "text",
    "1e999",
    [],
    [None, [], {}, 1, "a"],
    {},
    {"a": {"b": []}},
]
"""What may stand where another type is expected."""


def carried_json() -> Iterator[tuple[Carried, int, Any]]:
    """What each variant's file carries, and the place and value of each JSON text in it."""
    for variant in VARIANTS:
        carried = read_file(io.BytesIO(variant.file))
        for place, field in enumerate(carried.fields):
            if field.text.startswith("{"):
                yield carried, place, json.loads(field.text)


def changed(value: Any) -> Iterator[Any]:
    """The value with one of its parts replaced, at every depth; the value itself is changed back afterwards."""
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, part in items:
        for odd in ODD:
            value[key] = odd
            yield None
        value[key] = part
        yield from changed(part)


def with_text(carried: Carried, place: int, text: str) -> Carried:
    fields = list(carried.fields)
    fields[place] = replace(fields[place], text=text)
    return replace(carried, fields=tuple(fields))


def check_types(found: Recovered) -> None:
    parameters = found.parameters
    for name in ("seed", "steps", "width", "height", "clip_skip"):
        assert type(getattr(parameters, name)) in (int, type(None))
    for name in ("cfg_scale", "guidance", "denoise"):
        assert type(getattr(parameters, name)) in (float, type(None))
    for name in ("sampler", "scheduler", "checkpoint", "checkpoint_hash", "vae"):
        assert type(getattr(parameters, name)) is str
    assert all(type(text) is str for pair in parameters.other.items() for text in pair)
    assert all(
        type(lora) is Lora and type(lora.name) is str and type(lora.weight) is float for lora in parameters.loras
    )
    assert all(type(prompt.positive) is str and type(prompt.negative) is str for prompt in found.prompts)


def stays_typed(reader: Reader, carried: Carried) -> bool:
    """Whether it was read at all; it may also be told to be damaged."""
    try:
        found = reader(carried)
    except RecoverError as error:
        assert str(error).endswith("was damaged or changed.")
        return False
    if found:
        check_types(found)
    return found is not None


def test_odd_values_are_left_out() -> None:
    """In every JSON text every value is replaced by others in turn; the readers themselves must not fail, since the
    edge would throw away the whole file."""
    seen, count = set(), 0
    for carried, place, value in carried_json():
        text = json.dumps(value)
        if text in seen:
            continue
        seen.add(text)
        for _ in changed(value):
            odd = with_text(carried, place, json.dumps(value))
            count += sum(stays_typed(reader, odd) for reader in READERS)
    assert count > 5_000


@pytest.mark.parametrize(
    "variant", [variant for variant in VARIANTS if not variant.hidden], ids=lambda variant: variant.name
)
def test_texts_that_break_off(variant: Variant) -> None:
    """Cut anywhere, a text is read, is not known any more, or is told to be damaged."""
    carried = read_file(io.BytesIO(variant.file))
    for place, field in enumerate(carried.fields):
        for end in range(0, len(field.text), max(1, len(field.text) // 40)):
            for reader in READERS:
                stays_typed(reader, with_text(carried, place, field.text[:end]))


@pytest.mark.parametrize(
    ("field", "what"),
    [
        (Field("PNG text", "parameters", '{"sui_image_params": {"prompt": "a'), "SwarmUI metadata"),
        (Field("PNG text", "invokeai_metadata", '{"positive_prompt"'), "InvokeAI metadata"),
        (Field("PNG text", "invokeai_metadata", "[]"), "InvokeAI metadata"),
        (Field("PNG text", "parameters", '{"base_model": 1, "adm_guidance": '), "Fooocus metadata"),
        (Field("EXIF", "UserComment", '{"c": "a", "uc": "b'), "Draw Things data"),
        (Field("EXIF", "UserComment", '{"use_stable_diffusion_model": '), "Easy Diffusion data"),
        (Field("pixels", "alpha", '{"Comment": "{", "Software": "NovelAI"}'), "NovelAI comment"),
    ],
)
def test_damage_is_told(field: Field, what: str) -> None:
    carried = Carried("PNG", 8, 8, (field,))
    told = []
    for reader in READERS:
        try:
            assert reader(carried) is None
        except RecoverError as error:
            told.append(str(error))
    assert len(told) == 1
    assert what in told[0]


@pytest.mark.parametrize(
    ("fields", "positive"),
    [
        ({"Comment": '{"v4_prompt": ', "Description": "a fox", "Software": "NovelAI"}, "a fox"),
        ({"sd-metadata": "{", "Dream": '"a fox [hen]" -s 5'}, "a fox"),
        ({"invokeai_metadata": "{", "Dream": '"a fox" -s 5'}, "a fox"),
    ],
)
def test_what_is_left_of_a_damaged_file_is_read(fields: dict[str, str], positive: str) -> None:
    found = recover(io.BytesIO(png(fields)))
    assert found is not None
    assert found.positive == positive
    (note,) = found.notes
    assert note.endswith("no readable JSON; the file was damaged or changed.")


@pytest.mark.parametrize(
    "fields",
    [
        (Field("PNG text", "Description", "A holiday in Rome --v"),),
        (Field("PNG text", "Comment", "Created with GIMP"), Field("PNG text", "Software", "GIMP")),
        (Field("PNG text", "Comment", '{"seed": 5}'),),
        (Field("PNG text", "prompt", "the width: 5, the height: 6"),),
        (Field("EXIF", "UserComment", '{"Comment": "NovelAI is a site"}'),),
        (Field("EXIF", "ImageDescription", "OLYMPUS DIGITAL CAMERA"), Field("EXIF", "Make", "OLYMPUS")),
        (Field("XMP", "dc:description", "a: b, c: d, e: f"), Field("XMP", "xmp:CreatorTool", "Lightroom")),
        (Field("JPEG comment", "", "CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90"),),
        (Field("PNG text", "parameters", "{}"),),
        (Field("EXIF", "ImageDescription", "A scope\nModel: X100, Size: 12 mm, Version: 3, Lens: 50"),),
        (Field("EXIF", "ImageDescription", "A cake\nSteps: 3, Time: 20 min, Size: 12 inch"),),
        (Field("EXIF", "UserComment", "Morning run\nSteps: 10432, Distance: 8.1 km"),),
        (Field("JPEG comment", "", "Field 7\nSeed: wheat, Model: JD 9000, Size: 3 ha, Version: 2"),),
        (
            Field("XMP", "dc:description", "The mayor speaks --file photo, --no comment"),
            Field("XMP", "Iptc4xmpExt:DigImageGUID", "12345678"),
        ),
    ],
)
def test_other_texts_are_nobodys(fields: tuple[Field, ...]) -> None:
    assert [reader(Carried("PNG", 8, 8, fields)) for reader in READERS] == [None] * len(READERS)
