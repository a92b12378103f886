"""The checkpoints we know, and what a checkpoint on disk tells of itself: how large, how quantized, which shape.

Sizes in GiB are what vLLM holds on the GPU. Of a checkpoint on disk they are read from the headers of its safetensors
files; of one that is not here they are counted from the architecture. Knows no GPU and asks no network.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SettingsError

GIB = 1024**3
BYTES_PER_LINEAR = {"bf16": 2.0, "fp8": 1.0, "w4a16": 0.6}
"""Of the language model's linear layers; all else stays bf16. Four bits with a scale and zero point for every 128
weights would be 0.52; the 4-bit checkpoints named here were reported at 7.3 GiB for the 8B in vLLM, which is 0.6."""
LONGEST_HEADER = 100_000_000
"""Bytes; the safetensors format allows no longer one."""


@dataclass(frozen=True, slots=True)
class Size:
    """A Qwen3-VL, in parameters. Counted on the architecture without weights; they add up to Qwen's totals."""

    linear: int
    """In the language model's linear layers: what FP8 and W4A16 make smaller."""
    embedding: int
    """Input and output embeddings; shared in the 4B and the 2B."""
    vision: int
    layers: int
    hidden: int

    def weights_gib(self, bytes_per_linear: float) -> float:
        return (self.linear * bytes_per_linear + (self.embedding + self.vision) * 2) / GIB


SIZES = {
    "8B": Size(6_945_767_424, 1_244_659_712, 576_388_336, 36, 4096),
    "4B": Size(3_633_315_840, 388_956_160, 415_347_712, 36, 2560),
    "2B": Size(1_409_286_144, 311_164_928, 406_957_056, 28, 2048),
}
KEY_VALUE_HEADS, HEAD_DIM = 8, 128
DEEPSTACK = 3
"""A picture's embedding comes with those of this many layers of the vision encoder."""

HUB_NAMES = {
    (size, precision): pattern.format(size)
    for size in SIZES
    for precision, pattern in (
        ("bf16", "Qwen/Qwen3-VL-{}-Instruct"),
        ("fp8", "Qwen/Qwen3-VL-{}-Instruct-FP8"),
        ("w4a16", "cyankiwi/Qwen3-VL-{}-Instruct-AWQ-4bit"),  # of the community: Qwen has published none
    )
}
_KNOWN = {name: key for key, name in HUB_NAMES.items()}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the memory plan needs to know of one checkpoint."""

    name: str
    """Hub name, or the folder as it was given."""
    precision: str
    """ "bf16", "fp8", "w4a16", or what its config calls another method."""
    weights_gib: float
    kv_bytes: int
    """Of the key-value cache, for each token."""
    picture_bytes: int
    """Of the encoder cache, for each token of a picture."""
    source: str
    """How its size is known."""
    folder: Path | None = None
    """Where it is on disk."""
    max_pixels: int | None = None
    """Its own limit for one picture."""


def find_checkpoint(name: str) -> Checkpoint:
    """The checkpoint of this folder or hub name. Raises SettingsError when its size cannot be known."""
    folder = on_disk(name)
    if folder is not None:
        return _read(name, folder)
    if Path(name).expanduser().is_absolute() or name.startswith(("./", "../", "~")):
        raise SettingsError(f"There is no folder {name}; correct IMG2PROMPT_MODEL.")
    size, precision = _KNOWN.get(name) or _by_its_name(name)
    counted = "estimated for its architecture" if precision == "w4a16" else "counted from its architecture"
    how = counted if name in _KNOWN else f"as of a {size} in {precision}, by its name"
    return _counted(name, size, precision, f"{how}; not on disk yet")


def sibling(name: str, precision: str) -> str:
    """The hub name of a known checkpoint stored in another precision; other names as they are."""
    return HUB_NAMES[_KNOWN[name][0], precision] if name in _KNOWN else name


def on_disk(name: str) -> Path | None:
    """Its folder: the one named, or the current revision in the Hugging Face cache if all its weights are there."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    repository = _hub_cache() / f"models--{name.replace('/', '--')}"
    try:
        revision = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    snapshot = repository / "snapshots" / revision
    shards = list(_shards(snapshot))
    whole = shards and all(file.is_file() for file in (snapshot / "config.json", *shards))
    return snapshot if whole else None


