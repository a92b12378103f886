"""Makes picture files that carry texts, in every way that a generator uses. Pixels are real: Pillow opens them all.

png({"parameters": "a fox\\nSteps: 20"})                                   # one tEXt chunk
png({"prompt": "…"}, kind="iTXt", after_idat={"workflow": "…"})
jpeg(exif=exif(user_comment="a fox", encoding="utf-16-be"), xmp=xmp({"dc:description": "a fox"}))
webp(exif=exif(model="prompt:{…}", make="workflow:{…}"), animated=True)
stealth("a fox\\nSteps: 20", mode="rgb", compressed=True)
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from PIL import Image

Texts = Mapping[str, str] | Sequence[tuple[str, str]]
Chunk = tuple[bytes, bytes]
TextKind = Literal["tEXt", "zTXt", "iTXt", "iTXt compressed", "comf"]
UserCommentEncoding = Literal["utf-16-be", "utf-16-le", "utf-8", "ascii"]
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
IMAGE_DESCRIPTION, MAKE, MODEL, SOFTWARE, ARTIST = 0x010E, 0x010F, 0x0110, 0x0131, 0x013B
XP_TITLE, XP_COMMENT, XP_KEYWORDS = 0x9C9B, 0x9C9C, 0x9C9E
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}


def picture(size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Image.Image:
    """A gradient with a little noise, no two of its lowest bits alike by chance over the length of a signature."""
    width, height = size
    pixels = np.random.default_rng(7).integers(0, 256, (height, width, 4), dtype=np.uint8)
    return Image.fromarray(pixels, "RGBA").convert(mode) if mode != "RGBA" else Image.fromarray(pixels, "RGBA")


# PNG


def png(
    texts: Texts = (),
    *,
    after_idat: Texts = (),
    kind: TextKind = "tEXt",
    encoding: str = "utf-8",
    exif: bytes | None = None,
    xmp: bytes | None = None,
    c2pa: bytes | None = None,
    chunks: Iterable[Chunk] = (),
    size: tuple[int, int] = (8, 8),
    image: Image.Image | None = None,
) -> bytes:
    """A PNG with these texts before its pixels, and these after them. `encoding` is that of tEXt and zTXt, which by
    the specification is latin-1; `exif` is a TIFF as of `exif`; `chunks` are (type, data), before the pixels too."""
    before = [text_chunk(key, text, kind, encoding) for key, text in pairs(texts)]
    before += [(b"eXIf", exif)] if exif is not None else []
    before += [text_chunk("XML:com.adobe.xmp", xmp.decode(), "iTXt")] if xmp is not None else []
    before += [(b"caBX", c2pa)] if c2pa is not None else []
    after = [text_chunk(key, text, kind, encoding) for key, text in pairs(after_idat)]
    own = png_chunks(saved(image or picture(size), "PNG"))
    return png_of([own[0], *before, *chunks, *own[1:-1], *after, own[-1]])


def text_chunk(key: str, text: str, kind: TextKind = "tEXt", encoding: str = "utf-8") -> Chunk:
    """One text as a chunk of that kind."""
    name = key.encode("latin-1") + b"\0"
    if kind == "zTXt":
        return b"zTXt", name + b"\0" + zlib.compress(text.encode(encoding))
    if kind == "iTXt":
        return b"iTXt", name + b"\0\0" + b"en\0" + key.encode() + b"\0" + text.encode()
    if kind == "iTXt compressed":
        return b"iTXt", name + b"\1\0" + b"\0\0" + zlib.compress(text.encode())
    return kind.encode(), name + text.encode(encoding)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(chunks: Iterable[Chunk]) -> bytes:
    """A file of these chunks, each with its own length and checksum."""
    return PNG_SIGNATURE + b"".join(png_chunk(kind, data) for kind, data in chunks)


def png_chunks(file: bytes) -> list[Chunk]:
    """The chunks of a sound PNG."""
    found, at = [], len(PNG_SIGNATURE)
    while at < len(file):
        (length,) = struct.unpack_from(">I", file, at)
        found.append((file[at + 4 : at + 8], file[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


# JPEG


def jpeg(
    *,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    comment: str | None = None,
    c2pa: bytes | None = None,
    segments: Iterable[tuple[int, bytes]] = (),
    size: tuple[int, int] = (8, 8),
) -> bytes:
    """A JPEG with these before its picture; `exif` is a TIFF as of `exif`; `segments` are (marker, data), 0xE1 for
    APP1. XMP too long for one segment is split as Adobe does (extended XMP)."""
    made = saved(picture(size), "JPEG")
    parts = [(0xE1, b"Exif\0\0" + exif)] if exif is not None else []
    parts += xmp_segments(xmp) if xmp is not None else []
    parts += c2pa_segments(c2pa) if c2pa is not None else []
    parts += [(0xFE, comment.encode())] if comment is not None else []
    parts += segments
    return made[:2] + b"".join(jpeg_segment(marker, data) for marker, data in parts) + made[2:]


def jpeg_segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def xmp_segments(xmp: bytes, part: int = 65_000) -> list[tuple[int, bytes]]:
    """APP1 segments of an XMP packet."""
    name = b"http://ns.adobe.com/xap/1.0/\0"
    if len(xmp) <= part:
        return [(0xE1, name + xmp)]
    guid = b"0123456789ABCDEF0123456789ABCDEF"
    note = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    note += b'<rdf:Description xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmpNote:HasExtendedXMP="' + guid + b'"/>'
    found = [(0xE1, name + note + b"</rdf:RDF></x:xmpmeta>")]
    for at in range(0, len(xmp), part):
        head = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", len(xmp), at)
        found.append((0xE1, head + xmp[at : at + part]))
    return found


def c2pa_segments(box: bytes, part: int = 60_000) -> list[tuple[int, bytes]]:
    """APP11 segments of a JUMBF box; each repeats the box's header."""
    head, body = box[:8], box[8:]
    pieces = [body[at : at + part] for at in range(0, len(body), part)]
    return [(0xEB, b"JP" + struct.pack(">HI", 1, number) + head + piece) for number, piece in enumerate(pieces, 1)]


