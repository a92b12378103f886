"""Files made to harm who reads them, and a process in which each is read under guard.

python -c "from img2prompt.tests.unit.prompts.recover.hostile import judge; judge()" FILES…
"""

from __future__ import annotations

import gzip
import json
import os
import resource
import signal
import struct
import sys
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from img2prompt.tests.unit.prompts.recover.containers import (
    EXIF_IFD,
    SOFTWARE,
    Chunk,
    exif,
    ifd,
    jpeg,
    jpeg_segment,
    png,
    png_chunk,
    png_chunks,
    png_of,
    stealth,
    webp,
    webp_of,
    xmp,
)
from PIL import Image

MOST_ADDRESSES = 4 << 30
"""Bytes that a reading may ask for, used or not: who believes a forged length asks for more."""
HANG_S = 30
"""After which a reading is a hang. The bound is 2 s on a machine that does nothing else."""
MB = 1 << 20
HUGE = 0xFFFFFFF0
Write = Callable[[Path], None]


def bytes_of(make: Callable[[], bytes]) -> Write:
    def write(path: Path) -> None:
        path.write_bytes(make())

    return write


def sparse(before: bytes, zeros: int, after: bytes = b"") -> Write:
    """A file that is mostly a hole, which takes no room on disk."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(before)
            file.seek(zeros, os.SEEK_CUR)
            file.write(after + b"\0")

    return write


def png_start(kind: bytes, length: int) -> bytes:
    """A PNG up to the head of a chunk that is to follow."""
    own = png_of(png_chunks(png())[:1])
    return own + struct.pack(">I", length) + kind


@cache
def packed(size: int) -> bytes:
    """Spaces, packed a thousand times smaller."""
    packer = zlib.compressobj(6)
    return b"".join([*(packer.compress(b" " * MB) for _ in range(size // MB)), packer.flush()])


def text(key: str, value: object) -> Write:
    """A PNG with one text; what is no text is written as JSON."""
    return bytes_of(lambda: png({key: value if isinstance(value, str) else json.dumps(value)}))


def many_chunks(chunk: Chunk, count: int) -> Write:
    return bytes_of(lambda: png_of(png_chunks(png())[:1]) + png_chunk(*chunk) * count + png_chunk(b"IEND", b""))


def one_place_for_all_tags() -> bytes:
    """65,000 tags whose values are the same 8 MB."""
    tags = [0x0100 + number % 0x31 for number in range(65_000)]
    table = b"".join(struct.pack(">HHII", tag, 2, 8 * MB - 1, 8) for tag in tags)
    at = 8 + 8 * MB
    return b"MM\0*" + struct.pack(">I", at) + b"x" * (8 * MB) + struct.pack(">H", len(tags)) + table


def circular_exif() -> bytes:
    first = ifd({SOFTWARE: (2, b"fox\0"), EXIF_IFD: (4, struct.pack(">I", 8))}, 8)
    return b"MM" + struct.pack(">HI", 42, 8) + first[:-4] + struct.pack(">I", 8)


def large_picture(side: int, header: bytes) -> Write:
    """An RGBA picture, black but for the header in its alpha's lowest bits, written row by row."""
    bits = "".join(f"{byte:08b}" for byte in header)

    def write(path: Path) -> None:
        packer = zlib.compressobj(1)
        rows = [packer.compress(b"\0" + bytes([0, 0, 0, int(bit)]) + bytes(4 * side - 4)) for bit in bits]
        rows += [packer.compress(bytes(4 * side + 1)) for _ in range(side - len(bits))]
        head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
        path.write_bytes(
            png_of([(b"IHDR", head), (b"IDAT", b"".join(rows) + packer.flush()), (b"IEND", b"")]),
        )

    return write


# Graphs of ComfyUI


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def sampled(strings: dict[str, Any], positive: list[Any]) -> dict[str, Any]:
    """A graph with a sampler whose positive comes from there."""
    return {
        "s": node("KSampler", positive=["e", 0], negative=["e", 0], seed=1, steps=2, cfg=3, sampler_name="euler"),
        "e": node("CLIPTextEncode", text=positive),
        "v": node("VAEDecode", samples=["s", 0]),
        "save": node("SaveImage", images=["v", 0]),
        **strings,
    }


def layers(count: int) -> dict[str, Any]:
    """Each joins the one below twice: the text is 2^count long."""
    joined = {
        f"c{at}": node("StringConcatenate", string_a=[f"c{at - 1}", 0], string_b=[f"c{at - 1}", 0], delimiter=",")
        for at in range(1, count)
    }
    return sampled({"c0": node("PrimitiveString", value="fox"), **joined}, [f"c{count - 1}", 0])


