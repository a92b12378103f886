"""What the seeing server sees in a picture, and how it says it in any JSON schema."""

from __future__ import annotations

import binascii
import hashlib
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

DATA_URL = "data:image/jpeg;base64,"
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
SMALL = (64, 64)
"""JPEGs are decoded at about this size: enough for a colour in the middle and at the edge."""


@dataclass(frozen=True)
class Sight:
    """What was seen in one picture."""

    center: str
    border: str
    width: int
    height: int

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
        case {"type": "image_url", "image_url": {"url": str() as url}} if url.startswith(DATA_URL):
            pass
        case _:
            raise ValueError("a part before the text is not a JPEG as a data URL")
    try:
        # strict_mode checks as base64.b64decode(validate=True) does, ten times as fast
        jpeg = binascii.a2b_base64(url[len(DATA_URL) :], strict_mode=True)
        digest = hashlib.sha256(jpeg).digest()
        if digest not in _seen:
            _seen[digest] = _see(jpeg)
    except (OSError, binascii.Error) as error:
        raise ValueError(f"a picture that cannot be read: {error}") from error
    part["image_url"]["url"] = str(_seen[digest])
    return _seen[digest]


_seen: dict[bytes, Sight] = {}
"""Pictures that were looked at before, by their digest: decoding is most of the server's work in a benchmark."""


def _see(jpeg: bytes) -> Sight:
    picture = Image.open(io.BytesIO(jpeg))
    width, height = picture.size
    if picture.mode != "RGB":
        raise ValueError(f"a picture in mode {picture.mode}")
    picture.draft("RGB", SMALL)
    return Sight(_at(picture, 0.5, 0.5), _at(picture, 0.0, 0.0), width, height)


def _at(picture: Image.Image, x: float, y: float) -> str:
    """The name of the nearest colour at a relative position."""
    pixel = picture.getpixel((min(int(x * picture.width), picture.width - 1), int(y * picture.height)))
    assert isinstance(pixel, tuple)
    return min(COLORS, key=lambda name: sum((a - b) ** 2 for a, b in zip(pixel, COLORS[name], strict=True)))


def answer_for(schema: dict[str, Any], sights: list[Sight]) -> Any:
    """The smallest document that the schema allows, with the sights in caption, tags, text and the like."""
    document = smallest(schema, schema)
    if not isinstance(document, dict) or not sights:
        return document
    first = sights[0]
    said: dict[str, Any] = {
        "caption": "; ".join(map(str, sights)),
        "text": "; ".join(map(str, sights)),
        "tags": [word for sight in sights for word in (f"{sight.center} center", f"{sight.border} border")],
        "palette": [{"name": first.center}, {"name": first.border}],
        "visible_text": [{"text": f"{first.width}x{first.height}"}],
    }
    for name in said.keys() & document.keys():
        part = _resolved(schema["properties"][name], schema)
        if part.get("type") == "array":
            items = _resolved(part["items"], schema)
            filled = [_over(smallest(items, schema), one) for one in said[name]]
            document[name] = filled[: part.get("maxItems", len(filled))]
        else:
            document[name] = said[name][: part.get("maxLength", len(said[name]))]
    return document


def _over(least: Any, said: Any) -> Any:
    """`said` in the place of `least`; of an object only the keys that it has."""
    if isinstance(least, dict) and isinstance(said, dict):
        return {name: said.get(name, value) for name, value in least.items()}
    return said


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
