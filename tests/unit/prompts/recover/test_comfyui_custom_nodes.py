"""What graphs that people made showed: nodes of widespread packs, as they stand in executed graphs and in workflows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from img2prompt.prompts.recover.carried import Carried, Field
from img2prompt.prompts.recover.comfyui import describe, read
from img2prompt.prompts.recover.recovered import Lora, Recovered
from img2prompt.tests.unit.prompts.recover.graphs import (
    FOX,
    HEN,
    Graph,
    advanced,
    conditioned,
    drawn,
    drawn_picture,
    encode,
    node,
    picture,
    sampler,
    texts,
)

CAT = "a cat, on a warm roof"


def told(graph: Graph) -> Recovered:
    found = describe(graph)
    assert found is not None
    return found


def shown(ui: dict[str, Any], **prompt: Any) -> Recovered:
    """What is told of a file with a workflow, and with an executed graph if one is given."""
    fields = [Field("PNG text", "workflow", json.dumps(ui))]
    if prompt:
        fields.append(Field("PNG text", "prompt", json.dumps(prompt)))
    found = read(Carried("PNG", 8, 8, tuple(fields)))
    assert found is not None
    return found


def run_time(*nodes: tuple[str, str]) -> tuple[str, ...]:
    return tuple(
        f"A text that node {key} ({kind}) makes while the graph runs is not in the file." for key, kind in nodes
    )


OUTPUTS = {  # which of a node's outputs a sampler takes
    "cond and uncond": (
        node("LayeredDiffusionCondApply", model=["4", 0], cond=["6", 0], uncond=["7", 0], latent=["5", 0]),
        (1, 2),
    ),
    "cond and uncond, no model": (node("Mix", cond=["6", 0], uncond=["7", 0]), (0, 1)),
}


@pytest.mark.parametrize(("maker", "outputs"), OUTPUTS.values(), ids=OUTPUTS)
def test_each_side_is_taken_from_its_own_output(maker: dict[str, Any], outputs: tuple[int, int]) -> None:
    found = told(picture(n20=maker, n3=sampler(["20", outputs[0]], ["20", outputs[1]])))
    assert (found.positive, found.negative) == (FOX, HEN)


def test_an_editing_node_of_one_text_has_no_negative() -> None:
    edit = node("PainterFluxImageEdit", clip=["4", 1], vae=["4", 2], image1=["50", 0], prompt=["21", 0])
    found = told(
        picture(n20=edit, n21=node("easy positive", positive=FOX), n3=sampler(["20", 0], ["20", 1])),
    )
    assert (found.positive, found.negative, found.notes) == (FOX, "", ())


def test_an_encoder_for_both_sides_whose_negative_is_unknown_has_none() -> None:
    ui = drawn_picture(
        drawn(6, "TwoSidedTextEncode", (1, "x", "y"), [("clip", "CLIP", 3), ("positive_prompt", "STRING", 20, True)]),
        drawn(20, "PrimitiveString", (FOX,)),
        links=[[20, 20, 0, 6, 1, "STRING"], [6, 6, 0, 3, 2, "CONDITIONING"]],
    )
    found = shown(ui)
    assert (found.positive, found.negative) == (FOX, "")


def test_wan_s_cached_encoder_names_both_texts() -> None:
    values = ("umt5.safetensors", "bf16", "stale", HEN, "disabled", True, "gpu")
    ui = drawn_picture(
        drawn(6, "WanVideoTextEncodeCached", values, [("positive_prompt", "STRING", 20, True)]),
        drawn(20, "PrimitiveString", (FOX,)),
        drawn(3, "WanVideoSampler", (6, 1, 5, 43, "randomize", True, "euler"), [("text_embeds", "EMBEDS", 4)]),
        links=[[20, 20, 0, 6, 0, "STRING"], [4, 6, 0, 3, 0, "EMBEDS"]],
    )
    found = shown(ui)
    assert (found.positive, found.negative, found.parameters.steps) == (FOX, HEN, 6)


def test_an_unknown_node_with_a_text_for_each_side_changes_both() -> None:
    styler = node("SDXLPromptStylerAdvanced", text_positive=FOX, text_negative=HEN, style="3D")
    graph = picture(n20=styler, n6=encode(["20", 0]), n7=encode(["20", 1]))
    found = told(graph)
    assert (found.positive, found.negative) == (FOX, HEN)
    assert found.notes == run_time(("20", "SDXLPromptStylerAdvanced"))


def test_short_texts_of_nodes_with_one_side_in_their_name() -> None:
    graph = picture(
        n20=node("easy positive", positive="good"),
        n21=node("easy negative", negative="bad"),
        n6=encode(["20", 0]),
        n7=encode(["21", 0]),
    )
    found = told(graph)
    assert (found.positive, found.negative, found.notes) == ("good", "bad", ())


def test_a_node_between_guider_and_sampler_keeps_the_sides_apart() -> None:
    guider = node("CFGGuider", model=["41", 0], positive=["6", 0], negative=["7", 0], cfg=3.2)
    found = told(advanced(node("easy cleanGpuUsed", anything=["50", 0]), n50=guider))
    assert (found.positive, found.negative, found.parameters.cfg_scale) == (FOX, HEN, 3.2)


FUNCTIONS = {
    "append": ({"action": "append", "text_a": "a fox", "text_b": "", "text_c": "in snow"}, "a fox, in snow"),
    "replace nothing": ({"action": "replace", "text_a": "a fox", "text_b": "", "text_c": "in snow"}, "a fox"),
    "replace": ({"action": "replace", "text_a": "a X", "text_b": "X", "text_c": "fox", "result": "old"}, "a fox"),
    "tidy": ({"action": "append", "text_a": "a  fox ,,", "text_b": "", "text_c": ""}, "a fox,"),
}


@pytest.mark.parametrize(("inputs", "positive"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_the_string_function_of_the_custom_scripts(inputs: dict[str, Any], positive: str) -> None:
    found = told(texts(node("StringFunction|pysssss", tidy_tags="yes", **inputs)))
    assert (found.positive, found.notes) == (positive, ())


def test_a_regular_expression_in_it_is_not_run() -> None:
    function = node("StringFunction|pysssss", action="replace", tidy_tags="no", text_a=FOX, text_b="/x/", text_c="y")
    found = told(texts(function))
    assert (found.positive, found.notes) == (FOX, run_time(("20", "StringFunction|pysssss")))


# What is made at run time


def test_an_encoder_that_makes_its_own_text_says_so() -> None:
    found = told(conditioned(node("LoraWildcardSource", model=["4", 0], clip=["4", 1], mode="random"), output=2))
    assert (found.positive, found.negative) == ("", HEN)
    assert found.notes == run_time(("20", "LoraWildcardSource"))


def test_an_encoder_that_adds_to_its_text_says_so() -> None:
    maker = node("LoraWildcardSource", model=["4", 0], clip=["4", 1], base_prompt=FOX, system_prompt="Be brief.")
    found = told(conditioned(maker, output=2))
    assert (found.positive, found.notes) == (FOX, run_time(("20", "LoraWildcardSource")))


def test_what_an_editor_keeps_is_no_prompt() -> None:
    """Such a node makes its text of boxes that a person drew; its description is a part of them."""
    boxes = json.dumps([{"type": "obj", "desc": "a red fox in deep snow", "x": 0}])
    ui = drawn_picture(
        drawn(20, "PromptBuilder", (1920, 1088, CAT, boxes)),
        links=[[20, 20, 0, 6, 1, "STRING"]],
        text=[("clip", "CLIP", 3), ("text", "STRING", 20, True)],
    )
    found = shown(ui)
    assert (found.positive, found.negative, found.notes) == ("", HEN, run_time(("20", "PromptBuilder")))


@pytest.mark.parametrize("kind", ["ImageToPrompt", "RenderPrompt", "MixPrompt", "MultiImageStory", "ReadPrompt"])
def test_our_own_nodes_texts_are_made_at_run_time(kind: str) -> None:
    """What they are told (a prefix, a known prompt) is no prompt, and no maker of pictures is one of them."""
    own = node(f"Img2Prompt_{kind}", image=["50", 0], prefix=CAT, known_prompt=CAT, prompt=CAT, family="sdxl")
    graph = texts(own) | {"5": node("VAEEncode", pixels=["20", 1], vae=["4", 2])}
    found = told(graph)
    assert (found.positive, found.negative) == ("", HEN)
    assert found.notes == run_time(("20", f"Img2Prompt_{kind}"))
    assert len(found.prompts) == 1


def test_a_node_is_not_told_a_part_of_its_prompt() -> None:
    """It would be saved as the whole."""
    graph = texts(node("DPRandomGenerator", text="a {red|white} fox", seed=1))
    found = describe(graph, at="9")
    assert found is not None
    assert (found.prompts, found.parameters.seed) == ((), 42)
    assert found.notes == run_time(("20", "DPRandomGenerator"))


def test_a_shown_text_is_better_than_the_wildcards_it_was_made_of() -> None:
    ui = drawn_picture(
        drawn(20, "DPRandomGenerator", ("a {red|white} fox", 1, "randomize")),
        drawn(21, "ShowText|pysssss", ("a red fox",), [("text", "STRING", 21)]),
        links=[[21, 20, 0, 21, 0, "STRING"], [20, 20, 0, 6, 1, "STRING"]],
        text=[("clip", "CLIP", 3), ("text", "STRING", 20, True)],
    )
    found = shown(ui, **texts(node("DPRandomGenerator", text="a {red|white} fox", seed=1)))
    assert found.positive == "a red fox"
    assert found.notes == ("The text of node 20 (DPRandomGenerator) is what the interface last showed.",)


# Notes


@pytest.mark.parametrize("written", ["a {red|white} fox", "a red fox // for now", "a red fox /* or a cat */"])
def test_what_the_interface_changes_when_it_queues_is_no_other_prompt(written: str) -> None:
    ui = drawn_picture(drawn(6, "CLIPTextEncode", (written,), [("clip", "CLIP", 3)]))
    found = shown(ui, **picture(n6=encode("a red fox")))
    assert (found.positive, found.notes) == ("a red fox", ())


def test_another_prompt_in_the_workflow_is_told_of() -> None:
    ui = drawn_picture(drawn(6, "CLIPTextEncode", (CAT,), [("clip", "CLIP", 3)]))
    found = shown(ui, **picture())
    assert (found.positive, len(found.notes)) == (FOX, 1)


# What makes a picture


def test_a_pipe_s_editor_makes_no_picture() -> None:
    """Its text is a wildcard for a part; what its list offers is no prompt either."""
    ui = drawn_picture(
        drawn(20, "ToDetailerPipe", ("", "Select the LoRA to add to the text"), [("positive", "CONDITIONING", 21)]),
        drawn(22, "EditDetailerPipe", ("[CONCAT] face", "Select the LoRA to add to the text"), [("pipe", "PIPE", 22)]),
        drawn(
            23,
            "FaceDetailerPipe",
            (512, True, 1024, 5, "fixed", 16, 6, "er_sde", "simple", 0.3),
            [("image", "IMAGE", 23), ("detailer_pipe", "PIPE", 24)],
        ),
        links=[
            *([21, 6, 0, 20, 0, "CONDITIONING"], [22, 20, 0, 22, 0, "PIPE"], [23, 8, 0, 23, 0, "IMAGE"]),
            *([24, 22, 0, 23, 1, "PIPE"], [9, 23, 0, 9, 0, "IMAGE"]),
        ],
    )
    found = shown(ui)
    assert [prompt.positive for prompt in found.prompts][:1] == [FOX]
    assert not any("Select" in prompt.positive for prompt in found.prompts)


def test_a_list_of_sizes_makes_no_picture() -> None:
    found = shown(drawn_picture(drawn(5, "SDXL Empty Latent Image", ("832 x 1216 (0.68)", 1))))
    assert [prompt.positive for prompt in found.prompts] == [FOX]
    assert (found.parameters.width, found.parameters.height) == (832, 1216)


# The interface's values


def test_a_box_to_type_into_is_no_guess() -> None:
    ui = drawn_picture(
        drawn(20, "TextBox1", ("fox",)),
        drawn(21, "INTConstant", (640,)),
        drawn(5, "EmptyLatentImage", (1, 512, 1), [("width", "INT", 21, True)]),
        links=[[20, 20, 0, 6, 1, "STRING"], [21, 21, 0, 5, 0, "INT"]],
        text=[("clip", "CLIP", 3), ("text", "STRING", 20, True)],
    )
    found = shown(ui)
    assert (found.positive, found.notes, found.parameters.width) == ("fox", (), 640)


@pytest.mark.parametrize(("kind", "value"), [("TextFileBox", "prompts/a.txt"), ("Random Line", FOX)])
def test_a_file_s_name_and_a_choice_by_chance_are_no_typed_text(kind: str, value: str) -> None:
    ui = drawn_picture(
        drawn(20, kind, (value,)),
        links=[[20, 20, 0, 6, 1, "STRING"]],
        text=[("clip", "CLIP", 3), ("text", "STRING", 20, True)],
    )
    found = shown(ui)
    assert found.notes == run_time(("20", kind))
    assert found.positive != "prompts/a.txt"


def test_an_unknown_sampler_s_values_are_known_by_their_row() -> None:
    slots = [
        *(("model", "MODEL", 1), ("positive", "CONDITIONING", 4), ("negative", "CONDITIONING", 6)),
        ("latent_image", "LATENT", 2),
    ]
    values = (9, "fixed", 30, 3.5, "dpmpp_2m", "karras", 0.8, "GPU(=A1111)")
    own = shown(drawn_picture(drawn(3, "KSampler //Inspire", values, slots))).parameters
    assert (own.seed, own.steps, own.cfg_scale, own.sampler, own.scheduler, own.denoise) == (
        *(9, 30, 3.5),
        *("dpmpp_2m", "karras", 0.8),
    )


def test_a_switch_whose_value_has_no_name_is_asked_all_the_same() -> None:
    ui = drawn_picture(
        drawn(20, "Switch any [Crystools]", (False,), [("on_true", "*", 21), ("on_false", "*", 22)]),
        drawn(21, "PrimitiveString", (CAT,)),
        drawn(22, "PrimitiveString", (FOX,)),
        links=[[21, 21, 0, 20, 0, "*"], [22, 22, 0, 20, 1, "*"], [20, 20, 0, 6, 1, "STRING"]],
        text=[("clip", "CLIP", 3), ("text", "STRING", 20, True)],
    )
    assert shown(ui).positive == FOX


def without_links() -> dict[str, Any]:
    """A picture whose sampler's prompts and seed come from "Everywhere" nodes, noted nowhere, as of 2023."""
    typed = [
        *(("model", "MODEL", 1), ("positive", "CONDITIONING", None), ("negative", "CONDITIONING", None)),
        *(("latent_image", "LATENT", 2), ("seed", "INT", None, True)),
    ]
    out = {"outputs": [{"name": "CONDITIONING", "type": "CONDITIONING"}]}
    return drawn_picture(
        drawn(3, "KSampler", (42, "randomize", 4, 1.5, "lcm", "sgm_uniform", 1), typed),
        drawn(6, "CLIPTextEncode", (FOX,), [("clip", "CLIP", 3)], **out),
        drawn(7, "CLIPTextEncode", (HEN,), [("clip", "CLIP", 5)], **out),
        drawn(20, "Prompts Everywhere", None, [("CONDITIONING", "*", 20), ("CONDITIONING", "*", 21)]),
        drawn(21, "Seed Everywhere", (77, "randomize")),
        links=[[20, 6, 0, 20, 0, "*"], [21, 7, 0, 20, 1, "*"], [4, 6, 0, 99, 1, "*"], [6, 7, 0, 99, 2, "*"]],
    )