def _hub_cache() -> Path:
    """Where the Hugging Face libraries keep what they download, by their own rules."""
    if named := os.environ.get("HF_HUB_CACHE"):
        return Path(named).expanduser()
    home = os.environ.get("HF_HOME")
    return (Path(home).expanduser() if home else _cache_home() / "huggingface") / "hub"


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def _by_its_name(name: str) -> tuple[str, str]:
    """Size and precision of somebody's variant of a Qwen3-VL. Raises SettingsError when its name tells no size."""
    found = re.search(r"qwen3-?vl-([248]b)(?![a-z0-9])", name, re.IGNORECASE)
    if found is None:
        known = ", ".join(_KNOWN)
        raise SettingsError(
            f"{name} is no checkpoint whose size is known; set IMG2PROMPT_MODEL to one of {known}, "
            "to 8B, 4B or 2B, or to a checkpoint's folder, or download it first (hf download)."
        )
    four_bits = re.search(r"awq|gptq|4-?bit|int4|w4a16", name, re.IGNORECASE)
    precision = "w4a16" if four_bits else "fp8" if re.search(r"fp8", name, re.IGNORECASE) else "bf16"
    return found[1].upper(), precision


def _counted(name: str, size: str, precision: str, source: str) -> Checkpoint:
    shape = SIZES[size]
    return Checkpoint(
        name,
        precision,
        shape.weights_gib(BYTES_PER_LINEAR[precision]),
        kv_bytes=_kv_bytes(shape.layers, KEY_VALUE_HEADS, HEAD_DIM),
        picture_bytes=shape.hidden * 2 * (1 + DEEPSTACK),
        source=source,
    )


def _read(name: str, folder: Path) -> Checkpoint:
    """A checkpoint from its files. Raises SettingsError naming the one that cannot be read."""
    config = _json(folder / "config.json")
    text, vision = config.get("text_config") or config, config.get("vision_config") or {}
    try:
        heads = text["num_attention_heads"]
        head_dim = text.get("head_dim") or text["hidden_size"] // heads
        kv_bytes = _kv_bytes(text["num_hidden_layers"], text.get("num_key_value_heads") or heads, head_dim)
        picture_bytes = text["hidden_size"] * 2 * (1 + len(vision.get("deepstack_visual_indexes") or ()))
    except KeyError as error:
        raise SettingsError(
            f"{folder / 'config.json'} does not tell {error}; set IMG2PROMPT_MODEL to a checkpoint of a vision model."
        ) from error
    tied = bool(config.get("tie_word_embeddings", text.get("tie_word_embeddings")))
    bytes_held = sum(_tensor_bytes(shard, tied=tied) for shard in _existing_shards(folder))
    return Checkpoint(
        name,
        quantization(config),
        bytes_held / GIB,
        kv_bytes,
        picture_bytes,
        source="from the headers of its safetensors files",
        folder=folder,
        max_pixels=_own_max_pixels(folder),
    )


def quantization(config: dict[str, Any]) -> str:
    """How a checkpoint's weights are stored, from its config.json."""
    stored = config.get("quantization_config") or config.get("compression_config")
    if not stored:
        return "bf16"
    method = str(stored.get("quant_method", "unknown"))
    groups = stored.get("config_groups") or {}
    weights = next((group["weights"] for group in groups.values() if group.get("weights")), {})
    bits = weights.get("num_bits") or stored.get("bits")
    if method == "fp8" or (bits == 8 and weights.get("type") == "float"):
        return "fp8"
    return "w4a16" if bits == 4 and weights.get("type", "int") == "int" else method


def _kv_bytes(layers: int, heads: int, head_dim: int) -> int:
    """Key and value, two bytes each: 147,456 bytes a token for the 8B."""
    return 2 * layers * heads * head_dim * 2


def _own_max_pixels(folder: Path) -> int | None:
    file = folder / "preprocessor_config.json"
    return (_json(file).get("size") or {}).get("longest_edge") if file.is_file() else None


def _shards(folder: Path) -> Iterator[Path]:
    """The files that hold its weights, whether they are there or not."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set((_json(index).get("weight_map") or {}).values()))
        yield from (folder / name for name in names)
    else:
        yield from sorted(folder.glob("*.safetensors"))


def _existing_shards(folder: Path) -> list[Path]:
    shards = list(_shards(folder))
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing or not shards:
        what = f"lacks {missing[0]}" if missing else "holds no .safetensors file"
        raise SettingsError(f"The checkpoint {folder} {what}; download it whole, or correct IMG2PROMPT_MODEL.")
    return shards


def _tensor_bytes(file: Path, *, tied: bool) -> int:
    """Bytes of the tensors in one safetensors file: 8 bytes tell the length of a JSON header that lists them.

    A tied output embedding is not loaded a second time, though some files hold it.
    """
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > LONGEST_HEADER:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        spans = [entry["data_offsets"] for name, entry in header.items() if not (tied and name == "lm_head.weight")]
        return sum(end - start for start, end in spans)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"{file} is no whole safetensors file ({error}); download it again.") from error


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read ({error}); download the checkpoint again.") from error
    if not isinstance(value, dict):
        raise SettingsError(f"{file} holds no JSON object; download the checkpoint again.")
    return value