def chain(count: int) -> dict[str, Any]:
    """Conditioning through so many nodes."""
    links = {f"c{at}": node("ConditioningZeroOut", conditioning=[f"c{at - 1}", 0]) for at in range(1, count)}
    graph = sampled({"c0": node("CLIPTextEncode", text="fox"), **links}, ["c0", 0])
    graph["s"]["inputs"]["positive"] = [f"c{count - 1}", 0]
    return graph


def circle() -> dict[str, Any]:
    joined = {
        "a": node("StringConcatenate", string_a=["b", 0], string_b=["a", 0]),
        "b": node("Reroute", value=["a", 0]),
    }
    graph = sampled(joined, ["a", 0])
    graph["s"]["inputs"]["latent_image"] = ["v", 0]
    return graph


def nested_workflow(depth: int, itself: bool) -> dict[str, Any]:
    """Subgraphs in subgraphs, each twice; or one that holds itself."""
    definitions = [
        {
            "id": f"sub{at}",
            "nodes": [
                {"id": number, "type": f"sub{0 if itself else at + 1}", "inputs": [], "outputs": []}
                for number in (1, 2)
            ],
            "links": [],
            "inputs": [],
            "outputs": [],
        }
        for at in range(1 if itself else depth)
    ]
    return {
        "nodes": [{"id": 1, "type": "sub0"}],
        "links": [],
        "definitions": {"subgraphs": definitions},
        "version": 0.4,
    }


KEYS = ("parameters", "prompt", "workflow", "Comment", "invokeai_metadata", "sd-metadata", "sui_image_params")
"""In which generators keep JSON."""
NOT_A_NUMBER = '{"prompt": NaN, "steps": Infinity, "seed": -Infinity, "1": {"class_type": NaN, "inputs": NaN}}'
LONG_NUMBER = '{"seed": ' + "9" * 100_000 + ', "steps": 1e400, "prompt": "fox"}'
WRONG_TYPES: list[Any] = [
    None, True, 0, "x", [], [[]], {}, {"prompt": None}, {"prompt": {"a": []}}, {"1": None}, {"1": {"inputs": []}},
    {"1": {"class_type": 5, "inputs": {"text": [[], {}]}}}, {"nodes": [None, 1, {}], "links": [None, [1], 7]},
    {"sui_image_params": [1]}, {"v4_prompt": {"caption": {"char_captions": [None, {"centers": [None]}]}}},
    {"image": {"prompt": [{"prompt": None}, 3]}}, {"positive_prompt": {}, "loras": [1, {"model": None}]},
]  # fmt: skip
LINES = "a fox\nNegative prompt: owl\n" * 50_000 + "Steps: 20, Seed: 1"
MARKS = "((((<lora:a:" * 100_000 + "\nSteps: 20, " + 'Hashes: {"a": "' * 10_000 + "Lora hashes: " * 10_000
LAUGHS = '<!DOCTYPE x [<!ENTITY a "fox">' + "".join(
    f'<!ENTITY {chr(97 + at)} "{f"&{chr(96 + at)};" * 10}">' for at in range(1, 12)
)

MISSHAPEN = [
    NOT_A_NUMBER, LONG_NUMBER, "[" * 100_000, "[" * 10_000 + "]" * 10_000, '{"a":' * 100_000,
    *(json.dumps(value) for value in WRONG_TYPES),
]  # fmt: skip
"""Texts that no key should have."""


def many_objects(key: str, one: str, count: int) -> Write:
    """A PNG with a text that has so many objects in a list."""
    return bytes_of(lambda: png({key: '{"a": [' + one * count + "0]}"}))


def wide(size: int) -> str:
    """A text of so many bytes that takes four times as many in memory."""
    return "😀" + "x" * (size - 4)


