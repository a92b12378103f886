"""Every way in which a file carries texts is read, exactly; what is no such file is refused in one way."""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from img2prompt.prompts.errors import RecoverError
from img2prompt.prompts.recover.carried import Carried
from img2prompt.prompts.recover.exif import comment_text
from img2prompt.prompts.recover.files import opened, read_file
from img2prompt.tests.unit.prompts.recover.containers import (
    UserCommentEncoding,
    c2pa,
    exif,
    ifd,
    jpeg,
    jpeg_segment,
    picture,
    png,
    png_chunks,
    png_of,
    saved,
    text_chunk,
    webp,
    webp_chunks,
    webp_of,
    xmp,
)
from PIL import Image

WORDS = "a fox, 雪の中の狐 — « été », 😀🦊\nNegative prompt: блюр\nSteps: 20, Seed: 1"
LATIN = "café à Zürich\nSteps: 20"
GRAPH = '{"6": {"inputs": {"text": "狐 😀"}, "class_type": "CLIPTextEncode"}}'
ASCII_GRAPH = json.dumps(json.loads(GRAPH))
"""As ComfyUI writes it."""


def read(file: bytes) -> Carried:
    return read_file(io.BytesIO(file))


def found(file: bytes) -> list[tuple[str, str, str]]:
    carried = read(file)
    assert carried.problems == ()
    return [(field.place, field.key, field.text) for field in carried.fields]


def raw(profile: bytes) -> str:
    """As ImageMagick writes it."""
    return f"\ngeneric\n{len(profile):8}\n{profile.hex(chr(10), 36)}\n"


