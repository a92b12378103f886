"""Reading embedded prompts, side by side with sd-parsers: how long, and how often right. In `make bench`.

Every file is given to both readers turn by turn, as they are in the page cache, so that only the ratio counts.
sd-parsers 0.6 (MIT) is asked as its README says, pixels not searched; ours likewise.
"""

from __future__ import annotations

import io
import json
import statistics
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from img2prompt.prompts import RecoverError, recover
from img2prompt.scripts.samples import animated_pictures, generator_pictures
from img2prompt.tests.unit.prompts.recover.test_real_files import ANIMATED, PICTURES
from img2prompt.tests.unit.prompts.recover.variants import VARIANTS
from PIL import Image
from sd_parsers import ParserManager

PARAMETERS = "a red fox, in deep snow\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 512x512"
TURNS = 21
FILES = 1000
AFTER_IHDR, IEND_BYTES = 8 + 25, 12
NOISE = np.random.default_rng(1)

_manager = ParserManager()


def ours(file: Path) -> tuple[str, str]:
    """Positive and negative, ("", "") for none; an error of ours counts as none."""
    try:
        found = recover(file)
    except RecoverError:
        return "", ""
    return (found.positive, found.negative) if found else ("", "")


def theirs(file: Path) -> tuple[str, str]:
    """sd-parsers' texts of the first sampler that has any; whatever it raises counts as none."""
    try:
        found = _manager.parse(file)
    except Exception:  # noqa: BLE001 - part of what is measured
        return "", ""
    for sampler in found.samplers if found else ():
        if sampler.prompts:
            return _joined(sampler.prompts), _joined(sampler.negative_prompts)
    return "", ""


def _joined(texts: Iterable[object]) -> str:
    return ", ".join(map(str, texts)).strip()


def milliseconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def noise_png(side: int, *, after: bool) -> bytes:
    """A picture that does not compress, 4 bytes a pixel: 20 MB for a side of 2,236."""
    picture = Image.fromarray(NOISE.integers(0, 256, (side, side, 4), np.uint8), "RGBA")
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=0)
    data = b"parameters\0" + PARAMETERS.encode("latin-1")
    text = struct.pack(">I", len(data)) + b"tEXt" + data + struct.pack(">I", zlib.crc32(b"tEXt" + data))
    at = len(out.getvalue()) - IEND_BYTES if after else AFTER_IHDR
    return out.getvalue()[:at] + text + out.getvalue()[at:]


def one_large_file(folder: Path, *, after: bool) -> dict[str, Any]:
    """Milliseconds for a PNG of 20 MB, the medians of some turns."""
    file = folder / f"large-{after}.png"
    file.write_bytes(noise_png(2236, after=after))
    taken: dict[str, list[float]] = {"ours": [], "sd_parsers": []}
    for _ in range(TURNS):
        taken["ours"].append(milliseconds(lambda: ours(file)))
        taken["sd_parsers"].append(milliseconds(lambda: theirs(file)))
    right = {name: reader(file) == ("a red fox, in deep snow", "blurry") for name, reader in READERS.items()}
    return {name: {"ms": round(statistics.median(times), 2), "right": right[name]} for name, times in taken.items()}


READERS: dict[str, Callable[[Path], tuple[str, str]]] = {"ours": ours, "sd_parsers": theirs}


def samples(folder: Path) -> list[tuple[Path, tuple[str, str]]]:
    """Every variant and every real file, with what must be read."""
    rows = [
        *((generator_pictures() / row.file, (row.positive, row.negative)) for row in PICTURES),
        *((animated_pictures()[row.file], (row.positive, row.negative)) for row in ANIMATED),
    ]
    for number, variant in enumerate(VARIANTS):
        if variant.hidden:
            continue
        file = folder / f"variant-{number}"
        file.write_bytes(variant.file)
        rows.append((file, (variant.positive, variant.negative)))
    return rows


def one_folder(folder: Path, rows: list[tuple[Path, tuple[str, str]]]) -> dict[str, Any]:
    """Seconds for 1,000 files: each sample in its turn, every second file a picture of 1 MB that says how it was
    made, as folders have them."""
    usual = folder / "usual.png"
    usual.write_bytes(noise_png(500, after=False))
    files = [usual if number % 2 else rows[number // 2 % len(rows)][0] for number in range(FILES)]
    taken = dict.fromkeys(READERS, 0.0)
    for file in files:
        for name, reader in READERS.items():
            taken[name] += milliseconds(lambda file=file, reader=reader: reader(file))
    return {name: round(ms / 1000, 2) for name, ms in taken.items()}


def both_read(rows: list[tuple[Path, tuple[str, str]]]) -> dict[str, Any]:
    """Milliseconds for all files that sd-parsers reads rightly, once each: medians of some turns."""
    files = [file for file, wanted in rows if theirs(file) == wanted]
    taken: dict[str, list[float]] = {name: [] for name in READERS}
    for _ in range(TURNS):
        for name, reader in READERS.items():
            taken[name].append(sum(milliseconds(lambda file=file, reader=reader: reader(file)) for file in files))
    return {"files": len(files)} | {name: round(statistics.median(times), 1) for name, times in taken.items()}


def measure() -> dict[str, Any]:
    """All of it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = samples(folder)
        for reader in READERS.values():
            reader(rows[0][0])  # imports
        right = {name: sum(reader(file) == wanted for file, wanted in rows) for name, reader in READERS.items()}
        return {
            "files_right": {"of": len(rows), **right},
            "files_that_both_read_ms": both_read(rows),
            "png_20_mb_text_first": one_large_file(folder, after=False),
            "png_20_mb_text_last": one_large_file(folder, after=True),
            "folder_of_1000_s": one_folder(folder, rows),
        }


if __name__ == "__main__":
    result = measure()
    (Path(__file__).parent / "results" / "local-recover.json").write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
