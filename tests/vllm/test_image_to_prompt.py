"""Image → Prompt in a real ComfyUI on a real vLLM: a trained model sees, guided JSON parses, Cancel frees its slots."""

from __future__ import annotations

from img2prompt.prompts import ImageAnalysis
from img2prompt.prompts.vocabulary import vocabulary
from img2prompt.tests.comfyui.graphs import describe, shown
from img2prompt.tests.comfyui.server import ComfyServer
from img2prompt.tests.seeing_model.scenes import Scene
from img2prompt.tests.vllm.conftest import DrawUnseen
from img2prompt.tests.vllm.server import VllmServer
from img2prompt.tests.waiting import until

BATCHES = (
    ((256, 256), 20),
    ((384, 256), 10),
    ((256, 384), 10),
    ((512, 512), 20),
    ((640, 480), 10),
    ((480, 640), 10),
    ((768, 768), 10),
    ((1024, 1024), 10),
)
"""Sizes in pixels, and how many pictures of each: 100 in all."""
ANALYSIS = 4
"""The number of the node's output."""


def names_it(scene: Scene, found: ImageAnalysis, prompt: str) -> bool:
    """Whether caption, tags and the rendered prompt name the shape with its colour."""
    return scene.name in found.caption and scene.name in found.tags and scene.name in prompt


def test_a_hundred_unseen_pictures(seeing_comfyui: ComfyServer, draw_unseen: DrawUnseen) -> None:
    right, wrong = 0, []
    for size, number in BATCHES:
        drawn = draw_unseen(number, size)
        graph = {**describe(*(file for _, file in drawn)), "analysis": shown("prompt", ANALYSIS)}
        outcome = seeing_comfyui.run(graph, timeout_s=600)
        assert outcome.status == "success", outcome.error  # an answer that does not parse is an error
        found = [ImageAnalysis.model_validate_json(text) for text in outcome.outputs["analysis"]["text"]]
        # strict: as many answers as pictures, in their order
        for (scene, _), analysis, prompt in zip(drawn, found, outcome.outputs["prompt"]["text"], strict=True):
            if names_it(scene, analysis, prompt):
                right += 1
            else:
                wrong.append(f"{size} {scene.name}: {analysis.caption!r}, {analysis.tags} -> {prompt!r}")
    print(f"{right} of 100 right", *wrong, sep="\n")
    assert (right + len(wrong), right >= 90) == (100, True)


def test_a_closed_vocabulary_admits_real_tags_only(seeing_comfyui: ComfyServer, draw_unseen: DrawUnseen) -> None:
    """The grammar of 7,000 tags compiles on the server, and a model that never learned one of them writes no others."""
    files = [file for _, file in draw_unseen(4, (256, 256))]
    graph = {
        **describe(*files, family="noobai", closed_vocabulary=True),
        "analysis": shown("prompt", ANALYSIS),
    }
    outcome = seeing_comfyui.run(graph, timeout_s=600)
    assert outcome.status == "success", outcome.error
    found = [ImageAnalysis.model_validate_json(text) for text in outcome.outputs["analysis"]["text"]]
    assert len(found) == 4
    written = {tag for analysis in found for tag in (*analysis.tags, *analysis.setting, *analysis.composition)}
    written |= {tag for analysis in found for subject in analysis.subjects for tag in subject.appearance}
    assert written
    assert written - vocabulary().tags == set()
    assert all(prompt.startswith("masterpiece, best quality") for prompt in outcome.outputs["prompt"]["text"])


def test_cancel_frees_the_servers_slots(
    seeing_comfyui: ComfyServer, vllm_server: VllmServer, draw_unseen: DrawUnseen
) -> None:
    asked, before = 40, vllm_server.answered()
    prompt_id = seeing_comfyui.submit(describe(*(file for _, file in draw_unseen(asked, (512, 512)))))
    until(lambda: vllm_server.busy() >= 1, timeout_s=120)  # how many run at once depends on who is quicker
    seeing_comfyui.interrupt(prompt_id)
    assert seeing_comfyui.wait(prompt_id).interrupted
    until(lambda: vllm_server.busy() == 0)
    assert vllm_server.answered() - before < asked