def test_links_that_are_not_drawn_and_not_noted() -> None:
    found = shown(without_links())
    assert (found.positive, found.negative, found.parameters.seed) == (FOX, HEN, 77)


def test_a_muted_sender_sends_nothing() -> None:
    ui = without_links()
    for one in ui["nodes"]:
        one["mode"] = 2 if one["id"] in (20, 21) else one["mode"]
    assert shown(ui).prompts == ()


# Parameters

LOADERS = {
    "gguf": drawn(4, "UnetLoaderGGUF", ("z_image-Q8_0.gguf",)),
    "unknown": drawn(4, "GrandModelLoader", ("bf16", "models/grand.safetensors", "sage")),
}


@pytest.mark.parametrize("loader", LOADERS.values(), ids=LOADERS)
def test_a_loader_s_file_is_the_checkpoint(loader: dict[str, Any]) -> None:
    assert shown(drawn_picture(loader)).parameters.checkpoint.endswith((".gguf", "grand.safetensors"))


def test_a_loader_of_something_else_is_no_checkpoint() -> None:
    patch = node("LoraBlockLoader", model=["41", 0], block="x.safetensors")
    own = told(picture(n41=node("Magic", value=1), n20=patch, n3=sampler(["6", 0], model=["20", 0]))).parameters
    assert own.checkpoint == ""


