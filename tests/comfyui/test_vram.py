"""The engine and ComfyUI's models on one GPU, under ComfyUI's real memory manager: who has to go, when, and who comes
back."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from img2prompt.engine import Engine, Settings, shared, standing
from img2prompt.engine.errors import NoEngine
from img2prompt.engine.settings import RELEASES
from img2prompt.engine.sketch import SketchBackend
from img2prompt.nodes import routes, vram
from img2prompt.nodes.asking import ChosenEngine, ask_all
from img2prompt.nodes.comfy import Progress, io
from img2prompt.nodes.patcher import EnginePatcher
from img2prompt.nodes.release_prompt_engine import ReleasePromptEngine
from img2prompt.nodes.start_prompt_engine import StartPromptEngine
from img2prompt.prompts.analysis import ImageAnalysis
from img2prompt.prompts.request import Request
from img2prompt.tests.comfyui.shared_gpu import ASLEEP_BYTES, CPU, DEVICE, GIB, DiffusionModel, Gpu, GpuBackend, manager
from img2prompt.tests.seeing import draw
from img2prompt.tests.waiting import until

MakeEngine = Callable[[Any], Engine]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    """The manager with nothing loaded, on a GPU that is counted only; all of it is as before after the test."""
    gpu = Gpu()
    for name, value in {
        "get_free_memory": gpu.get_free_memory,
        "get_torch_device": lambda: DEVICE,
        "soft_empty_cache": lambda force=False: None,
        "vram_state": manager.VRAMState.NORMAL_VRAM,
        "lowvram_available": True,
        "current_loaded_models": [],
        "interrupt_processing": False,
    }.items():
        monkeypatch.setattr(manager, name, value)
    for name, value in {"_sharing": {}, "_said": set()}.items():
        monkeypatch.setattr(vram, name, value)
    return gpu


@pytest.fixture
def make_engine(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[MakeEngine]:
    """Makes engines that are this process's shared ones."""
    settings = Settings(cache=False, cache_dir=tmp_path)
    made = shared._Made()
    monkeypatch.setattr(shared, "_made", made)

    def make(backend: Any) -> Engine:
        made.engines = (*made.engines, Engine(backend, settings))
        return made.engines[-1]

    yield make
    for engine in made.engines:
        engine.close()


@pytest.fixture
def backend(gpu: Gpu) -> GpuBackend:
    return GpuBackend(gpu)


@pytest.fixture
def engine(make_engine: MakeEngine, backend: GpuBackend) -> Engine:
    return make_engine(backend)


@pytest.fixture
def diffusion(gpu: Gpu) -> DiffusionModel:
    return DiffusionModel(gpu, 12 * GIB)


async def asking(engine: Engine, release: str = vram.WHEN_NEEDED, pictures: int = 1) -> list[ImageAnalysis]:
    """What a node does that asks; on ComfyUI's thread, which is the test's."""
    from comfy_execution.utils import CurrentNodeContext

    requests = [Request((draw(),), "Look.", ImageAnalysis)] * pictures
    with CurrentNodeContext("a prompt", "1", 0):
        return (await ask_all(engine, release, requests, Progress(pictures))).answers


def ask(engine: Engine, release: str = vram.WHEN_NEEDED, pictures: int = 1) -> None:
    assert len(asyncio.run(asking(engine, release, pictures))) == pictures


async def meanwhile(true: Callable[[], object], act: Callable[[], object]) -> None:
    """Another node of the same run: does something on ComfyUI's thread once that is true."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)
    act()


def loaded() -> list[str]:
    """The models in the manager's list, the last used first."""
    return [type(entry.model.model).__name__ for entry in manager.current_loaded_models]


def test_each_makes_room_for_the_other(gpu: Gpu, engine: Engine, diffusion: DiffusionModel) -> None:
    manager.load_models_gpu([diffusion])
    assert (gpu.happened(), gpu.free) == (["diffusion loads"], 12 * GIB)

    ask(engine)
    assert gpu.happened() == ["diffusion shrinks", "engine awake"]
    assert loaded() == ["SharedEngine", "Net"]

    ask(engine)
    assert gpu.happened() == []

    manager.load_models_gpu([diffusion])
    assert (gpu.happened(), gpu.free) == (["engine asleep", "diffusion loads more"], 12 * GIB - ASLEEP_BYTES)
    assert not engine.room.given

    ask(engine)
    assert gpu.happened() == ["diffusion shrinks", "engine awake"]

    manager.free_memory(2 * GIB, DEVICE)
    assert gpu.happened() == [] and engine.room.given

    manager.free_memory(20 * GIB, DEVICE)
    assert gpu.happened() == ["diffusion leaves", "engine asleep"] and not engine.room.given

    ask(engine)
    assert gpu.happened() == ["engine awake"]

    manager.unload_all_models()  # its handler of "out of memory", and POST /free
    assert gpu.happened() == ["engine asleep"] and loaded() == []

    manager.unload_all_models()
    assert gpu.happened() == []