TEXTS: dict[str, tuple[bytes, list[tuple[str, str, str]]]] = {
    "PNG tEXt, UTF-8": (png({"parameters": WORDS}), [("PNG text", "parameters", WORDS)]),
    "PNG tEXt, latin-1": (png({"parameters": LATIN}, encoding="latin-1"), [("PNG text", "parameters", LATIN)]),
    "PNG zTXt, UTF-8": (png({"parameters": WORDS}, kind="zTXt"), [("PNG text", "parameters", WORDS)]),
    "PNG zTXt, latin-1": (
        png({"parameters": LATIN}, kind="zTXt", encoding="latin-1"), [("PNG text", "parameters", LATIN)],
    ),
    "PNG iTXt": (png({"parameters": WORDS}, kind="iTXt"), [("PNG text", "parameters", WORDS)]),
    "PNG iTXt, compressed": (png({"prompt": GRAPH}, kind="iTXt compressed"), [("PNG text", "prompt", GRAPH)]),
    "PNG text behind the pixels": (
        png({"Software": "NovelAI"}, after_idat={"Comment": WORDS}),
        [("PNG text", "Software", "NovelAI"), ("PNG text", "Comment", WORDS)],
    ),
    "PNG comf behind the pixels": (
        png(after_idat=[("prompt", GRAPH), ("workflow", "{}")], kind="comf"),
        [("PNG comf", "prompt", GRAPH), ("PNG comf", "workflow", "{}")],
    ),
    "PNG eXIf": (png(exif=exif(user_comment=WORDS)), [("EXIF", "UserComment", WORDS)]),
    "PNG XMP": (png(xmp=xmp({"dc:description": WORDS})), [("XMP", "dc:description", WORDS)]),
    "PNG EXIF in hexadecimal": (
        png({"Raw profile type exif": raw(b"Exif\0\0" + exif(user_comment=WORDS))}),
        [("EXIF", "UserComment", WORDS)],
    ),
    "PNG EXIF in hexadecimal, as APP1": (
        png({"Raw profile type APP1": raw(b"Exif\0\0" + exif(user_comment=WORDS))}, kind="zTXt"),
        [("EXIF", "UserComment", WORDS)],
    ),
    "PNG XMP in hexadecimal": (
        png({"Raw profile type xmp": raw(xmp({"dc:description": WORDS}))}, kind="zTXt"),
        [("XMP", "dc:description", WORDS)],
    ),
    "PNG XMP in hexadecimal, as APP1": (
        png({"Raw profile type APP1": raw(b"http://ns.adobe.com/xap/1.0/\0" + xmp({"dc:description": WORDS}))}),
        [("XMP", "dc:description", WORDS)],
    ),
    "PNG text in many chunks, in order": (
        png([("a", "1"), ("b", "2"), ("a", "3")]),
        [("PNG text", "a", "1"), ("PNG text", "b", "2"), ("PNG text", "a", "3")],
    ),
    "PNG text with a byte order mark": (png({"parameters": "\ufeff" + WORDS}), [("PNG text", "parameters", WORDS)]),
    "JPEG EXIF with a byte order mark": (
        jpeg(exif=exif(user_comment="\ufeff" + WORDS, encoding="utf-8", header=b"")), [("EXIF", "UserComment", WORDS)],
    ),
    "PNG text with NUL at its end": (png({"parameters": WORDS + "\0"}), [("PNG text", "parameters", WORDS)]),
    "JPEG comment": (jpeg(comment=WORDS), [("JPEG comment", "", WORDS)]),
    "JPEG EXIF": (jpeg(exif=exif(user_comment=WORDS)), [("EXIF", "UserComment", WORDS)]),
    "JPEG EXIF in two segments": (
        jpeg(segments=[
            (0xE1, b"Exif\0\0" + exif(user_comment=WORDS * 900)[:60_000]),
            (0xE1, b"Exif\0\0" + exif(user_comment=WORDS * 900)[60_000:]),
        ]),
        [("EXIF", "UserComment", WORDS * 900)],
    ),
    "JPEG with filled markers": (
        jpeg()[:2] + b"\xff\xff" + jpeg_segment(0xFE, b"fox") + jpeg()[2:], [("JPEG comment", "", "fox")],
    ),
    "JPEG XMP": (jpeg(xmp=xmp({"exif:UserComment": WORDS})), [("XMP", "exif:UserComment", WORDS)]),
    "JPEG XMP in several segments": (
        jpeg(xmp=xmp({"exif:UserComment": WORDS * 2000})), [("XMP", "exif:UserComment", WORDS * 2000)],
    ),
    "WebP EXIF": (webp(exif=exif(user_comment=WORDS)), [("EXIF", "UserComment", WORDS)]),
    "WebP EXIF with JPEG's header": (
        webp(exif=exif(user_comment=WORDS), exif_header=True), [("EXIF", "UserComment", WORDS)],
    ),
    "WebP EXIF of odd length": (webp(exif=exif(software="ab"), xmp=xmp({"dc:title": "x"})),
                                [("EXIF", "Software", "ab"), ("XMP", "dc:title", "x")]),
    "WebP XMP, lossless": (webp(xmp=xmp({"dc:description": WORDS}), lossless=True), [("XMP", "dc:description", WORDS)]),
    "WebP animated": (
        webp(exif=exif(model="prompt:" + GRAPH, make="workflow:{}"), animated=True),
        [("EXIF", "Make", "workflow:{}"), ("EXIF", "Model", "prompt:" + GRAPH)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_read_exactly(name: str) -> None:
    file, texts = TEXTS[name]
    assert found(file) == texts
    Image.open(io.BytesIO(file)).load()  # what is tested is a picture


TAGS: list[tuple[dict[str, str], str]] = [
    ({"make": "workflow:" + GRAPH}, "Make"),
    ({"model": "prompt:" + GRAPH}, "Model"),
    ({"image_description": WORDS}, "ImageDescription"),
    ({"software": WORDS}, "Software"),
    ({"artist": WORDS}, "Artist"),
    ({"xp_title": WORDS}, "XPTitle"),
    ({"xp_comment": WORDS}, "XPComment"),
    ({"xp_keywords": WORDS}, "XPKeywords"),
]


@pytest.mark.parametrize("byte_order", ["II", "MM"])
@pytest.mark.parametrize(("tag", "name"), TAGS)
def test_a_tag_is_read_exactly(tag: dict[str, str], name: str, byte_order: str) -> None:
    (text,) = tag.values()
    assert found(webp(exif=exif(**tag, byte_order=byte_order))) == [("EXIF", name, text)]  # type: ignore[arg-type]


def test_comfyui_s_further_tags_are_read() -> None:
    file = webp(exif=exif(model="prompt:{}", make="workflow:{}", tags={0x010E: "a:1", 0x010D: "b:2", 0x010C: "c:3"}))
    assert found(file) == [
        ("EXIF", "0x010C", "c:3"), ("EXIF", "DocumentName", "b:2"), ("EXIF", "ImageDescription", "a:1"),
        ("EXIF", "Make", "workflow:{}"), ("EXIF", "Model", "prompt:{}"),
    ]  # fmt: skip


def test_a_pointer_to_exif_may_have_a_type_of_its_own() -> None:
    block = exif(user_comment=WORDS)
    file = jpeg(exif=block.replace(struct.pack(">HHI", 0x8769, 4, 1), struct.pack(">HHI", 0x8769, 13, 1)))
    assert found(file) == [("EXIF", "UserComment", WORDS)]


def test_a_damaged_tag_that_is_no_text_is_nobody_s_concern() -> None:
    tags = {0x0111: (4, b"offsets!"), 0x0131: (2, b"fox\0"), 0x927C: (7, b"a camera's own")}
    block = ifd(tags, 8)
    for tag, kind, count in ((0x0111, 4, 2), (0x927C, 7, 14)):
        at = block.index(struct.pack(">HHI", tag, kind, count)) + 8
        block = block[:at] + b"\x7f\xff\xff\xff" + block[at + 4 :]
    assert found(jpeg(exif=b"MM" + struct.pack(">HI", 42, 8) + block)) == [("EXIF", "Software", "fox")]


def test_exif_as_pillow_writes_it_is_read() -> None:
    image = picture()
    written = image.getexif()
    written[0x0110] = "prompt:" + ASCII_GRAPH
    written[0x010F] = "workflow:{}"
    file = saved(image, "WEBP", exif=written)
    assert found(file) == [("EXIF", "Make", "workflow:{}"), ("EXIF", "Model", "prompt:" + ASCII_GRAPH)]


COMMENTS = {
    "mixed": WORDS,
    "Latin letters": "a fox in deep snow, Steps: 20",
    "one letter": "a",
    "accents": "élégant Ünïcödé, renard à Zürich en été",
    "Japanese": "雪の中の狐、とても美しい、夜の森で月を見ている",
    "Chinese without any ASCII": "一只狐狸在深雪里行走，背景是森林和月亮",
    "Korean": "깊은 눈 속의 여우, 아름다운 숲",
    "Russian": "лиса в глубоком снегу",
    "emoji": "🦊❄️🌲 fox",
    "long": WORDS * 3000,
}


@pytest.mark.parametrize("byte_order", ["II", "MM"])
@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "utf-8"])
@pytest.mark.parametrize("text", COMMENTS.values(), ids=COMMENTS)
def test_a_comment_is_read_in_either_order_of_either_file(
    text: str, encoding: UserCommentEncoding, byte_order: str
) -> None:
    file = webp(exif=exif(user_comment=text, encoding=encoding, byte_order=byte_order))  # type: ignore[arg-type]
    assert found(file) == [("EXIF", "UserComment", text)]


HEADERS = [
    (b"", "utf-8", WORDS),
    (b"", "utf-16-le", WORDS),
    (b"", "utf-16-be", WORDS),
    (b"", "ascii", "fox"),
    (b"ASCII\0\0\0", "utf-8", WORDS),
    (b"ASCII\0\0\0", "utf-16-be", WORDS),
    (b"ASCII\0\0\0", "latin-1", LATIN),
    (bytes(8), "utf-8", WORDS),
    (bytes(8), "utf-16-le", WORDS),
    (b"UNICODE\0", "utf-8", WORDS),
    (b"UNICODE\0", "ascii", "a fox in deep snow, Steps: 20"),
    (b"UNICODE\0", "utf-16", WORDS),  # with a mark of its order
    (b"UNICODE\0\xfe\xff", "utf-16-be", WORDS),
    (b"UNICODE\0", "utf-16-be", "狐"),
    (b"UNICODE\0", "utf-16-be", "中国"),  # whose bytes are ASCII
]


@pytest.mark.parametrize(("header", "encoding", "text"), HEADERS)
def test_a_comment_is_read_whatever_its_header_says(header: bytes, encoding: str, text: str) -> None:
    assert comment_text(header + text.encode(encoding)).rstrip("\0") == text
    assert comment_text(header + text.encode(encoding) + b"\0\0").rstrip("\0") == text


@pytest.mark.parametrize("form", ["attribute", "element", "alt"])
def test_xmp_is_read_in_each_form(form: str) -> None:
    file = jpeg(xmp=xmp({"exif:UserComment": '{"c": "<狐> & \\"😀\\""}', "xmp:CreatorTool": "Draw Things"}, form))  # type: ignore[arg-type]
    assert found(file) == [
        ("XMP", "exif:UserComment", '{"c": "<狐> & \\"😀\\""}'), ("XMP", "xmp:CreatorTool", "Draw Things"),
    ]  # fmt: skip


def rdf(inside: str) -> bytes:
    names = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:d="http://purl.org/dc/elements/1.1/"'
    return f'<r:x xmlns:r="adobe:ns:meta/"><rdf:RDF {names}>{inside}</rdf:RDF></r:x>'.encode()


PACKETS = [
    # the usual prefix, whatever the packet's own is
    ("<rdf:Description><d:title>x</d:title></rdf:Description>", [("dc:title", "x")]),
    # a list is joined, of alternatives (languages) the first is taken
    (
        "<rdf:Description><d:subject><rdf:Bag><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Bag></d:subject>"
        "<d:title><rdf:Alt><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Alt></d:title></rdf:Description>",
        [("dc:subject", "a, b"), ("dc:title", "a")],
    ),
    # structures are stepped over
    (
        '<rdf:Description><d:x><rdf:Description d:y="1"><d:z>2</d:z></rdf:Description></d:x><d:w>3</d:w>'
        "</rdf:Description>",
        [("dc:w", "3")],
    ),
    # an unknown space keeps its prefix
    ('<rdf:Description xmlns:q="urn:q" q:a="1"/>', [("q:a", "1")]),
]


@pytest.mark.parametrize(("inside", "properties"), PACKETS)
def test_properties_are_told_apart_from_structures(inside: str, properties: list[tuple[str, str]]) -> None:
    assert found(webp(xmp=rdf(inside))) == [("XMP", key, text) for key, text in properties]
    assert found(webp(xmp=rdf(inside).decode().encode("utf-16"))) == [("XMP", key, text) for key, text in properties]


ENTITIES = '<!DOCTYPE x [<!ENTITY a "fox"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_no_entity_is_ever_resolved(encoding: str) -> None:
    packet = ENTITIES + rdf("<rdf:Description><d:title>&b;</d:title></rdf:Description>").decode()
    carried = read(webp(xmp=packet.encode(encoding)))
    assert carried.fields == ()
    assert carried.problems == ("The XMP has a document type, which no XMP has; it was not read.",)


@pytest.mark.parametrize("make", [png, jpeg, webp])
@pytest.mark.parametrize(
    ("credentials", "claimed"),
    [
        (c2pa(generator_name="ChatGPT", claim_generator="ChatGPT c2pa-rs/0.31", software_agent="GPT-4o"), "ChatGPT"),
        (c2pa(claim_generator="Adobe_Firefly"), "Adobe_Firefly"),
        (c2pa(software_agent="DALL·E 狐"), "DALL·E 狐"),
        (c2pa(claim_generator="x" * 100), "x" * 100),
        (c2pa(claim_generator="x" * 300), ""),
        (c2pa(claim_generator="red \x1b[31m text"), "red [31m text"),
        (c2pa(), ""),
    ],
)
def test_content_credentials_are_named(make: Callable[..., bytes], credentials: bytes, claimed: str) -> None:
    assert read(make(c2pa=credentials)).credentials == claimed


def test_the_active_manifest_is_the_last() -> None:
    assert read(png(c2pa=c2pa(generator_name="camera") + c2pa(generator_name="ChatGPT"))).credentials == "ChatGPT"


@pytest.mark.parametrize("make", [png, jpeg, webp])
def test_without_content_credentials_there_are_none(make: Callable[..., bytes]) -> None:
    assert read(make()).credentials is None


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (png(size=(30, 20)), "PNG"),
        (jpeg(size=(30, 20)), "JPEG"),
        (saved(picture((30, 20)), "JPEG", progressive=True), "JPEG"),
        (webp(size=(30, 20)), "WebP"),
        (webp(size=(30, 20), animated=True), "WebP"),
        (saved(picture((30, 20)), "WEBP"), "WebP"),
        (saved(picture((30, 20)), "WEBP", lossless=True), "WebP"),
    ],
)
def test_the_header_tells_kind_and_size(file: bytes, kind: str) -> None:
    carried = read(file)
    assert (carried.kind, carried.width, carried.height) == (kind, 30, 20)
    assert (carried.fields, carried.problems) == ((), ())


