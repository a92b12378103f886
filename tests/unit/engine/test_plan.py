"""The memory plan against the table it was decided by, and what it does where nothing fits or memory ran out."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from img2prompt.engine.server import sleeping
from img2prompt.engine.server.budget import Plan, Wanted, lay_out
from img2prompt.engine.server.checkpoints import GIB, HUB_NAMES, SIZES, find_checkpoint
from img2prompt.engine.server.device import Device
from img2prompt.engine.server.plan import best_plan, make_plan, smaller
from img2prompt.engine.server.remembered import memory_file, remember, remembered
from img2prompt.engine.server.sleeping import sleep_level
from img2prompt.engine.settings import Settings

FP8, AWQ, BF16 = (HUB_NAMES["8B", precision] for precision in ("fp8", "w4a16", "bf16"))
FOUR, TWO = HUB_NAMES["4B", "fp8"], HUB_NAMES["2B", "fp8"]
SEEING_MODEL = Path(__file__).parents[2] / "seeing_model" / "model"


@pytest.fixture(autouse=True)
def nothing_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("IMG2PROMPT_CACHE_DIR", str(tmp_path / "cache"))


def card(gib: float, capability: float = 8.9, name: str = "A card") -> Device:
    return Device("gpu", gib, gib - 0.5, capability, name)


@pytest.mark.parametrize(
    ("model", "kv_gib", "context", "total"),
    [(FP8, 2.0, 8192, 12.8), (FP8, 1.0, 7168, 11.8), (BF16, 1.0, 7168, 18.3)],
)
def test_the_arithmetic_is_that_of_the_table(model: str, kv_gib: float, context: int, total: float) -> None:
    settings = Settings(model=model, kv_cache_gib=kv_gib, max_model_len=context, max_pixels=1568 * 1024)
    plan = best_plan(settings, card(24))
    assert round(plan.total_gib, 1) == total
    assert plan.fits
    parts = {row.name: row.gib for row in plan.rows}
    assert parts["key-value cache"] == kv_gib
    assert parts["encoder cache"] == 64 / 1024
    assert parts["activations"] == pytest.approx(0.12 + 0.15, abs=0.005)


@pytest.mark.parametrize(
    ("kv_gib", "context", "total", "gib", "fits"), [(1.0, 7168, 8.7, 12, True), (0.6, 4096, 8.2, 8, False)]
)
def test_the_tables_four_bit_rows_for_groups_of_128(
    kv_gib: float, context: int, total: float, gib: float, fits: bool
) -> None:
    checkpoint = find_checkpoint(AWQ)
    groups_of_128 = type(checkpoint)(
        AWQ, "w4a16", SIZES["8B"].weights_gib(0.5 + 2.5 / 128), checkpoint.kv_bytes, checkpoint.picture_bytes, "counted"
    )
    wanted = Wanted("", "auto", kv_gib, context, 1568 * 1024, 16)
    plan = lay_out(groups_of_128, wanted, card(gib), context, lean=False)
    assert plan.total_gib == pytest.approx(total, abs=0.1)
    assert plan.fits == fits


def test_the_encoder_cache_without_a_cap() -> None:
    plan = best_plan(Settings(max_pixels=16_777_216), card(24))
    parts = {row.name: row.gib for row in plan.rows}
    assert parts["encoder cache"] == 0.5
    assert parts["activations"] == pytest.approx(1.3 + 0.15, abs=0.06)


@pytest.mark.parametrize(
    ("device", "model", "kv_gib", "eager"),
    [
        (card(79.6, 9.0), FP8, 4.0, False),
        (card(79.3, 8.0), BF16, 4.0, False),
        (card(79.3, 0.0), FP8, 4.0, False),
        (card(44.5, 8.6), FP8, 4.0, False),
        (card(23.99, 8.6), FP8, 2.0, False),
        (card(22.5), FP8, 2.0, False),
        (card(15.99), FP8, 1.125, True),
        (card(15.0, 7.5), FP8, 1.125, True),
        (card(12.0), AWQ, 1.125, True),
        (card(10.0), FOUR, 1.125, True),
        (card(7.996), FOUR, 1.125, True),
        (card(6.0), TWO, 0.875, True),
    ],
    ids=lambda value: f"{value.memory_gib} {value.capability}" if isinstance(value, Device) else None,
)
def test_each_card_gets_the_best_that_fits(device: Device, model: str, kv_gib: float, eager: bool) -> None:
    plan = best_plan(Settings(), device)
    assert (plan.model, plan.kv_cache_gib, plan.max_model_len, plan.eager) == (model, kv_gib, 8192, eager)
    assert plan.fits and plan.nearest == {}
    assert plan.total_gib + 1.0 <= device.memory_gib
    assert plan.kv_cache_gib * GIB >= plan.max_model_len * find_checkpoint(model).kv_bytes


def test_a_large_card_has_room_beside_it_and_a_small_one_takes_turns() -> None:
    assert "10.2 GiB are left for diffusion models" in best_plan(Settings(), card(24)).reason
    assert "take turns" in best_plan(Settings(), card(16)).reason


def test_where_nothing_fits_it_says_so() -> None:
    plan = best_plan(Settings(), card(4))
    assert (plan.fits, plan.model, plan.nearest) == (False, TWO, {})
    assert "the GPU has 4.0 GiB" in plan.reason and "IMG2PROMPT_ENDPOINT" in plan.reason
    assert plan.total_gib > 4


def test_a_gpu_too_old_is_refused_whatever_its_memory() -> None:
    plan = best_plan(Settings(), card(32, 7.0))
    assert not plan.fits
    assert "7.5" in plan.reason and "7.0" in plan.reason
    assert plan.reason.count("IMG2PROMPT_ENDPOINT") == 1


@pytest.mark.parametrize(
    ("chosen", "gib", "nearest"),
    [
        ({"model": BF16}, 16, {"IMG2PROMPT_MODEL": FP8}),
        ({"precision": "bf16", "model": "8B"}, 16, {"IMG2PROMPT_PRECISION": "fp8"}),
        ({"model": FP8, "precision": "w4a16"}, 8, {"IMG2PROMPT_MODEL": HUB_NAMES["4B", "w4a16"]}),
        ({"model": FP8, "kv_cache_gib": 8.0}, 16, {"IMG2PROMPT_KV_CACHE_GIB": "1.125"}),
        ({"kv_cache_gib": 0.5, "max_model_len": 8192, "model": FP8}, 24, {"IMG2PROMPT_KV_CACHE_GIB": "2"}),
        ({"model": FP8, "max_model_len": 65536}, 16, {"IMG2PROMPT_MAX_MODEL_LEN": "8192"}),
        ({"model": FP8, "max_pixels": 16_777_216}, 14, {"IMG2PROMPT_MAX_PIXELS": "1048576"}),
        ({"model": FP8}, 4, {}),
    ],
)
def test_what_is_set_is_kept_and_what_would_fit_is_named(
    chosen: dict[str, object], gib: float, nearest: dict[str, str]
) -> None:
    settings = Settings.model_validate(chosen)
    plan = best_plan(settings, card(gib))
    assert not plan.fits
    assert plan.nearest == nearest
    for name, value in nearest.items():
        assert f"{name}={value}" in plan.reason
    # and what it names does fit
    if nearest:
        told = {name.removeprefix("IMG2PROMPT_").lower(): value for name, value in nearest.items()}
        assert best_plan(Settings.model_validate(chosen | told), card(gib)).fits


def test_a_precision_picks_the_sibling_and_the_size_that_fits() -> None:
    assert best_plan(Settings(model=BF16, precision="fp8"), card(16)).model == FP8
    assert best_plan(Settings(precision="bf16"), card(12)).model == HUB_NAMES["4B", "bf16"]
    assert best_plan(Settings(model="4B"), card(24)).model == FOUR
    assert best_plan(Settings(model="8B"), card(12)).model == AWQ


def test_a_checkpoint_of_another_precision_is_refused() -> None:
    plan = best_plan(Settings(model=str(SEEING_MODEL), precision="fp8"), card(24))
    assert not plan.fits
    assert "stored in bf16, not in fp8" in plan.reason
    assert plan.nearest == {"IMG2PROMPT_PRECISION": "bf16"}


def test_a_small_cache_shortens_the_context_unless_that_is_set() -> None:
    plan = best_plan(Settings(model=FP8, kv_cache_gib=0.5), card(24))
    assert plan.fits
    assert (plan.kv_cache_gib, plan.max_model_len) == (0.5, 3584)  # 3,640 tokens, in steps of 256
    tiny = best_plan(Settings(model=FP8, kv_cache_gib=0.2), card(24))
    assert not tiny.fits and "1,456 tokens" in tiny.reason


def test_large_pictures_get_a_context_that_holds_them() -> None:
    plan = best_plan(Settings(model=FP8, max_pixels=8 * 1024 * 1024), card(24))
    assert (plan.max_pixels, plan.max_model_len) == (8 * 1024 * 1024, 8192 + 7 * 1024)
    assert plan.kv_cache_gib * GIB >= plan.max_model_len * 147_456
    capped = best_plan(Settings(model=FP8, max_pixels=8 * 1024 * 1024, max_model_len=4096), card(24))
    assert (capped.max_pixels, capped.max_model_len) == (2048 * 1024, 4096)


def test_a_folder_is_planned_by_its_files() -> None:
    plan = best_plan(Settings(model=str(SEEING_MODEL)), card(6))
    assert plan.fits and plan.downloaded and plan.own_pixel_limit
    assert plan.weights_gib < 0.01
    assert plan.max_pixels == 65_536
    assert "headers" in plan.rows[0].how


def test_json_has_stable_keys() -> None:
    plan = best_plan(Settings(), card(24))
    value = json.loads(json.dumps(plan.as_json()))
    assert list(value)[:5] == ["model", "total_gib", "fits", "reason", "rows"]
    assert value["total_gib"] == pytest.approx(sum(row["gib"] for row in value["rows"]), abs=0.003)
    flags = {"kv_cache_gib", "max_model_len", "max_pixels", "max_num_seqs", "max_num_batched_tokens", "eager"}
    assert value.keys() >= flags | {"precision", "cpu_offload_gib", "weights_gib", "level", "label", "nearest"}


@pytest.mark.parametrize(
    ("chosen", "model", "kv_gib"),
    [
        ({}, HUB_NAMES["2B", "bf16"], 1),
        ({"model": "8B"}, BF16, 2),
        ({"model": "mine/other"}, "mine/other", 1),
        ({"model": str(SEEING_MODEL), "kv_cache_gib": 2.4}, str(SEEING_MODEL), 3),
    ],
)
def test_on_a_cpu_nothing_is_refused(chosen: dict[str, object], model: str, kv_gib: float) -> None:
    plan = make_plan(Settings.model_validate(chosen), Device("cpu"))
    assert (plan.fits, plan.model, plan.kv_cache_gib, plan.eager) == (True, model, kv_gib, True)
    assert plan.max_num_batched_tokens == plan.max_model_len
    assert smaller(plan, Settings.model_validate(chosen), Device("cpu")) is None


def steps_down(settings: Settings, device: Device) -> list[Plan]:
    """All plans that one start after another would come to."""
    steps = [best_plan(settings, device)]
    while (less := smaller(steps[-1], settings, device)) is not None:
        steps.append(less)
    return steps


def test_the_first_step_down_keeps_the_checkpoint() -> None:
    first, second, *others = steps_down(Settings(), card(24))
    assert first.model == second.model == FP8
    assert (second.kv_cache_gib, second.max_model_len, second.eager) == (0.875, 6144, True)
    assert second.total_gib < first.total_gib - 1.0
    assert second.kv_cache_gib * GIB >= second.max_model_len * 147_456
    assert [plan.model for plan in others] == [AWQ, FOUR, TWO]
    steps = [first, second, *others]
    assert [plan.level for plan in steps] == [0, 1, 2, 3, 4]
    assert all(less.total_gib < more.total_gib for more, less in pairwise(steps))
    assert "6,144 tokens" in second.reason and "smaller checkpoint" in others[0].label


def test_a_named_checkpoint_is_never_left_but_may_go_to_ram() -> None:
    steps = steps_down(Settings(model=FP8), card(12.95))
    assert {plan.model for plan in steps} == {FP8}
    assert [plan.cpu_offload_gib for plan in steps] == [0, 0, 2]
    assert steps[2].total_gib == pytest.approx(steps[1].total_gib - 2)
    assert sleep_level(steps[2].weights_gib, offloaded=steps[2].cpu_offload_gib > 0) == 0


def test_what_is_set_stays_at_every_step() -> None:
    settings = Settings(model=FP8, kv_cache_gib=2.5, max_model_len=16384)
    steps = steps_down(settings, card(24))
    assert [(plan.eager, plan.cpu_offload_gib) for plan in steps] == [(False, 0), (True, 0), (True, 2)]
    for plan in steps:
        assert (plan.kv_cache_gib, plan.max_model_len) == (2.5, 16384)


def test_no_step_down_from_what_does_not_fit() -> None:
    settings = Settings(model=FP8)
    assert smaller(best_plan(settings, card(8)), settings, card(8)) is None


def test_what_ran_out_of_memory_is_not_tried_again() -> None:
    settings, device = Settings(), card(24)
    assert make_plan(settings, device).level == 0
    assert remember(make_plan(settings, device), settings, device)
    assert make_plan(settings, device) == smaller(best_plan(settings, device), settings, device)
    assert remember(make_plan(settings, device), settings, device)
    assert make_plan(settings, device).model == AWQ
    # of every other choice and card nothing is remembered
    for other in ({"max_model_len": 4096}, {"model": FP8}, {"precision": "fp8"}, {"max_pixels": 524_288}):
        assert make_plan(Settings.model_validate(other), device).level == 0
    for elsewhere in (card(24, name="Another"), card(16), Device("gpu", 24.0)):
        assert make_plan(settings, elsewhere).level == 0
    memory_file(settings).unlink()
    assert make_plan(settings, device).level == 0
    # nor of a card that is not here, whose size somebody asks about
    nowhere = Device("gpu", 24.0)
    remember(make_plan(settings, nowhere), settings, nowhere)
    assert make_plan(settings, nowhere).level == 0


def test_the_last_step_is_where_it_stays() -> None:
    settings, device = Settings(), card(16)
    for _ in range(9):
        remember(make_plan(settings, device), settings, device)
    assert make_plan(settings, device).model == TWO


@pytest.mark.parametrize("content", ["", "{", "[]", '{"x": 1}', "null"])
def test_a_damaged_memory_is_none_and_is_written_anew(content: str) -> None:
    settings, device = Settings(), card(24)
    memory_file(settings).parent.mkdir()
    memory_file(settings).write_text(content)
    assert remembered(settings, device) == 0
    assert remember(best_plan(settings, device), settings, device)
    assert remembered(settings, device) == 1
    assert [file.name for file in memory_file(settings).parent.iterdir()] == [memory_file(settings).name]


def test_a_memory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings(cache_dir=tmp_path / "file")
    assert not remember(best_plan(settings, card(24)), settings, card(24))


@pytest.mark.parametrize(
    ("available_gib", "limit", "level"),
    [
        (19.8, None, 1),
        (19.6, None, 2),
        (64, "max", 1),
        (64, str(24 * GIB), 1),
        (64, str(20 * GIB), 2),
    ],
    ids=["enough", "too little", "no limit", "a limit with enough", "a limit with too little"],
)
def test_sleep_keeps_the_weights_where_ram_holds_them_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, available_gib: float, limit: str | None, level: int
) -> None:
    (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:  {round(available_gib * 1024**2)} kB\n")
    if limit:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{6 * GIB}\n")
        (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {4 * GIB}\n")
    monkeypatch.setattr(sleeping, "MEMORY_INFO", tmp_path / "meminfo")
    monkeypatch.setattr(sleeping, "CONTROL_GROUP", tmp_path)
    assert sleep_level(best_plan(Settings(), card(24)).weights_gib) == level


def test_without_a_known_ram_the_weights_are_dropped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sleeping, "MEMORY_INFO", tmp_path / "none")
    assert sleep_level(best_plan(Settings(), card(24)).weights_gib) == 2