def test_a_model_that_fits_beside_the_engine_stays(gpu: Gpu, engine: Engine) -> None:
    small = DiffusionModel(gpu, 6 * GIB, "small")
    manager.load_models_gpu([small])
    ask(engine)
    manager.load_models_gpu([small])
    ask(engine)
    assert gpu.happened() == ["small loads", "engine awake", "small loads more"]  # more by nothing
    assert gpu.held == {"small": 6 * GIB, "engine": 11 * GIB}


def test_a_model_that_is_gone_leaves_the_engine(gpu: Gpu, engine: Engine) -> None:
    small = DiffusionModel(gpu, 2 * GIB, "small")
    manager.load_models_gpu([small])
    ask(engine)
    assert sorted(loaded()) == ["Net", "SharedEngine"]
    del small
    gc.collect()
    manager.cleanup_models()
    assert loaded() == ["SharedEngine"]
    assert engine.room.given


def test_a_long_batch_survives_a_sampler(gpu: Gpu, engine: Engine, backend: GpuBackend, diffusion) -> None:
    backend.hold = True

    def sample() -> None:
        manager.load_models_gpu([diffusion])
        assert gpu.happened() == ["engine awake", "engine asleep", "diffusion loads"]
        assert engine.room.wanted
        backend.hold = False

    async def run() -> list[ImageAnalysis]:
        answers, _ = await asyncio.gather(asking(engine, pictures=5), meanwhile(lambda: backend.in_flight == 5, sample))
        return answers

    assert len(asyncio.run(run())) == 5
    assert gpu.happened() == ["diffusion shrinks", "engine awake"]
    assert not gpu.overfull


def test_what_was_given_but_not_yet_taken_is_not_given_twice(gpu: Gpu, engine: Engine, backend: GpuBackend) -> None:
    large = DiffusionModel(gpu, 20 * GIB, "large")
    backend.start_s = 0.3
    starting = lambda: backend.phase == "starting"  # noqa: E731

    async def run() -> None:
        await asyncio.gather(asking(engine), meanwhile(starting, lambda: manager.load_models_gpu([large])))

    asyncio.run(run())
    assert not gpu.overfull
    assert gpu.happened()[:3] == ["engine awake", "engine asleep", "large loads"]


def test_cancel_ends_the_wait_for_a_start(gpu: Gpu, engine: Engine, backend: GpuBackend, diffusion) -> None:
    backend.start_held = True

    def sample() -> None:
        threading.Timer(0.1, manager.interrupt_current_processing).start()
        manager.load_models_gpu([DiffusionModel(gpu, 20 * GIB, "large")])

    async def run() -> None:
        await asyncio.gather(asking(engine), meanwhile(lambda: backend.phase == "starting", sample))

    with pytest.raises(manager.InterruptProcessingException):
        asyncio.run(run())
    until(lambda: engine.room.users == 0)
    # nobody wants that start any more: who needs the GPU ends it
    manager.load_models_gpu([diffusion])
    assert gpu.happened() == ["engine stopped", "diffusion loads"]
    backend.start_held = False