def test_a_preset_comes_before_the_size_beside_it() -> None:
    loader = node(
        "easy fullLoader",
        **{"ckpt_name": "a.safetensors", "positive": FOX, "negative": HEN, "resolution": "1024 x 768"},
        **{"empty_latent_width": 512, "empty_latent_height": 512, "vae_name": "Baked VAE"},
    )
    full = node("easy fullkSampler", pipe=["1", 0], seed=3, steps=2, cfg=1, sampler_name="euler", scheduler="normal")
    found = told({"1": loader, "2": full, "3": node("PreviewImage", images=["2", 1])})
    assert (found.positive, found.negative) == (FOX, HEN)
    assert (found.parameters.width, found.parameters.height, found.parameters.vae) == (1024, 768, "")


def test_bounds_of_a_size_are_no_size() -> None:
    resize = node("ImageResize+", width=1920, height=1080, method="keep proportion", image=["50", 0])
    own = told(picture(n5=node("VAEEncode", pixels=["20", 0], vae=["4", 2]), n20=resize)).parameters
    assert (own.width, own.height) == (None, None)


def test_loras_that_do_nothing_are_left_out() -> None:
    rows = node(
        "WanVideoLoraSelectMulti",
        **{"lora_0": "a", "strength_0": 0.5, "lora_1": "b", "strength_1": 0, "lora_2": "none", "strength_2": 1},
    )
    graph = picture(n20=rows, n21=node("WanVideoSetLoRAs", model=["4", 0], lora=["20", 0]))
    own = told(graph | {"3": sampler(["6", 0], model=["21", 0])}).parameters
    assert own.loras == (Lora("a", 0.5),)


