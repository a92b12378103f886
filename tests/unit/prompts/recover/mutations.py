"""Files as generators write them, and the same files damaged at random: by number, so that each can be made again."""

from __future__ import annotations

import json
import struct
from copy import deepcopy
from functools import cache
from io import BytesIO
from random import Random
from typing import Any

from img2prompt.prompts import recover
from img2prompt.prompts.errors import RecoverError
from img2prompt.prompts.recover.carried import Carried, Field
from img2prompt.prompts.recover.exif import NAMES
from img2prompt.prompts.recover.files import read_file
from img2prompt.prompts.recover.stealth import hidden_field
from img2prompt.tests.unit.prompts.recover.containers import c2pa, exif, jpeg, png, stealth, webp, xmp
from img2prompt.tests.unit.prompts.recover.variants import SEEDS

GRAPH: dict[str, Any] = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 5, "steps": 20, "cfg": 7.5, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
            "model": ["10", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "fox.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 768, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["12", 0], "clip": ["10", 1]}, "_meta": {"title": "P"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["10", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "x"}},
    "10": {
        "class_type": "LoraLoader",
        "inputs": {"lora_name": "w.pt", "strength_model": 0.8, "strength_clip": 1, "model": ["4", 0], "clip": ["4", 1]},
    },
    "11": {"class_type": "PrimitiveStringMultiline", "inputs": {"value": "a red fox 狐"}},
    "12": {
        "class_type": "StringConcatenate", "inputs": {"string_a": ["11", 0], "string_b": "in snow", "delimiter": ", "},
    },
    "57:27": {"class_type": "FluxGuidance", "inputs": {"conditioning": ["6", 0], "guidance": 3.5}},
}  # fmt: skip


def ui_node(number: int, kind: str, inputs: dict[str, int | None], outputs: list[list[int]], values: list[Any]) -> Any:
    return {
        "id": number, "type": kind, "mode": 0, "widgets_values": values, "properties": {"Node name for S&R": kind},
        "inputs": [{"name": name, "type": "*", "link": link} for name, link in inputs.items()],
        "outputs": [{"name": "out", "type": "*", "links": links} for links in outputs],
    }  # fmt: skip


WORKFLOW = {
    "version": 0.4, "last_node_id": 9, "last_link_id": 9,
    "nodes": [
        ui_node(3, "KSampler", {"positive": 1, "negative": 2}, [[3]], [5, "fixed", 20, 7, "euler", "normal", 1]),
        ui_node(6, "sub-1", {"clip": None}, [[1]], ["a red fox"]),
        ui_node(7, "CLIPTextEncode", {"clip": None}, [[2]], ["blurry"]),
        ui_node(8, "VAEDecode", {"samples": 3}, [[4]], []),
        ui_node(9, "SaveImage", {"images": 4}, [], ["x"]),
    ],
    "links": [[1, 6, 0, 3, 0, "*"], [2, 7, 0, 3, 1, "*"], [3, 3, 0, 8, 0, "*"], [4, 8, 0, 9, 0, "*"]],
    "definitions": {
        "subgraphs": [
            {
                "id": "sub-1", "name": "Text", "inputs": [{"name": "text", "type": "STRING", "linkIds": [1]}],
                "outputs": [{"name": "out", "type": "*", "linkIds": [2]}],
                "nodes": [ui_node(27, "CLIPTextEncode", {"clip": None, "text": 1}, [[2]], ["inner"])],
                "links": [
                    {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 27, "target_slot": 1, "type": "*"},
                    {"id": 2, "origin_id": 27, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "*"},
                ],
            }
        ]
    },
}  # fmt: skip


@cache
def seeds() -> list[bytes]:
    """Sound files of every generator."""
    graph, workflow = json.dumps(GRAPH), json.dumps(WORKFLOW)
    return [
        *SEEDS,
        png({"prompt": graph, "workflow": workflow}),
        png({"prompt": graph, "parameters": "a fox\nNegative prompt: owl\nSteps: 20, Seed: 1"}, kind="zTXt"),
        png(after_idat={"prompt": graph}, kind="comf"),
        png({"workflow": workflow}, kind="iTXt compressed"),
        webp(exif=exif(model="prompt:" + graph, make="workflow:" + workflow), animated=True),
        webp(exif=exif(make="workflow:" + workflow)),
        jpeg(exif=exif(user_comment=graph, byte_order="II")),
        png(c2pa=c2pa("Firefly")),
        jpeg(c2pa=c2pa(software_agent="ChatGPT")),
        webp(c2pa=c2pa(generator_name="ChatGPT"), lossless=True),
        stealth("a fox\nSteps: 20, Seed: 1", mode="rgb", compressed=False),
        stealth("a fox\nSteps: 20, Seed: 1", file="WEBP"),
    ]


@cache
def carried(which: int) -> Carried:
    """All texts of a sound file, the hidden one too."""
    stream = BytesIO(seeds()[which])
    found = read_file(stream)
    hidden = hidden_field(stream, found)
    return Carried(found.kind, None, None, (*found.fields, hidden) if hidden else found.fields)