# WebP


def webp(
    *,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    c2pa: bytes | None = None,
    animated: bool = False,
    lossless: bool = False,
    exif_header: bool = False,
    chunks: Iterable[Chunk] = (),
    size: tuple[int, int] = (8, 8),
    image: Image.Image | None = None,
) -> bytes:
    """A WebP with these after its picture; with `exif_header` the TIFF has JPEG's "Exif\\0\\0" before it, as Pillow and
    others write it."""
    first = image or picture(size)
    more = {"save_all": True, "append_images": [picture(size).rotate(180)], "duration": 100} if animated else {}
    own = webp_chunks(saved(first, "WEBP", lossless=lossless, exact=True, **more))
    if own[0][0] != b"VP8X":
        width, height = first.size
        own.insert(0, (b"VP8X", bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")))
    flags = own[0][1][0] | (0x08 if exif is not None else 0) | (0x04 if xmp is not None else 0)
    own[0] = (b"VP8X", bytes([flags]) + own[0][1][1:])
    own += [(b"EXIF", (b"Exif\0\0" if exif_header else b"") + exif)] if exif is not None else []
    own += [(b"XMP ", xmp)] if xmp is not None else []
    own += [(b"C2PA", c2pa)] if c2pa is not None else []
    return webp_of([*own, *chunks])


def webp_of(chunks: Iterable[Chunk]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_chunks(file: bytes) -> list[Chunk]:
    """The chunks of a sound WebP."""
    found, at = [], 12
    while at < len(file):
        (length,) = struct.unpack_from("<I", file, at + 4)
        found.append((file[at : at + 4], file[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return found


# EXIF and XMP


def exif(
    *,
    user_comment: str | None = None,
    encoding: UserCommentEncoding = "utf-16-be",
    header: bytes | None = None,
    make: str | None = None,
    model: str | None = None,
    image_description: str | None = None,
    software: str | None = None,
    artist: str | None = None,
    xp_title: str | None = None,
    xp_comment: str | None = None,
    xp_keywords: str | None = None,
    tags: Mapping[int, str] | None = None,
    byte_order: Literal["II", "MM"] = "MM",
) -> bytes:
    """A TIFF with these tags and no header before it. The comment's own 8 bytes of header are UNICODE for UTF-16 and
    ASCII else, unless given (b"" for none). `tags` are further ASCII tags of the first IFD. Texts of ASCII tags are
    UTF-8, as everybody writes them."""
    order = "<" if byte_order == "II" else ">"
    texts = {MAKE: make, MODEL: model, IMAGE_DESCRIPTION: image_description, SOFTWARE: software, ARTIST: artist}
    entries = {tag: (2, text.encode() + b"\0") for tag, text in {**texts, **(tags or {})}.items() if text is not None}
    for tag, text in {XP_TITLE: xp_title, XP_COMMENT: xp_comment, XP_KEYWORDS: xp_keywords}.items():
        entries |= {tag: (1, text.encode("utf-16-le") + b"\0\0")} if text is not None else {}
    if user_comment is None:
        return byte_order.encode() + struct.pack(order + "HI", 42, 8) + ifd(entries, 8, order)
    if header is None:
        header = b"UNICODE\0" if encoding.startswith("utf-16") else b"ASCII\0\0\0"
    inner = {USER_COMMENT: (7, header + user_comment.encode(encoding))}
    first = ifd({**entries, EXIF_IFD: (4, bytes(4))}, 8, order)
    first = ifd({**entries, EXIF_IFD: (4, struct.pack(order + "I", 8 + len(first)))}, 8, order)
    start = byte_order.encode() + struct.pack(order + "HI", 42, 8)
    return start + first + ifd(inner, 8 + len(first), order)


def ifd(entries: Mapping[int, tuple[int, bytes]], at: int, order: str = ">") -> bytes:
    """One image file directory of {tag: (type, value)} that stands `at` bytes from the TIFF's start, values behind."""
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}
    behind = at + 2 + 12 * len(entries) + 4
    table, values = b"", b""
    for tag, (kind, value) in sorted(entries.items()):
        place = value.ljust(4, b"\0")
        if len(value) > 4:
            place = struct.pack(order + "I", behind + len(values))
            values += value + b"\0" * (len(value) % 2)
        table += struct.pack(order + "HHI", tag, kind, len(value) // sizes[kind]) + place
    return struct.pack(order + "H", len(entries)) + table + bytes(4) + values


def xmp(properties: Mapping[str, str], form: Literal["attribute", "element", "alt"] = "alt") -> bytes:
    """An XMP packet with these properties ("dc:description"), written as attributes, as elements, or as elements with
    an rdf:Alt of one language in them."""
    attributes, elements = "", ""
    for key, text in properties.items():
        if form == "attribute":
            attributes += f" {key}={quoteattr(text)}"
            continue
        value = escape(text)
        if form == "alt":
            value = f'<rdf:Alt><rdf:li xml:lang="x-default">{value}</rdf:li></rdf:Alt>'
        elements += f"<{key}>{value}</{key}>"
    names = "".join(f' xmlns:{prefix}="{url}"' for prefix, url in NAMESPACES.items())
    rdf = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF {rdf}><rdf:Description rdf:about=""{names}{attributes}>{elements}</rdf:Description></rdf:RDF>'
        '</x:xmpmeta><?xpacket end="w"?>'
    ).encode()


# Content credentials and hidden texts


def c2pa(claim_generator: str = "", software_agent: str = "", generator_name: str = "") -> bytes:
    """Content credentials as a JUMBF box: a manifest store, a manifest, a claim and one assertion, both in CBOR."""
    claim: dict[str, object] = {"alg": "sha256", "dc:format": "image/png"}
    claim |= {"claim_generator": claim_generator} if claim_generator else {}
    claim |= {"claim_generator_info": [{"name": generator_name, "version": "1.0"}]} if generator_name else {}
    action: dict[str, object] = {"action": "c2pa.created"}
    action |= {"softwareAgent": software_agent} if software_agent else {}
    assertion = superbox("c2pa.actions", b"cbor", box(b"cbor", cbor({"actions": [action]})))
    store = superbox("c2pa.assertions", b"c2as", assertion)
    manifest = superbox("urn:uuid:1", b"c2ma", store + superbox("c2pa.claim", b"c2cl", box(b"cbor", cbor(claim))))
    return superbox("c2pa", b"c2pa", manifest)


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def superbox(label: str, kind: bytes, content: bytes) -> bytes:
    uuid = kind + bytes.fromhex("00110010800000AA00389B71")
    return box(b"jumb", box(b"jumd", uuid + b"\x03" + label.encode() + b"\0") + content)


def cbor(value: object) -> bytes:
    """Texts, lists and mappings as CBOR."""

    def head(major: int, length: int) -> bytes:
        if length < 24:
            return bytes([major << 5 | length])
        return bytes([major << 5 | 25]) + struct.pack(">H", length)

    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    assert isinstance(value, dict)
    return head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())


def stealth(
    text: str,
    *,
    mode: Literal["alpha", "rgb"] = "alpha",
    compressed: bool = True,
    size: tuple[int, int] | None = None,
    file: Literal["PNG", "WEBP"] = "PNG",
    data: bytes | None = None,
    bits: int | None = None,
) -> bytes:
    """A picture with a text in the lowest bits of its alpha or its colours, column by column, as NovelAI and A1111's
    extension write it. `data` replaces the text's bytes and `bits` the length that is told, to forge them."""
    signature = {
        ("alpha", False): b"stealth_pnginfo",
        ("alpha", True): b"stealth_pngcomp",
        ("rgb", False): b"stealth_rgbinfo",
        ("rgb", True): b"stealth_rgbcomp",
    }[mode, compressed]
    if data is None:
        data = gzip.compress(text.encode(), mtime=0) if compressed else text.encode()
    told = len(data) * 8 if bits is None else bits
    stream = np.unpackbits(np.frombuffer(signature + struct.pack(">I", told) + data, dtype=np.uint8))
    channels = 1 if mode == "alpha" else 3
    side = int(np.ceil(np.sqrt(len(stream) / channels))) + 1
    pixels = np.array(picture(size or (side, side), "RGBA" if mode == "alpha" else "RGB"))
    part = pixels[..., 3:] if mode == "alpha" else pixels
    columns = np.ascontiguousarray(part.transpose(1, 0, 2)).reshape(-1)
    if mode == "alpha":
        columns[:] = 255
    columns[: len(stream)] = columns[: len(stream)] & 0xFE | stream
    height, width = pixels.shape[:2]
    part[...] = columns.reshape(width, height, channels).transpose(1, 0, 2)
    image = Image.fromarray(pixels)
    return saved(image, file, lossless=True, exact=True) if file == "WEBP" else saved(image, file)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The file that Pillow writes."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pairs(texts: Texts) -> list[tuple[str, str]]:
    return list(texts.items()) if isinstance(texts, Mapping) else list(texts)
