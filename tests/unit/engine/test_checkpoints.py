"""What is known of checkpoints: counted for those of the table, read from the files of those on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from img2prompt.engine.errors import SettingsError
from img2prompt.engine.server.checkpoints import HUB_NAMES, SIZES, find_checkpoint, on_disk, quantization, sibling

SEEING_MODEL = Path(__file__).parents[2] / "seeing_model" / "model"
GIB = 1024**3
TEXT = {"hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64}
CONFIG = {"text_config": TEXT, "vision_config": {"deepstack_visual_indexes": [1, 2, 3]}}
FP8 = {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}


def safetensors(file: Path, **sizes: int) -> None:
    """A file whose header lists tensors of so many bytes; it holds none of them: headers are all that is read."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, size in sizes.items():
        header[name.replace("__", ".")] = {"dtype": "U8", "shape": [size], "data_offsets": [start, start + size]}
        start += size
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text)


def checkpoint(folder: Path, config: dict[str, Any], **sizes: int) -> Path:
    """A checkpoint of one file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    safetensors(folder / "model.safetensors", **sizes)
    return folder


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty Hugging Face cache."""
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "hf" / "hub"


@pytest.mark.parametrize(
    ("size", "precision", "gib"),
    [("8B", "bf16", 16.33), ("8B", "fp8", 9.86), ("8B", "w4a16", 7.3), ("4B", "fp8", 4.9), ("2B", "bf16", 3.96)],
)
def test_the_known_ones_weigh_what_was_counted(size: str, precision: str, gib: float) -> None:
    found = find_checkpoint(HUB_NAMES[size, precision])
    assert found.weights_gib == pytest.approx(gib, abs=0.04)
    assert (found.precision, found.folder) == (precision, None)
    assert "not on disk" in found.source


def test_the_parameters_add_up_to_the_models() -> None:
    # Qwen's own totals are larger by the norms, which are 308,224 parameters of the 8B
    totals = {name: size.linear + size.embedding + size.vision for name, size in SIZES.items()}
    assert totals["8B"] == 8_767_123_696 - 308_224
    assert SIZES["8B"].weights_gib(0.5 + 2.5 / 128) == pytest.approx(6.75, abs=0.005)  # four bits, groups of 128


def test_key_value_and_encoder_cache_for_each_token() -> None:
    found = [find_checkpoint(HUB_NAMES[size, "fp8"]) for size in SIZES]
    assert [one.kv_bytes for one in found] == [147_456, 147_456, 114_688]
    assert [one.picture_bytes for one in found] == [32 * 1024, 20 * 1024, 16 * 1024]


def test_a_folder_is_weighed_by_its_headers(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "mine", CONFIG | FP8, a=3 * GIB, lm_head__weight=GIB)
    found = find_checkpoint(str(folder))
    assert found.weights_gib == 4.0
    assert (found.precision, found.folder, found.max_pixels) == ("fp8", folder, None)
    assert found.kv_bytes == 2 * 2 * 2 * 64 * 2
    assert found.picture_bytes == 256 * 2 * 4


def test_a_tied_embedding_counts_once(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "mine", CONFIG | {"tie_word_embeddings": True}, a=3 * GIB, lm_head__weight=GIB)
    assert find_checkpoint(str(folder)).weights_gib == 3.0


def test_shards_are_those_of_the_index(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "mine", CONFIG, unused=9 * GIB)
    for name in ("one", "two"):
        safetensors(folder / f"{name}.safetensors", a=GIB)
    index = {"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert find_checkpoint(str(folder)).weights_gib == 2.0
    (folder / "two.safetensors").unlink()
    with pytest.raises(SettingsError, match=r"lacks two\.safetensors"):
        find_checkpoint(str(folder))


def test_the_small_trained_model_is_read_as_it_is() -> None:
    found = find_checkpoint(str(SEEING_MODEL))
    assert found.precision == "bf16"
    assert found.max_pixels == 65_536
    # all but the header is tensors
    size = (SEEING_MODEL / "model.safetensors").stat().st_size
    assert 0.95 * size < found.weights_gib * GIB < size


def test_what_the_hub_cache_holds_counts_as_on_disk(hub: Path) -> None:
    name = HUB_NAMES["8B", "fp8"]
    repository = hub / "models--Qwen--Qwen3-VL-8B-Instruct-FP8"
    snapshot = checkpoint(repository / "snapshots" / "abc", CONFIG | FP8, a=5 * GIB)
    assert on_disk(name) is None, "no revision is named yet"
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc\n")
    assert on_disk(name) == snapshot
    assert find_checkpoint(name).weights_gib == 5.0
    (snapshot / "model.safetensors.index.json").write_text('{"weight_map": {"a": "later.safetensors"}}')
    assert on_disk(name) is None, "a download that has not ended is none"
    assert find_checkpoint(name).weights_gib == pytest.approx(9.86, abs=0.01)


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "XDG_CACHE_HOME"])
def test_the_hub_cache_may_be_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str) -> None:
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv(variable, str(tmp_path / "other"))
    cache = tmp_path / "other" / ("" if variable == "HF_HUB_CACHE" else "huggingface/hub")
    snapshot = checkpoint(cache / "models--a--b" / "snapshots" / "1", CONFIG, a=GIB)
    (cache / "models--a--b" / "refs").mkdir()
    (cache / "models--a--b" / "refs" / "main").write_text("1")
    assert on_disk("a/b") == snapshot


