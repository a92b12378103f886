"""What the seeing server sees in a picture, and how it says it in any JSON schema."""

from __future__ import annotations

import binascii
import hashlib
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

DATA_URLS = ("data:image/jpeg;base64,", "data:image/png;base64,")
COLORS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "gray": (128, 128, 128),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "orange": (255, 128, 0),
    "purple": (128, 0, 128),
    "brown": (128, 64, 0),
    "pink": (255, 180, 200),
    "navy": (0, 0, 128),
}
PLAIN = {"jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform", "progressive", "progression"}
"""What Pillow tells of a file's form; anything else is what a user may not want to send."""
SMALL = (64, 64)
"""JPEGs are decoded at about this size: enough for a colour in the middle and at the edge."""


@dataclass(frozen=True)
class Sight:
    """What was seen in one picture."""

    center: str
    border: str
    width: int
    height: int
    form: str = "JPEG"
    """Of its file, as Pillow calls it."""

    @property
    def words(self) -> list[str]:
        return [f"{self.center} center", f"{self.border} border"]

    @property
    def tokens(self) -> int:
        """What Qwen3-VL makes of it: a token for each square of 32x32 pixels, 64 at least."""
        return max(64, round(self.width / 32) * round(self.height / 32))

    def __str__(self) -> str:
        return f"a {self.center} center on a {self.border} border, {self.width}x{self.height}"


def draw(center: str = "red", border: str = "white", size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture that is recognised: its middle half in one colour, the rest in another."""
    width, height = size
    picture = Image.new("RGB", size, COLORS[border])
    picture.paste(COLORS[center], (width // 4, height // 4, width - width // 4, height - height // 4))
    return picture


def look_at(part: Any) -> Sight:
    """What is in one picture part of a message, whose URL is replaced by the sight. Raises ValueError."""
    match part:
        case {"type": "image_url", "image_url": {"url": str() as url}} if url.startswith(DATA_URLS):
            pass
        case _:
            raise ValueError("a part before the text is not a JPEG or PNG as a data URL")
    try:
        # strict_mode checks as base64.b64decode(validate=True) does, ten times as fast
        file = binascii.a2b_base64(url.partition(",")[2], strict_mode=True)
        digest = hashlib.sha256(file).digest()
        if digest not in _seen:
            _seen[digest] = _see(file)
    except (OSError, binascii.Error) as error:
        raise ValueError(f"a picture that cannot be read: {error}") from error
    part["image_url"]["url"] = str(_seen[digest])
    return _seen[digest]


_seen: dict[bytes, Sight] = {}
"""Pictures that were looked at before, by their digest: decoding is most of the server's work in a benchmark."""


def _see(file: bytes) -> Sight:
    picture = Image.open(io.BytesIO(file))
    width, height = picture.size
    if (metadata := {*picture.info} - PLAIN) or picture.getexif():
        raise ValueError(f"a picture with metadata: {metadata}")
    if picture.mode != "RGB":
        raise ValueError(f"a picture in mode {picture.mode}")
    picture.draft("RGB", SMALL)
    return Sight(_at(picture, 0.5, 0.5), _at(picture, 0.0, 0.0), width, height, str(picture.format))


def _at(picture: Image.Image, x: float, y: float) -> str:
    """The name of the nearest colour at a relative position."""
    pixel = picture.getpixel((min(int(x * picture.width), picture.width - 1), int(y * picture.height)))
    assert isinstance(pixel, tuple)
    return min(COLORS, key=lambda name: sum((a - b) ** 2 for a, b in zip(pixel, COLORS[name], strict=True)))


def answer_for(schema: dict[str, Any], sights: list[Sight]) -> Any:
    """The smallest document that the schema allows, with the sights in caption, tags, text and the like; in a story's
    observations and beats, each in its picture's."""
    document = smallest(schema, schema)
    if not isinstance(document, dict) or not sights:
        return document
    first = sights[0]
    said: dict[str, Any] = {
        "caption": "; ".join(map(str, sights)),
        "text": "; ".join(map(str, sights)),
        "tags": [word for sight in sights for word in sight.words],
        "palette": [{"name": first.center}, {"name": first.border}],
        "visible_text": [{"text": f"{first.width}x{first.height}"}],
    }
    if beats := len(document.get("beats", [])):
        said |= _story(sights, beats)
    return _filled(said, schema, schema)


def _story(sights: list[Sight], beats: int) -> dict[str, Any]:
    """What it says in a story: the beats spread over the pictures, in their order, and one character in all of them."""
    resting_on = [beat * len(sights) // beats for beat in range(beats)]
    return {
        "observations": [{"image": number, "seen": str(sight)} for number, sight in enumerate(sights, 1)],
        "cast": [{"age": "adult", "identity": sights[0].words[:1], "seen_in": list(range(1, len(sights) + 1))}],
        "beats": [
            {"image": index + 1, "what_is_seen": str(sights[index]), "tags": sights[index].words, "cast": [{}]}
            for index in resting_on
        ],
    }


def _filled(said: Any, schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """`said` as far as the schema has a place for it, over the smallest document."""
    schema = _resolved(schema, root)
    least = smallest(schema, root)
    if isinstance(said, dict) and isinstance(least, dict):
        parts = schema["properties"]
        return least | {name: _filled(said[name], parts[name], root) for name in said.keys() & least.keys()}
    if isinstance(said, list):
        return [_filled(one, schema["items"], root) for one in said[: schema.get("maxItems")]]
    return said[: schema.get("maxLength")] if isinstance(said, str) else said


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema or "anyOf" in schema or "oneOf" in schema:
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        else:
            schema = (schema.get("anyOf") or schema["oneOf"])[0]
    return schema


def smallest(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """The smallest document that a JSON schema (as pydantic writes them) allows."""
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        return {name: smallest(schema["properties"][name], root) for name in schema.get("required", [])}
    if schema["type"] == "array":
        return [smallest(schema["items"], root) for _ in range(schema.get("minItems", 0))]
    if schema["type"] == "string":
        return "x" * schema.get("minLength", 0)
    number = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    return {"integer": number, "number": number, "boolean": False, "null": None}[schema["type"]]
