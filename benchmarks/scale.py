"""What a million and a billion pictures take, from what one takes here: bytes, CPU time, listing, writing.

    python -P benchmarks/scale.py              measure, leave benchmarks/results/local-scale.json, print the table
    python -P benchmarks/scale.py RESULTS      print the table of other figures, as docs/scale.md has it

The rate of a GPU is none of it: that is whoever's own to measure (`img2prompt caption … --limit 1000`).
"""

from __future__ import annotations

import json
import os
import pickle
import platform
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from img2prompt.captions.find import Found, find
from img2prompt.captions.run import once_each
from img2prompt.captions.tables import JsonLines
from img2prompt.captions.task import Task
from img2prompt.engine.chat import prepare, to_body
from img2prompt.prompts import Request, read_analysis
from PIL import Image

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "docs" / "examples"
RESULTS = HERE / "results" / "local-scale.json"
SIDE = 1024
SEEN = 100
"""Pictures that are opened and asked about, without a server."""
LISTED = 20_000
WRITTEN = 5_000
COUNTS = (1_000_000, 1_000_000_000)
RATES = (1, 10, 50)
"""Pictures a second of one GPU: examples, none of them measured."""


@dataclass(frozen=True, slots=True)
class OnePicture:
    """What one takes, of the kind that `measure` draws: SIDE x SIDE pixels, one family."""

    file_bytes: float
    sent_bytes: float
    """The request."""
    cpu_ms: float
    """Of our own code: reading, encoding, the request, the row. Without the wait, and without the transport."""
    row_bytes: float
    """Of JSONL, the analysis with it."""
    outcome_bytes: float
    """What a worker on Ray gives the driver."""
    listing_ms: float
    """To find it, and to know that it was not found before."""
    writing_ms: float
    """Of the driver's: the outcome read, and a line of JSONL written."""


def measure(folder: Path) -> OnePicture:
    photo = Image.open(EXAMPLES / "astronaut.jpg").convert("RGB")
    picture = folder / "a.jpg"
    photo.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(picture, quality=90)
    task, found = Task(), Found(picture, "part 1/0000001.jpg")
    analysis = read_analysis((EXAMPLES / "astronaut.json").read_text(encoding="utf-8"))

    body, rows = b"", [*task.rows(found, analysis)]
    began = time.process_time()
    for _ in range(SEEN):
        request = task.request(found)
        assert isinstance(request, Request)
        body = to_body(prepare(request, SIDE * SIDE, 0.0), model="model", for_vllm=True)
        rows = task.rows(found, analysis)
    cpu_s = time.process_time() - began

    album = folder / "album"
    for number in range(LISTED):
        if number % 1000 == 0:
            (album / f"part {number // 1000:02}").mkdir(parents=True)
        os.link(picture, album / f"part {number // 1000:02}" / f"{number:07}.jpg")
    began = time.perf_counter()
    assert sum(1 for _ in once_each(find(album), [])) == LISTED
    listing_s = time.perf_counter() - began

    outcome = pickle.dumps((rows, "model"))
    table = JsonLines(folder / "a.jsonl", task.families)
    table.open()
    with closing(table):
        began = time.perf_counter()
        for number in range(WRITTEN):
            table.write(Found(picture, f"{number:07}.jpg"), pickle.loads(outcome)[0])
        writing_s = time.perf_counter() - began
    return OnePicture(
        file_bytes=picture.stat().st_size,
        sent_bytes=len(body),
        cpu_ms=round(cpu_s / SEEN * 1000, 2),
        row_bytes=(folder / "a.jsonl").stat().st_size / WRITTEN,
        outcome_bytes=len(outcome),
        listing_ms=round(listing_s / LISTED * 1000, 4),
        writing_ms=round(writing_s / WRITTEN * 1000, 4),
    )


def table(one: OnePicture) -> str:
    """In Markdown: one picture, and COUNTS of them."""
    lines = ["| pictures | 1 | " + " | ".join(f"{count:,}" for count in COUNTS) + " |", "|---|---|---|---|"]

    def add(what: str, each: str, total: list[str]) -> None:
        lines.append(f"| {what} | {each} | " + " | ".join(total) + " |")

    for rate in RATES:
        add(f"GPU, if it does {rate} a second", f"{1 / rate:g} s", [hours(count / rate) for count in COUNTS])
    for what, ms in (
        ("CPU of a worker", one.cpu_ms),
        ("finding, on the driver", one.listing_ms),
        ("writing JSONL, on the driver", one.writing_ms),
    ):
        add(what, f"{two(ms)} ms", [hours(count * ms / 1000) for count in COUNTS])
    for what, size in (
        ("read from the store", one.file_bytes),
        ("sent to the servers", one.sent_bytes),
        ("from the workers to the driver", one.outcome_bytes),
        ("JSONL", one.row_bytes),
    ):
        add(what, volume(size), [volume(count * size) for count in COUNTS])
    return "\n".join(lines)


def two(value: float) -> str:
    """With two digits that mean something."""
    return f"{float(f'{value:.2g}'):,g}" if value < 100 else f"{float(f'{value:.2g}'):,.0f}"


def hours(seconds: float) -> str:
    return f"{two(seconds / 3600)} h"


def volume(size: float) -> str:
    """In kB, MB, … of a thousand."""
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{two(size)} {unit}"


def read(results: Path) -> OnePicture:
    """The figures that a run has left."""
    return OnePicture(**json.loads(results.read_text(encoding="utf-8"))["one_picture"])


def main() -> None:
    if len(sys.argv) > 1:
        print(table(read(Path(sys.argv[1]))))
        return
    with tempfile.TemporaryDirectory() as place:
        one = measure(Path(place))
    about = {
        "when": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "picture": f"{SIDE}x{SIDE}, JPEG of quality 90, one family",
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**about, "one_picture": asdict(one)}, indent=2) + "\n", encoding="utf-8")
    print(table(one))


if __name__ == "__main__":
    main()