def compressed(bits: int, kind: str) -> dict[str, Any]:
    return {
        "quant_method": "compressed-tensors",
        "config_groups": {"group_0": {"weights": {"num_bits": bits, "type": kind}}},
    }


@pytest.mark.parametrize(
    ("stored", "precision"),
    [
        (None, "bf16"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "awq", "bits": 4}, "w4a16"),
        ({"quant_method": "gptq", "bits": 4}, "w4a16"),
        (compressed(4, "int"), "w4a16"),
        (compressed(8, "float"), "fp8"),
        (compressed(4, "float"), "compressed-tensors"),
        (compressed(8, "int"), "compressed-tensors"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
    ],
)
def test_the_config_tells_how_weights_are_stored(stored: dict[str, Any] | None, precision: str) -> None:
    assert quantization({"quantization_config": stored} if stored else {}) == precision


@pytest.mark.parametrize(
    ("name", "size", "precision"),
    [
        ("someone/Qwen3-VL-8B-Instruct-abliterated", "8B", "bf16"),
        ("someone/qwen3-vl-4b-captioner-awq", "4B", "w4a16"),
        ("someone/Qwen3VL-2B-FP8-dynamic", "2B", "fp8"),
    ],
)
def test_a_variants_name_tells_its_size(name: str, size: str, precision: str) -> None:
    found = find_checkpoint(name)
    assert (found.name, found.precision) == (name, precision)
    assert found.weights_gib == find_checkpoint(HUB_NAMES[size, precision]).weights_gib
    assert "by its name" in found.source


@pytest.mark.parametrize(
    "name", ["mine/other", "Qwen/Qwen3-VL-32B-Instruct", "Qwen/Qwen3-VL-28B", "mine/qwen3-vl-8bit"]
)
def test_of_others_it_names_the_known_ones(name: str) -> None:
    with pytest.raises(SettingsError, match=r"Qwen/Qwen3-VL-8B-Instruct-FP8.*folder"):
        find_checkpoint(name)


def test_a_sibling_is_the_same_model_in_another_precision() -> None:
    assert sibling("Qwen/Qwen3-VL-8B-Instruct", "fp8") == "Qwen/Qwen3-VL-8B-Instruct-FP8"
    assert sibling("mine/Qwen3-VL-8B", "fp8") == "mine/Qwen3-VL-8B"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"model.safetensors": b""}, "no whole safetensors file"),
        ({"model.safetensors": b"\xff" * 8}, "no whole safetensors file"),
        ({"model.safetensors": (40).to_bytes(8, "little") + b'{"a": 1}'}, "no whole safetensors file"),
        ({"config.json": b"{"}, r"config\.json cannot be read"),
        ({"config.json": b"[]"}, "no JSON object"),
        ({"config.json": b"{}"}, "num_attention_heads"),
        ({"preprocessor_config.json": b"{"}, "preprocessor_config"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: dict[str, bytes], says: str) -> None:
    folder = checkpoint(tmp_path / "mine", CONFIG, a=GIB)
    for name, content in damage.items():
        (folder / name).write_bytes(content)
    with pytest.raises(SettingsError, match=says):
        find_checkpoint(str(folder))


def test_a_folder_without_weights_and_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    with pytest.raises(SettingsError, match=r"holds no \.safetensors"):
        find_checkpoint(str(tmp_path))
    with pytest.raises(SettingsError, match="There is no folder"):
        find_checkpoint(str(tmp_path / "qwen3-vl-8b"))