FILES: dict[str, tuple[Write, str]] = {
    "empty": (bytes_of(bytes), "The file is empty"),
    "folder": (Path.mkdir, "It is a folder"),
    "pipe": (os.mkfifo, "It is no regular file"),  # pyright: ignore[reportAttributeAccessIssue]
    "device": (lambda path: path.symlink_to("/dev/zero"), "It is no regular file"),
    # Lengths
    "PNG text of 4 GB": (bytes_of(lambda: png_start(b"tEXt", HUGE) + b"parameters\0fox"), "breaks off"),
    "PNG pixels of 4 GB": (bytes_of(lambda: png_start(b"IDAT", HUGE)), "breaks off"),
    "PNG text of 100 MB": (sparse(png_start(b"tEXt", 100 * MB), 100 * MB), "larger than 8 MB"),
    "PNG EXIF of 120 MB": (sparse(png_start(b"eXIf", 120 * MB), 120 * MB), "larger than 8 MB"),
    "PNG credentials of 300 MB": (sparse(png_start(b"caBX", 300 * MB), 300 * MB), "C2PA"),
    "PNG of 100,000 chunks": (many_chunks((b"prVt", b""), 100_000), "more than 60,000 chunks"),
    "PNG of 100,000 texts": (many_chunks((b"tEXt", b"prompt\0{}"), 100_000), "more than 1,000 texts"),
    "PNG of 1,000 texts of 1 MB": (
        lambda path: sparse(b"", 1000 * MB)(path) or _in_hole(path, b"iTXt", MB), "larger than 16 MB",
    ),
    "JPEG of 100,000 segments": (
        bytes_of(lambda: jpeg()[:2] + jpeg_segment(0xE5, b"") * 100_000), "more than 60,000 segments",
    ),
    "JPEG of fill bytes": (bytes_of(lambda: jpeg()[:2] + b"\xff" * MB), "more than 60,000 segments"),
    "WebP of 100,000 chunks": (
        bytes_of(lambda: webp_of([]) + b"prVt\0\0\0\0" * 100_000), "more than 60,000 chunks",
    ),
    "WebP text of 4 GB": (bytes_of(lambda: webp() + b"EXIF" + struct.pack("<I", HUGE)), "breaks off"),
    # Bombs
    "zTXt bomb": (bytes_of(lambda: png(chunks=[(b"zTXt", b"a\0\0" + packed(50 * MB))])), "more than 8 MB"),
    "iTXt bomb": (bytes_of(lambda: png(chunks=[(b"iTXt", b"a\0\1\0\0\0" + packed(50 * MB))])), "more than 8 MB"),
    "1,000 bombs": (bytes_of(lambda: png(chunks=[(b"zTXt", b"a\0\0" + packed(20 * MB))] * 1000)), "more than 8 MB"),
    "1,000 small bombs": (bytes_of(lambda: png(chunks=[(b"zTXt", b"a\0\0" + packed(7 * MB))] * 1000)), "more than"),
    "XMP of entities": (bytes_of(lambda: jpeg(xmp=LAUGHS.encode() + b"]><x>&k;</x>")), "document type"),
    "XMP of a million elements": (bytes_of(lambda: webp(xmp=b"<a>" + b"<b/>" * 1_000_000 + b"</a>")), "too large"),
    "XMP 90,000 deep": (bytes_of(lambda: webp(xmp=b"<a>" * 90_000)), "XMP is damaged"),
    "XMP of 90,000 attributes": (
        bytes_of(lambda: webp(xmp=b"<a " + b" ".join(b'b%d=""' % at for at in range(90_000)) + b"/>")), "^None",
    ),
    "XMP of 8 MB": (bytes_of(lambda: webp(xmp=xmp({"exif:UserComment": wide(7 * MB)}))), "."),
    # EXIF
    "EXIF that points at itself": (bytes_of(lambda: jpeg(exif=circular_exif())), "^None"),
    "EXIF of one value many times": (bytes_of(lambda: webp(exif=one_place_for_all_tags()[: 8 * MB])), "breaks off"),
    "EXIF of one value for all tags": (
        bytes_of(lambda: webp(exif=one_place_for_all_tags().replace(b"x" * MB, b"", 1))), ".",
    ),
    "EXIF comment of 7 MB": (
        bytes_of(lambda: webp(exif=exif(user_comment="狐" * (7 * MB // 2), encoding="utf-16-le"))), ".",
    ),
    # Pixels
    "PNG with 4 GB behind its pixels": (
        bytes_of(lambda: png_of(png_chunks(png())[:2]) + struct.pack(">I", HUGE) + b"IDAT"), "breaks off",
    ),
    "PNG of 4 billion pixels": (
        bytes_of(lambda: png_of([(b"IHDR", struct.pack(">IIBBBBB", 65_000, 65_000, 8, 6, 0, 0, 0)), (b"IEND", b"")])),
        "^None",
    ),
    "36 MP with a hidden text of 4 GB": (large_picture(6000, b"stealth_pngcomp" + b"\xff\xff\xff\xf8"), "cannot be"),
    "36 MP with a hidden text of 4 MB": (large_picture(6000, b"stealth_pnginfo" + struct.pack(">I", 34_000_000)), "."),
    "hidden bomb": (bytes_of(lambda: stealth("", data=gzip.compress(bytes(16 * MB)))), "larger than 8 MB"),
    "hidden bomb in a WebP": (
        bytes_of(lambda: stealth("", data=gzip.compress(bytes(16 * MB)), file="WEBP")), "larger than 8 MB",
    ),
    "pixels in 29,000 pieces": (bytes_of(lambda: _scattered_pixels(29_000)), "^None"),
    "WebP of 8 MP": (bytes_of(lambda: webp(image=Image.new("RGBA", (2828, 2828)), lossless=True)), "^None"),
    # Texts
    "100,000 lines": (text("parameters", LINES), "."),
    "marks of weights and hashes": (text("parameters", MARKS), "."),
    "a text of 8 MB with an emoji": (
        bytes_of(lambda: png({"parameters": wide(8 * MB - 200) + "\nSteps: 20, Seed: 1"})), ".",
    ),
    "two JSON strings of 8 MB with an emoji": (
        bytes_of(lambda: png([("prompt", f'["{wide(8 * MB - 200)}"]'), ("workflow", f'["{wide(7 * MB)}"]')])), ".",
    ),
    "two JSON texts of 8 MB with an emoji and many objects": (
        bytes_of(lambda: png([(key, f'{{"{wide(4 * MB)}": [{"{}," * 249_000}0]}}') for key in ("prompt", "workflow")])),
        ".",
    ),
    # Graphs
    "a circle": (text("prompt", circle()), "."),
    "60 layers": (text("prompt", layers(60)), "."),
    "10,000 layers": (text("prompt", layers(10_000)), "."),
    "a chain of 15,000": (text("prompt", chain(15_000)), "."),
    "30,000 nodes": (text("prompt", chain(30_000)), "more than 20000"),
    "a subgraph in itself": (text("workflow", nested_workflow(1, itself=True)), "."),
    "60 subgraphs in one another": (text("workflow", nested_workflow(60, itself=False)), "."),
    # JSON
    **{f"{key}, 8 MB of objects": (many_objects(key, "{},", 2 * MB), ".") for key in KEYS},
    **{f"{key}, 240,000 objects": (many_objects(key, '{"😀": ""},', 240_000), ".") for key in KEYS},
}  # fmt: skip
"""By name: what writes it, and what must come out, as a regular expression for `judged`."""


def _in_hole(path: Path, kind: bytes, length: int) -> None:
    """A PNG of as many such chunks as the file holds."""
    with path.open("r+b") as file:
        file.write(png_start(kind, length)[:-8])
        start = b"prompt\0\0\0\0\0x"
        checksum = struct.pack(">I", zlib.crc32(kind + start.ljust(length, b"\0")))
        at, size = file.tell(), path.stat().st_size
        while at + length < size:
            file.seek(at)
            file.write(struct.pack(">I", length) + kind + start)
            file.seek(at + 8 + length)
            file.write(checksum)
            at += length + 12


def _scattered_pixels(pieces: int) -> bytes:
    head, *middle, end = png_chunks(png(size=(200, 200)))
    pixels = b"".join(data for _, data in middle)
    step = max(1, len(pixels) * 2 // pieces)
    parts = [pixels[at : at + step] for at in range(0, len(pixels), step)]
    return png_of([head, *(chunk for part in parts for chunk in ((b"IDAT", part), (b"prVt", b""))), end])


# The process that reads under guard


def judge(read: Callable[[str], object] | None = None) -> None:
    """Reads each file that is named in a process of its own, and prints one line of JSON for each: its name, what came
    out, the peak of the process's memory in MB, the seconds of CPU."""
    _load()
    for name in sys.argv[1:]:
        end, other = os.pipe()
        child = os.fork()
        if not child:
            os.write(other, _guarded(name, read or _recovered).encode()[:60_000])
            os._exit(0)
        os.close(other)
        with os.fdopen(end) as reader:
            outcome = reader.read()
        _, status, usage = os.wait4(child, 0)
        outcome = outcome or f"no answer: it ended with {os.waitstatus_to_exitcode(status)}"
        peak = usage.ru_maxrss // (1 << 20 if sys.platform == "darwin" else 1 << 10)
        print(json.dumps([name, outcome, peak, round(usage.ru_utime + usage.ru_stime, 2)]), flush=True)


def _load() -> None:
    """All that a reading needs, so that each process has it already."""
    from img2prompt.prompts import recover
    from img2prompt.prompts.recover.generators import readers

    readers()
    recover(BytesIO(stealth("a fox\nSteps: 20, Seed: 1")), stealth=True)


def _recovered(name: str) -> object:
    from img2prompt.prompts import recover

    return recover(name, stealth=True)


def _guarded(name: str, read: Callable[[str], object]) -> str:
    """What came out: the answer's repr, or the error's name and message, and the names of what caused it."""
    signal.alarm(HANG_S)  # ends the process
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    try:
        return f"{read(name)!r:.2000}"
    except BaseException as error:  # noqa: BLE001 (all that may come is what is looked for)
        names, cause = "", error.__cause__
        while cause is not None:
            names, cause = f"{names} from {type(cause).__name__}", cause.__cause__
        return f"{type(error).__name__}: {error}{names}"