def test_a_number_in_a_node_of_any_case() -> None:
    graph = picture(n20=node("Int", Number="768"), n5=node("EmptyLatentImage", width=["20", 0], height=["20", 0]))
    assert told(graph).parameters.width == 768


def test_a_patch_for_a_model_is_no_checkpoint() -> None:
    patched = node("ModelControlPatch", model=["21", 0], model_patch=["22", 0])
    graph = picture(
        n20=patched,
        n21=node("GrandLoader", file="grand.gguf"),
        n22=node("ModelPatchLoader", name="patch.safetensors"),
        n3=sampler(["6", 0], model=["20", 0]),
    )
    assert told(graph).parameters.checkpoint == "grand.gguf"


def test_what_a_group_does_not_show_is_its_own() -> None:
    """The instance has values for what is shown only; an output that is used inside and outside is noted as a node."""
    hide = {"visible": False}
    inner = [
        {"type": "PrimitiveString", "widgets_values": ["own"], "inputs": [], "outputs": [{}], "index": 0},
        {
            "type": "KSampler",
            "widgets_values": [42, "fixed", 20, 7.5, "euler", "karras", 1],
            "inputs": [{"name": "model", "type": "MODEL"}, {"name": "positive", "type": "CONDITIONING"}],
            "outputs": [{}],
            "index": 1,
        },
        {"type": "LatentUpscaleBy", "widgets_values": ["bicubic", 2], "inputs": [{"name": "samples"}], "outputs": [{}]},
    ]
    group = {
        "nodes": inner,
        "links": [[1, 0, 2, 0, 9, "LATENT"]],
        "external": [[{"type": "KSampler", "index": 1}, 0, "LATENT"]],
        "config": {"0": {"input": {"value": hide}}, "1": {"input": {"seed": hide, "cfg": hide}}},
    }
    slots = [("model", "MODEL", 1), ("positive", "CONDITIONING", 4)]
    ui = drawn_picture(
        drawn(3, "workflow>draw", (30, "dpmpp_2m", "simple", 0.5, "area", 3), slots),
        extra={"groupNodes": {"draw": group}},
    )
    found = shown(ui)
    own = found.parameters
    assert found.positive == FOX
    assert (own.seed, own.steps, own.cfg_scale, own.sampler, own.denoise) == (42, 30, 7.5, "dpmpp_2m", 0.5)