def with_other_texts(which: int, rng: Random) -> bytes:
    """A sound file like that one, but for what its texts say."""
    found = carried(which)
    texts = [Field(field.place, field.key, strange(field.text, rng)) for field in found.fields]
    place = {field.key: field.text for field in texts if field.place == "EXIF"}
    block = exif(
        user_comment=place.pop("UserComment", None),
        encoding=rng.choice(("utf-8", "utf-16-be", "utf-16-le")),
        tags={tag: place[name] for tag, name in NAMES.items() if name in place and tag < 0x9000},
    )
    packet = xmp({field.key: field.text for field in texts if field.place == "XMP"} or {"dc:title": "-"})
    if hidden := [field for field in texts if field.place == "pixels"]:
        return stealth(hidden[0].text, mode="alpha" if hidden[0].key == "alpha" else "rgb")
    if found.kind == "JPEG":
        comments = [field.text for field in texts if field.place == "JPEG comment"]
        return jpeg(exif=block, xmp=packet, comment=comments[0] if comments else None)
    if found.kind == "WebP":
        return webp(exif=block, xmp=packet)
    return png([(field.key, field.text) for field in texts if field.place == "PNG text"], exif=block, xmp=packet)


# Damage


STRANGE_VALUES: tuple[Any, ...] = (
    None, True, -1, 1e308, 10**40, "", "x" * 5000, [], {}, [[]], ["3", 0], ["nobody", 0], ["6", 10**9], [["6"], {}],
    {"a": None}, "\ud800", "\0\x1b[31m", "1e999", "NaN", "-0", "٣",
)  # fmt: skip
STRANGE_TEXTS = (
    "Negative prompt: ", "\nSteps: 20, ", "Seed: ", ", ", ': "', "\\", '\\"', "<lora:", ":1.5)", "((((", "{", "}", "[",
    "]", "\n", "\r", "\0", "😀", "\u202e", " --ar ", "prompt:", "NaN", "null", "1e400", "9" * 400, "\\ud800", " BREAK ",
    "Civitai resources: [",
)  # fmt: skip


def strange_json(text: str, rng: Random) -> str:
    """With some of its values replaced, doubled or left out; a text that is no JSON as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return strange_text(text, rng)
    for _ in range(rng.randint(1, 4)):
        places = places_of(value)
        if not places:
            break
        inside, key = rng.choice(places)
        other, where = rng.choice(places)
        new = deepcopy(rng.choice((other[where], *rng.sample(STRANGE_VALUES, 3))))
        if rng.random() < 0.25:
            del inside[key]
        else:
            inside[key] = new
    return json.dumps(value)


def places_of(value: Any) -> list[tuple[Any, Any]]:
    """Every list and mapping in a JSON value, with each of its keys."""
    places: list[tuple[Any, Any]] = []
    left = [value]
    while left:
        one = left.pop()
        keys = list(one) if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else []
        places += [(one, key) for key in keys]
        left += [one[key] for key in keys]
    return places


def nested(text: str, rng: Random) -> str:
    depth = rng.choice((1, 10, 1000, 5000))
    return rng.choice(("[" * depth + text + "]" * depth, '{"a":' * depth + text, text[:-1] + "[" * depth))


def strange_text(text: str, rng: Random) -> str:
    """With pieces put in, taken out and doubled."""
    for _ in range(rng.randint(1, 6)):
        at, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        end = min(end, at + rng.choice((1, 8, 100)))
        middle = rng.choice((rng.choice(STRANGE_TEXTS), "", text[at:end] * 2))
        text = text[:at] + middle + text[end:]
    return text


def strange(text: str, rng: Random) -> str:
    """Another text in one of these ways, or seldom the same."""
    return rng.choice((strange_json, strange_json, strange_text, nested))(text, rng)


def cut(file: bytes, rng: Random) -> bytes:
    return file[: rng.randint(0, len(file))]


def flipped(file: bytes, rng: Random) -> bytes:
    data = bytearray(file)
    for _ in range(rng.randint(1, 16)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def forged(file: bytes, rng: Random) -> bytes:
    """With a number that says too much, or too little, somewhere near the start or anywhere."""
    at = rng.randrange(max(1, rng.choice((len(file), min(len(file), 64)))))
    number = rng.choice((0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFF0, len(file), rng.getrandbits(32)))
    kind = rng.choice(("<I", ">I", "<H", ">H"))
    data = struct.pack(kind, number & 0xFFFF if kind[1] == "H" else number)
    return file[:at] + data + file[at + len(data) :]


def spliced(file: bytes, rng: Random) -> bytes:
    """With a piece of another file, or of its own, put in or in the place of another."""
    other = rng.choice((file, seeds()[rng.randrange(len(seeds()))]))
    start = rng.randint(0, len(other))
    at = rng.randint(0, len(file))
    piece = other[start : start + rng.choice((4, 64, 4096))]
    return file[:at] + piece + file[at + rng.choice((0, len(piece))) :]


def damaged(number: int) -> bytes:
    """The damaged file of that number."""
    rng = Random(number)
    which = rng.randrange(len(seeds()))
    deed = rng.random()
    file = seeds()[which]
    if deed < 0.6:
        try:
            file = with_other_texts(which, rng)
        except (ValueError, struct.error):  # texts that this container cannot hold: lone surrogates, too long
            deed = 1
    if deed > 0.5:
        for _ in range(rng.randint(1, 3)):
            file = rng.choice((cut, flipped, flipped, forged, forged, spliced))(file, rng)
    return file


def outcome(file: bytes) -> str:
    """ "read", "nothing" or "refused". Raises whatever else came up, also where `recover` had to turn it."""
    try:
        found = recover(BytesIO(file), stealth=True)
    except RecoverError as error:
        cause = error.__cause__
        if cause is not None and not isinstance(cause, RecoverError):
            raise AssertionError("only the edge of `recover` made this RecoverError") from cause
        return "refused"
    if found is None:
        return "nothing"
    texts = [text for prompt in found.prompts for text in (prompt.positive, prompt.negative)]
    "\n".join(texts).encode()  # no lone surrogates
    return "read"