class Counting(io.BytesIO):
    """Counts what is read of it."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def test_pixels_are_stepped_over() -> None:
    noise = picture((1000, 700), "RGBA")
    pieces = [(kind, data) for kind, data in png_chunks(saved(noise, "PNG")) if kind == b"IDAT"]
    files = [
        png_of([png_chunks(png())[0], *pieces, text_chunk("parameters", WORDS), (b"IEND", b"")]),
        jpeg(comment=WORDS, size=(1000, 700)),
        webp(exif=exif(software=WORDS), image=noise, lossless=True),
    ]
    for file in files:
        stream = Counting(file)
        assert [field.text for field in read_file(stream).fields] == [WORDS]
        assert stream.taken < len(file) / 50


@pytest.mark.parametrize("size", [0, 1, 7, 64])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 100])
@pytest.mark.parametrize("last", [b"", b"x", b"xxxxxxx"])
def test_the_end_of_the_pixels_is_found_however_they_are_cut(size: int, count: int, last: bytes) -> None:
    pixels = [(b"IDAT", bytes(size))] * count + [(b"IDAT", last)]
    text = text_chunk("parameters", WORDS)
    made = png_of([png_chunks(png())[0], text, *pixels, text, (b"IDAT", bytes(size)), text, (b"IEND", b"")])
    assert found(made) == [("PNG text", "parameters", WORDS)] * 3


# What is damaged


def broken(file: bytes) -> tuple[list[str], str]:
    """The texts that are read all the same, and the only problem."""
    carried = read(file)
    (problem,) = carried.problems
    return [field.text for field in carried.fields], problem


OFF = "The file breaks off; it was damaged or not copied whole."
CHANGED = "the file was damaged or changed."
XMP_DAMAGED = "The XMP is damaged; what stands behind the damage was not read."
WHOLE = png({"parameters": WORDS})
FORGED = struct.pack(">I", 0xFFFFFFF0) + b"tEXtparameters\0" + WORDS.encode()
DAMAGED = [
    (WHOLE[:-12], [WORDS], OFF),
    (WHOLE[: WHOLE.index(b"IDAT") + 9], [WORDS], OFF),
    (WHOLE[: WHOLE.index(b"tEXt") + 30], [], OFF),
    (WHOLE[:-12] + FORGED, [WORDS], OFF),
    (png({"b": "fox"}, chunks=[(b"zTXt", b"a\0\0broken")]), ["fox"], "The PNG text 'a' cannot be unpacked; " + CHANGED),
    (png(chunks=[(b"tEXt", b"no keyword")]), [], "A PNG text has no keyword; the file was damaged."),
    (png(chunks=[(b"iTXt", b"a\0\0\0en")]), [], "The PNG text 'a' breaks off; the file was damaged."),
    (png({"a": "owl"}).replace(b"owl", b"own"), ["own"], "A PNG text does not match its checksum; " + CHANGED),
    (png(exif=b"nothing"), [], "The EXIF is damaged: it does not begin as one."),
    (jpeg(comment="fox")[:40], ["fox"], OFF),
    (jpeg(comment="fox") [:6], [], OFF),
    (jpeg(segments=[(0xFE, b"fox")])[:11] + b"junk", ["fox"], OFF),
    (webp(exif=exif(software="fox")) + b"EXIF\xff\xff\xff\xff", ["fox"], OFF),
    (webp(exif=exif(software="fox and owl")[:-4]), [], "The EXIF Software breaks off; the file was damaged."),
    (webp(exif=exif(software="fox and owl")[:20]), [], "The EXIF breaks off; the file was damaged."),
    (webp(xmp=xmp({"dc:title": "fox"}).partition(b"</rdf:Description>")[0]), ["fox"], XMP_DAMAGED),
]  # fmt: skip


@pytest.mark.parametrize(("file", "texts", "problem"), DAMAGED)
def test_what_is_sound_of_a_damaged_file_is_read(file: bytes, texts: list[str], problem: str) -> None:
    assert broken(file) == (texts, problem)


def test_directories_that_point_at_themselves_end() -> None:
    block = bytearray(exif(user_comment="fox", software="owl"))
    inner = block.index(struct.pack(">HHI", 0x8769, 4, 1)) + 8
    block[inner : inner + 4] = struct.pack(">I", 8)
    assert found(webp(exif=bytes(block))) == [("EXIF", "Software", "owl")]


def test_riff_s_own_length_is_not_believed() -> None:
    file = webp_of(webp_chunks(webp(exif=exif(software="fox"))))
    assert found(file[:4] + bytes(4) + file[8:]) == [("EXIF", "Software", "fox")]


@pytest.mark.parametrize("junk", [b"\n", b"hello, somebody hung this on"])
def test_what_hangs_behind_a_webp_is_no_damage(junk: bytes) -> None:
    assert found(webp(exif=exif(software="fox")) + junk) == [("EXIF", "Software", "fox")]


# What is no such file


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "The file is empty"),
        (b'{"prompt": "a fox"}', "The file is no picture; name a PNG, JPEG or WebP"),
        (b"\x89PNG\r\n", "The file is no picture; name a PNG, JPEG or WebP"),
        (b"RIFF\0\0\0\0WAVE", "The file is no picture; name a PNG, JPEG or WebP"),
    ],
)
def test_another_file_is_refused(file: bytes, message: str) -> None:
    with pytest.raises(RecoverError, match=message):
        read(file)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "AVIF", "ICO", "PPM", "JPEG2000", "DDS"])
def test_another_picture_says_nothing(kind: str) -> None:
    assert read(saved(picture(), kind)).kind == "other"


def test_a_path_is_opened_and_closed_and_an_open_file_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "fox 狐.png"
    path.write_bytes(WHOLE)
    for name in (path, str(path)):
        with opened(name) as stream:
            assert read_file(stream).first("parameters")
        assert stream.closed
    mine = io.BytesIO(WHOLE)
    mine.seek(50)
    with opened(mine) as stream:
        assert stream is mine
        assert read_file(stream).first("parameters")
    assert not mine.closed


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecoverError, match="It is a folder"), opened(tmp_path):
        pass
    with pytest.raises(RecoverError, match="no file's name"), opened("a\0b"):
        pass
    with pytest.raises(FileNotFoundError), opened(tmp_path / "none.png"):
        pass
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(RecoverError, match="no regular file"), opened(tmp_path / "pipe"):
            pass


def test_a_stream_must_be_of_bytes_and_seekable(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fox")
    with (tmp_path / "a.txt").open() as text, pytest.raises(RecoverError, match="binary mode"), opened(text) as stream:  # type: ignore[arg-type]
        read_file(stream)
    end, other = os.pipe()
    os.close(other)
    with os.fdopen(end, "rb") as pipe, pytest.raises(RecoverError, match="cannot be sought"), opened(pipe):
        pass