def test_room_is_made_once_for_all_who_wait(
    gpu: Gpu, engine: Engine, diffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, claims = manager.load_models_gpu, []
    monkeypatch.setattr(manager, "load_models_gpu", lambda models, *a, **k: (claims.append(models), load(models)))

    async def run() -> None:
        await asyncio.gather(*(asking(engine, pictures=3) for _ in range(4)))

    asyncio.run(run())
    assert len(claims) == 1
    assert gpu.happened() == ["engine awake"]


def test_room_that_is_being_used_is_not_made_again(
    gpu: Gpu, engine: Engine, backend: GpuBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(engine)
    manager.unload_all_models()
    load, claims = manager.load_models_gpu, []
    monkeypatch.setattr(manager, "load_models_gpu", lambda models: (claims.append(models), load(models)))
    backend.start_held = True

    async def run() -> None:
        first = asyncio.create_task(asking(engine))
        await meanwhile(lambda: engine.room.given, lambda: None)  # it wakes, and is asleep until it has woken
        second = asyncio.create_task(asking(engine))
        await meanwhile(lambda: engine.room.users == 2, lambda: None)
        await asyncio.sleep(3 * vram.POLL_S)
        backend.start_held = False
        await asyncio.gather(first, second)

    asyncio.run(run())
    assert len(claims) == 1


def test_only_comfyui_s_own_thread_waits_for_a_start(gpu: Gpu, engine: Engine, backend: GpuBackend) -> None:
    backend.start_held = True
    sizes: list[int] = []

    def watch() -> None:  # another extension that shows what is loaded
        watcher = threading.Thread(target=lambda: sizes.append(vram._sharing[engine.room].loaded_size()), daemon=True)
        watcher.start()
        watcher.join(10)
        backend.start_held = False

    async def run() -> None:
        await asyncio.gather(asking(engine), meanwhile(lambda: backend.phase == "starting", watch))
        assert sizes == [11 * GIB]

    asyncio.run(run())
    assert gpu.happened() == ["engine awake"]


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_two_engines_take_turns(gpu: Gpu, make_engine: MakeEngine, seconds: float) -> None:
    """Each answers to its end, however long it starts and thinks: else they would evict each other for ever."""
    backends = [GpuBackend(gpu, 14 * GIB, name) for name in ("one", "other")]
    for backend in backends:
        backend.start_s = backend.answer_s = seconds
    one, other = map(make_engine, backends)

    async def run() -> None:
        async with asyncio.timeout(20):
            await asyncio.gather(asking(one), asking(other))

    asyncio.run(run())
    assert not gpu.overfull
    assert [line for line in gpu.happened() if "awake" in line] in (
        ["one awake", "other awake"],
        ["other awake", "one awake"],
    )
    assert sorted(gpu.held.values()) == [ASLEEP_BYTES, 14 * GIB]


@pytest.mark.parametrize(
    ("broken", "says"),
    [({"frees": False}, "sleeping freed 0.0 GiB of 11.0"), ({"sleep_fails": True}, "It does not listen.")],
)
def test_a_sleep_that_frees_nothing_ends_the_server(
    gpu: Gpu, engine: Engine, backend: GpuBackend, diffusion, caplog, broken: dict[str, bool], says: str
) -> None:
    for name, value in broken.items():
        setattr(backend, name, value)
    for _ in range(2):
        ask(engine)
        manager.load_models_gpu([diffusion])
        assert (backend.phase, gpu.held["engine"], engine.room.given) == ("stopped", 0, False)
    assert gpu.happened().count("engine stopped") == 2
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1 and says in warnings[0]


def test_an_engine_that_is_off_the_gpu_is_not_asked_what_it_freed(
    gpu: Gpu, engine: Engine, backend: GpuBackend
) -> None:
    ask(engine)
    backend.phase, gpu.held["engine"] = "stopped", 0  # it was idle for long
    manager.unload_all_models()
    assert backend.stops == 0


@pytest.mark.parametrize(
    ("release", "held", "happened"),
    [
        (vram.WHEN_NEEDED, 11 * GIB, ["engine awake"]),
        (vram.AFTER_EACH_RUN, ASLEEP_BYTES, ["engine awake", "engine asleep"]),
        (vram.STOP, 0, ["engine awake", "engine stopped"]),
        (vram.KEEP, 11 * GIB, ["engine awake"]),
    ],
)
def test_when_the_engine_lets_go(gpu: Gpu, engine: Engine, release: str, held: int, happened: list[str]) -> None:
    ask(engine, release)
    assert (gpu.happened(), gpu.held["engine"]) == (happened, held)
    ask(engine, release)  # and it comes back
    assert gpu.held["engine"] == held


def test_it_lets_go_after_the_last_of_those_who_ask(gpu: Gpu, engine: Engine, backend: GpuBackend) -> None:
    backend.hold = True

    async def run() -> None:
        first = asyncio.create_task(asking(engine, vram.AFTER_EACH_RUN))
        await meanwhile(lambda: backend.in_flight == 1, lambda: None)
        second = asyncio.create_task(asking(engine, vram.AFTER_EACH_RUN))
        await asyncio.sleep(0)  # it has begun to ask, and nothing more
        backend.hold = False
        await asyncio.gather(first, second)

    asyncio.run(run())
    assert gpu.happened() == ["engine awake", "engine asleep"]


def test_keep_stays_until_another_run_says_otherwise(gpu: Gpu, engine: Engine, diffusion) -> None:
    manager.load_models_gpu([diffusion])
    ask(engine, vram.KEEP)
    manager.load_models_gpu([diffusion])
    manager.unload_all_models()
    ask(engine, vram.KEEP)
    assert gpu.held["engine"] == 11 * GIB
    assert "engine asleep" not in gpu.happened()
    ask(engine, vram.WHEN_NEEDED)
    manager.unload_all_models()
    assert gpu.happened() == ["engine asleep"]


def test_cancel_lets_go_too(gpu: Gpu, engine: Engine, backend: GpuBackend) -> None:
    backend.hold = True

    async def run() -> tuple[object, ...]:
        return await asyncio.gather(
            asking(engine, vram.AFTER_EACH_RUN),
            asking(engine, vram.AFTER_EACH_RUN),
            meanwhile(lambda: backend.in_flight == 2, manager.interrupt_current_processing),
            return_exceptions=True,
        )

    first, second, _ = asyncio.run(run())
    assert isinstance(first, manager.InterruptProcessingException)
    assert isinstance(second, manager.InterruptProcessingException)  # ComfyUI tells only one of them
    assert gpu.held["engine"] == ASLEEP_BYTES


def test_an_engine_that_others_put_to_sleep_gets_room_again(gpu: Gpu, engine: Engine, backend: GpuBackend) -> None:
    small = DiffusionModel(gpu, 8 * GIB, "small")
    manager.load_models_gpu([small])
    ask(engine)
    backend.phase = "asleep"  # by the command line, say
    gpu.hold("engine", ASLEEP_BYTES)
    gpu.hold("a game", 10 * GIB)
    gpu.happened()
    ask(engine)
    assert gpu.happened() == ["small shrinks", "engine awake"]
    assert not gpu.overfull


def test_the_manager_learns_that_others_put_the_engine_to_sleep(
    gpu: Gpu, engine: Engine, backend: GpuBackend, diffusion
) -> None:
    ask(engine)
    backend.phase = "asleep"
    gpu.hold("engine", ASLEEP_BYTES)
    manager.load_models_gpu([diffusion])
    assert not engine.room.given
    ask(engine)
    assert gpu.happened() == ["engine awake", "diffusion loads", "diffusion shrinks", "engine awake"]
    assert not gpu.overfull


def test_an_engine_that_others_have_woken_needs_no_room(gpu: Gpu, engine: Engine, backend: GpuBackend) -> None:
    small = DiffusionModel(gpu, 8 * GIB, "small")
    manager.load_models_gpu([small])
    backend.phase = "awake"
    gpu.hold("engine", 11 * GIB)
    ask(engine)
    assert gpu.happened() == ["small loads"]
    manager.unload_all_models()  # the manager knows it now
    assert sorted(gpu.happened()) == ["engine asleep", "small leaves"]


def test_what_nobody_wants_is_not_woken(gpu: Gpu, engine: Engine) -> None:
    ask(engine)
    (entry,) = manager.current_loaded_models
    manager.free_memory(20 * GIB, DEVICE)
    patcher = vram._sharing[engine.room]
    assert entry.model is patcher
    manager.load_models_gpu([patcher])  # as ControlNet does with all that had been in use
    assert not engine.room.given
    assert gpu.happened() == ["engine awake", "engine asleep"]


def test_another_manager_is_said_once_and_room_is_made_all_the_same(
    gpu: Gpu, engine: Engine, diffusion, caplog, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.load_models_gpu([diffusion])
    monkeypatch.setattr(manager, "load_models_gpu", lambda models: [model.plan_prefetch() for model in models])
    ask(engine)
    ask(engine)
    turn = ["engine awake", "engine asleep"]
    assert gpu.happened() == ["diffusion loads", "diffusion shrinks", *turn, "diffusion shrinks", *turn]
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "AttributeError: 'EnginePatcher' object has no attribute 'plan_prefetch'" in record.getMessage()


def test_a_newer_manager_is_answered(engine: Engine, gpu: Gpu, backend: GpuBackend) -> None:
    ask(engine)
    patcher = vram._sharing[engine.room]
    assert patcher.is_dynamic() is False
    assert (patcher.model_size(), patcher.loaded_size(), patcher.current_loaded_device()) == (11 * GIB,) * 2 + (DEVICE,)
    assert [
        patcher.loaded_ram_size(),
        patcher.partially_unload_ram(GIB, subsets=["weights"]),
        patcher.unregister_inactive_pins(GIB, subsets=["weights"]),
    ] == [0, 0, 0]
    assert patcher.is_clone(patcher) and not patcher.is_clone(object())
    assert patcher.detach(unpatch_all=False) is patcher.model
    assert gpu.happened() == ["engine awake"]  # detach(False) moves it in the list only
    assert patcher.partially_unload(CPU, GIB) == 11 * GIB  # all or nothing
    assert (patcher.loaded_size(), patcher.current_loaded_device()) == (0, CPU)
    assert patcher.detach() is patcher.model
    assert (patcher.partially_unload(CPU, GIB), backend.sleeps) == (0, 1)  # it is told to sleep once


def test_a_size_asked_right_after_loading_does_not_wait_for_the_start(
    gpu: Gpu, engine: Engine, backend: GpuBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, sizes = manager.load_models_gpu, []

    def newer(models: list[EnginePatcher]) -> None:  # 0.4 and later tell in the log what a model takes
        load(models)
        sizes.append(models[0].loaded_size())
        backend.start_held = False

    backend.start_held = True
    monkeypatch.setattr(manager, "load_models_gpu", newer)
    ask(engine)
    assert sizes == [11 * GIB]


@pytest.mark.parametrize("made", [lambda gpu: SketchBackend(), lambda gpu: GpuBackend(gpu, size=0)])
def test_an_engine_without_a_gpu_has_no_part_in_this(gpu: Gpu, make_engine: MakeEngine, made) -> None:
    engine = make_engine(made(gpu))
    ask(engine)
    assert not engine.room.shared
    assert (vram._sharing, loaded()) == ({}, [])


def test_a_comfyui_on_the_cpu_has_no_part_in_this(gpu: Gpu, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "get_torch_device", lambda: CPU)
    ask(engine)
    assert not engine.room.shared and loaded() == []
    ask(engine, vram.AFTER_EACH_RUN)
    assert gpu.happened() == ["engine awake", "engine asleep"]


def test_another_program_s_server_is_never_stopped(gpu: Gpu, make_engine: MakeEngine) -> None:
    engine = make_engine(SketchBackend())
    held = engine.submit_many(iter([]), total=0)
    held.result(10)
    io = engine._io
    ask(engine, vram.STOP)
    vram.stop(engine)
    assert engine._io is io  # not even its connections are closed


def test_closed_engines_are_forgotten(gpu: Gpu, engine: Engine, make_engine: MakeEngine) -> None:
    ask(engine)
    shared._made.engines = ()
    ask(make_engine(GpuBackend(gpu, GIB, "next")))
    gc.collect()
    assert engine.room not in vram._sharing
    assert len(loaded()) == 1
    engine.close()


@pytest.mark.parametrize(
    ("action", "phase", "route"), [("sleep", "asleep", vram.put_to_sleep), ("stop", "stopped", vram.stop)]
)
@pytest.mark.parametrize("by", ["node", "HTTP"])
def test_release_at_a_point_of_a_graph_or_over_http(
    gpu: Gpu, engine: Engine, backend: GpuBackend, diffusion, by: str, action: str, phase: str, route
) -> None:
    ask(engine, vram.KEEP)  # who asks for it gets it, even so
    if by == "node":
        passed = object()
        assert ReleasePromptEngine.execute(passed, action).args[0] is passed
    else:
        status, told = routes._act(route)
        assert status == 200
        assert isinstance(told, dict)
        (stands,) = told["engines"]
        assert (stands["engine"], stands["phase"], stands["detail"]) == ("managed", phase, f"It is {phase}.")
    assert gpu.happened() == ["engine awake", f"engine {phase}"]
    assert not engine.room.given
    manager.load_models_gpu([diffusion])
    ask(engine)
    assert gpu.happened() == ["diffusion loads", "diffusion shrinks", "engine awake"]


def test_what_is_asked_during_a_release_goes_on(gpu: Gpu, engine: Engine, backend: GpuBackend) -> None:
    backend.hold = True

    def release() -> None:
        ReleasePromptEngine.execute(None, "sleep")
        backend.hold = False

    async def run() -> None:
        await asyncio.gather(asking(engine, pictures=3), meanwhile(lambda: backend.in_flight == 3, release))

    asyncio.run(run())
    assert gpu.happened() == ["engine awake", "engine asleep", "engine awake"]


def test_what_is_asked_during_a_stop_fails_and_says_so(gpu: Gpu, engine: Engine, backend: GpuBackend) -> None:
    backend.hold = True

    async def run() -> None:
        stop = lambda: ReleasePromptEngine.execute(None, "stop")  # noqa: E731
        await asyncio.gather(asking(engine), meanwhile(lambda: backend.in_flight == 1, stop))

    with pytest.raises(NoEngine, match="stopped"):
        asyncio.run(run())
    backend.hold = False
    ask(engine)


@dataclass(frozen=True, slots=True)
class Choice(ChosenEngine):
    """A Prompt Engine's choice that comes to this engine."""

    engine: Any = None

    def open(self) -> Engine:
        return self.engine


async def starting(choice: Choice) -> io.NodeOutput:
    """Start Prompt Engine, as ComfyUI runs it."""
    from comfy_execution.utils import CurrentNodeContext

    node: Any = StartPromptEngine.PREPARE_CLASS_CLONE({io.Hidden.unique_id: "1"})
    with CurrentNodeContext("a prompt", "1", 0):
        return await node.execute(choice)


@pytest.mark.parametrize("release", vram.RELEASES)
def test_start_makes_room_and_what_was_started_stays(
    gpu: Gpu, engine: Engine, diffusion: DiffusionModel, release: str
) -> None:
    manager.load_models_gpu([diffusion])
    choice = Choice(release=release, engine=engine)
    output = asyncio.run(starting(choice))
    assert gpu.happened() == ["diffusion loads", "diffusion shrinks", "engine awake"]
    shown: Any = output.ui
    assert output.args[0] is choice and shown["text"] == ["It is awake."]
    manager.load_models_gpu([diffusion])  # which needs it, and gets it but for "keep"
    assert (gpu.held["engine"] > ASLEEP_BYTES) is (release == vram.KEEP)
    asyncio.run(starting(choice))
    assert gpu.held["engine"] > ASLEEP_BYTES and not gpu.overfull


def test_cancel_ends_a_start_that_waits(gpu: Gpu, engine: Engine, backend: GpuBackend) -> None:
    backend.start_held = True

    async def run() -> None:
        waits = meanwhile(lambda: backend.phase == "starting", manager.interrupt_current_processing)
        await asyncio.gather(starting(Choice(engine=engine)), waits)

    with pytest.raises(manager.InterruptProcessingException):
        asyncio.run(run())
    until(lambda: not engine.room.users)  # nobody wants the room any more
    backend.start_held = False
    ask(engine)


def test_a_stop_ends_a_start_and_says_so(gpu: Gpu, engine: Engine, backend: GpuBackend) -> None:
    backend.start_held = True

    async def run() -> None:
        waits = meanwhile(lambda: backend.phase == "starting", lambda: vram.stop(engine))
        await asyncio.gather(starting(Choice(engine=engine)), waits)

    with pytest.raises(NoEngine, match="start it again"):
        asyncio.run(run())


def test_without_a_word_of_the_workflow_the_settings_release(
    gpu: Gpu, backend: GpuBackend, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine(backend)
    monkeypatch.setattr(engine, "settings", engine.settings.model_copy(update={"release": vram.AFTER_EACH_RUN}))
    ask(engine, "")
    assert gpu.happened() == ["engine awake", "engine asleep"]
    ask(engine, vram.WHEN_NEEDED)
    assert gpu.happened() == ["engine awake"]


def test_the_releases_are_those_of_the_settings() -> None:
    assert vram.RELEASES == RELEASES


def test_what_was_made_to_be_looked_at_is_put_to_sleep_too(
    gpu: Gpu, backend: GpuBackend, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line has started it, and nobody has asked it here."""
    engine = make_engine(backend)
    monkeypatch.setattr(shared, "_made", shared._Made())
    monkeypatch.setattr(standing, "standing", lambda: [engine])
    backend.room.shared = False
    engine.wake()
    status, told = routes._act(vram.put_to_sleep)
    assert status == 200 and isinstance(told, dict)
    assert [stands["phase"] for stands in told["engines"]] == ["asleep"]
    assert engine._io is None  # and nothing is kept for it
