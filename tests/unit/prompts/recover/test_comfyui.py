"""Prompts of executed graphs: where the texts come from, which sampler counts, how it was set."""

from __future__ import annotations

import json
from typing import Any

import pytest
from img2prompt.prompts.errors import RecoverError
from img2prompt.prompts.recover.carried import Carried, Field
from img2prompt.prompts.recover.comfyui import describe, read, stored_graphs
from img2prompt.prompts.recover.recovered import Lora, NodeRef, Recovered
from img2prompt.tests.unit.prompts.recover.graphs import (
    CHECKPOINT,
    FOX,
    HEN,
    Graph,
    advanced,
    conditioned,
    drawn_picture,
    encode,
    node,
    picture,
    sampler,
    texts,
)

SNOW = "in deep snow"


def told(graph: Graph, at: str | None = None) -> Recovered:
    found = describe(graph, at)
    assert found is not None
    return found


def string(text: str) -> dict[str, Any]:
    return node("PrimitiveString", value=text)


STRINGS: list[tuple[str, Graph, str]] = [
    ("primitive", texts(node("PrimitiveStringMultiline", value=FOX)), FOX),
    (
        "two primitives in one",
        texts(
            string("a red fox"),
            string(SNOW),
            node("StringConcatenate", string_a=["20", 0], string_b=["21", 0], delimiter=", "),
        ),
        FOX,
    ),
    (
        "an empty half keeps the delimiter",
        texts(node("StringConcatenate", string_a="a", string_b="", delimiter="|")),
        "a|",
    ),
    (
        "replace",
        texts(string("a red X"), node("StringReplace", string=["20", 0], find="X", replace="fox")),
        "a red fox",
    ),
    ("trim left", texts(node("StringTrim", string="  a. ", mode="Left"), string("b")), "b"),
    ("substring", texts(node("StringSubstring", string="xxa red fox!", start=2, end=-1)), "a red fox"),
    ("case", texts(node("CaseConverter", string="a Red fox", mode="UPPERCASE")), "A RED FOX"),
    (
        "a plain pattern",
        texts(node("RegexReplace", string="a cat", regex_pattern="cat", replace="fox", count=0)),
        "a fox",
    ),
    (
        "WAS concatenation leaves empty texts out",
        texts(
            string("a red fox "),
            node(
                "Text Concatenate",
                **{"text_a": ["20", 0], "text_b": "", "text_c": SNOW},
                delimiter=", ",
                clean_whitespace="true",
            ),
        ),
        FOX,
    ),
    (
        "ten strings in order",
        texts(
            node("JoinStringMulti", delimiter="-", **{f"string_{number}": str(number) for number in (10, 2, 1, 3)}),
        ),
        "1-2-3-10",
    ),
    ("format", texts(string("fox"), node("StringFormat", f_string="a {a}", **{"values.a": ["20", 0]})), "a fox"),
    (
        "shown on its way",
        texts(string(FOX), node("ShowText|pysssss", text=["20", 0]), node("PreviewAny", source=["21", 0])),
        FOX,
    ),
    (
        "switched off",
        texts(string("no"), string(FOX), node("ComfySwitchNode", switch=False, on_true=["20", 0], on_false=["21", 0])),
        FOX,
    ),
    (
        "switched on by a node",
        texts(
            *(node("PrimitiveBoolean", value=True), string(FOX), string("no")),
            node("ComfySwitchNode", switch=["20", 0], on_true=["21", 0], on_false=["22", 0]),
        ),
        FOX,
    ),
    (
        "the second of three",
        texts(string("no"), string(FOX), node("ImpactSwitch", select=2, input1=["20", 0], input2=["21", 0])),
        FOX,
    ),
    ("the first that is there", texts(string(FOX), node("Any Switch (rgthree)", any_02=["20", 0])), FOX),
    ("a wildcard's outcome", texts(node("ImpactWildcardProcessor", wildcard_text="{a|b}", populated_text=FOX)), FOX),
    ("a node that nobody knows", texts(node("My Text", text=FOX)), FOX),
    ("a list's choice", texts(node("CustomCombo", choice=FOX, option1="no", option2=FOX)), FOX),
    (
        "a number in a text",
        texts(
            node("PrimitiveInt", value=7), node("StringConcatenate", string_a="room ", string_b=["20", 0], delimiter="")
        ),
        "room 7",
    ),
]


@pytest.mark.parametrize(("graph", "positive"), [row[1:] for row in STRINGS], ids=[row[0] for row in STRINGS])
def test_a_text_is_put_together_as_its_nodes_do(graph: Graph, positive: str) -> None:
    found = told(graph)
    assert (found.positive, found.negative, found.notes) == (positive, HEN, ())


CONDITIONINGS: list[tuple[str, Graph, str]] = [
    ("SDXL, both texts equal", conditioned(node("CLIPTextEncodeSDXL", text_g=FOX, text_l=FOX, clip=["4", 1])), FOX),
    ("SDXL", conditioned(node("CLIPTextEncodeSDXL", text_g="a", text_l="b", clip=["4", 1])), "a\nb"),
    ("refiner", conditioned(node("CLIPTextEncodeSDXLRefiner", ascore=6, text=FOX, clip=["4", 1])), FOX),
    ("Flux", conditioned(node("CLIPTextEncodeFlux", clip_l="", t5xxl=FOX, guidance=3.5, clip=["4", 1])), FOX),
    ("SD3", conditioned(node("CLIPTextEncodeSD3", clip_l=FOX, clip_g=FOX, t5xxl="", clip=["4", 1])), FOX),
    ("HiDream", conditioned(node("CLIPTextEncodeHiDream", clip_l=FOX, clip_g=FOX, t5xxl=FOX, llama=FOX)), FOX),
    ("HunyuanDiT", conditioned(node("CLIPTextEncodeHunyuanDiT", bert=FOX, mt5xl=FOX, clip=["4", 1])), FOX),
    (
        "Lumina 2",
        conditioned(node("CLIPTextEncodeLumina2", system_prompt="superior", user_prompt=FOX, clip=["4", 1])),
        FOX,
    ),
    ("Qwen edit", conditioned(node("TextEncodeQwenImageEditPlus", prompt=FOX, clip=["4", 1], image1=["50", 0])), FOX),
    ("advanced encoder", conditioned(node("BNK_CLIPTextEncodeAdvanced", text=FOX, clip=["4", 1])), FOX),
    ("an encoder that nobody knows", conditioned(node("FooEncode", prompt=FOX, clip=["4", 1])), FOX),
    ("guidance", conditioned(encode(FOX), node("FluxGuidance", guidance=3.5, conditioning=["20", 0])), FOX),
    ("reference", conditioned(encode(FOX), node("ReferenceLatent", conditioning=["20", 0], latent=["5", 0])), FOX),
    (
        "combined, each different text once",
        conditioned(
            *(encode("a"), encode("b"), encode("a")),
            node("ConditioningSetArea", conditioning=["20", 0], strength=1),
            node("ConditioningCombine", conditioning_1=["23", 0], conditioning_2=["21", 0]),
            node("ConditioningConcat", conditioning_to=["24", 0], conditioning_from=["22", 0]),
        ),
        "a\nb",
    ),
    (
        "control net",
        conditioned(
            encode(FOX),
            node("ControlNetApplyAdvanced", positive=["20", 0], negative=["7", 0], strength=1, control_net=["60", 0]),
        ),
        FOX,
    ),
    (
        "an unknown node on the way",
        conditioned(encode(FOX), node("Magic", thing=["20", 0], model=["4", 0])),
        FOX,
    ),
    (
        "the model comes first out of it",
        conditioned(
            encode(FOX),
            node("WanInfiniteTalkToVideo", model=["4", 0], positive=["20", 0], negative=["7", 0]),
            output=1,
        ),
        FOX,
    ),
    (
        "switched",
        conditioned(
            *(encode("no"), encode(FOX)),
            node("ConditioningSwitch", select=2, conditioning1=["20", 0], conditioning2=["21", 0]),
        ),
        FOX,
    ),
    (
        "through a pipe",
        picture(
            n20=node("ToBasicPipe", model=["4", 0], clip=["4", 1], positive=["6", 0], negative=["7", 0]),
            n3=node("ImpactKSamplerBasicPipe", basic_pipe=["20", 0], seed=1, steps=2, latent_image=["5", 0]),
        ),
        FOX,
    ),
    (
        "a loader that holds the texts",
        picture(
            n20=node("Efficient Loader", ckpt_name=CHECKPOINT, positive=FOX, negative=HEN, clip_skip=-2),
            n3=sampler(["20", 1], ["20", 2]),
        ),
        FOX,
    ),
    (
        "such a loader with its text linked",
        picture(
            n19=node("PrimitiveString", value=FOX),
            n20=node("Efficient Loader", ckpt_name=CHECKPOINT, positive=["19", 0], negative=HEN),
            n3=sampler(["20", 1], ["20", 2]),
        ),
        FOX,
    ),
    (
        "Kijai's nodes",
        picture(
            n20=node("WanVideoTextEncode", positive_prompt=FOX, negative_prompt=HEN, t5=["60", 0]),
            n3=node("WanVideoSampler", model=["4", 0], text_embeds=["20", 0], steps=4, seed=1, image_embeds=["61", 0]),
            n8=node("WanVideoDecode", samples=["3", 0], vae=["60", 0]),
        ),
        FOX,
    ),
]


@pytest.mark.parametrize(
    ("graph", "positive"), [row[1:] for row in CONDITIONINGS], ids=[row[0] for row in CONDITIONINGS]
)
def test_a_conditioning_leads_to_its_texts(graph: Graph, positive: str) -> None:
    found = told(graph)
    assert (found.positive, found.negative, found.notes) == (positive, HEN, ())


def test_the_nodes_are_named_where_the_text_was_typed() -> None:
    graph = picture(
        **{
            "n6": encode(["57:27", 0]),
            "n57:27": node("StringConcatenate", string_a=["20", 0], string_b="b", delimiter=""),
        },
        n20=node("PrimitiveString", value="a") | {"_meta": {"title": "My words"}},
    )
    (prompt,) = told(graph).prompts
    assert prompt.positive_nodes == (
        NodeRef("20", "PrimitiveString", "My words"),
        NodeRef("57:27", "StringConcatenate"),
    )
    assert prompt.negative_nodes == (NodeRef("7", "CLIPTextEncode"),)
    assert prompt.sampler == NodeRef("3", "KSampler")


@pytest.mark.parametrize(
    ("guider", "negative", "cfg"),
    [
        (node("BasicGuider", model=["41", 0], conditioning=["6", 0]), "", None),
        (node("CFGGuider", model=["41", 0], positive=["6", 0], negative=["7", 0], cfg=4), HEN, 4),
        (node("DualCFGGuider", cond1=["6", 0], cond2=["7", 0], negative=["7", 0], cfg_conds=5), HEN, 5),
    ],
    ids=lambda value: value["class_type"] if isinstance(value, dict) else None,
)
def test_the_sampler_in_parts(guider: dict[str, Any], negative: str, cfg: float | None) -> None:
    found = told(advanced(guider))
    assert (found.positive, found.negative) == (FOX, negative)
    own = found.parameters
    assert (own.seed, own.steps, own.sampler, own.scheduler) == (77, 8, "res_multistep", "simple")
    assert (own.cfg_scale, own.denoise, own.width, own.height) == (cfg, 0.6, 832, 1216)
    assert own.checkpoint == ("flux1-dev.safetensors" if "model" in guider["inputs"] else "")


def test_a_negative_that_is_zeroed_out_is_none() -> None:
    graph = picture(n7=node("ConditioningZeroOut", conditioning=["6", 0]))
    assert (told(graph).positive, told(graph).negative) == (FOX, "")


def test_an_output_tells_which_side_it_is() -> None:
    """Both inputs of the sampler hang on the positive output, as with models that need no negative."""
    control = node("ControlNetApplyAdvanced", positive=["6", 0], negative=["7", 0], strength=1)
    graph = picture(n20=control, n3=sampler(["20", 0], ["20", 0]))
    assert (told(graph).positive, told(graph).negative) == (FOX, FOX)


def two_passes(second: str = "fine fur") -> Graph:
    """A second pass over an enlarged latent, with another prompt and LoRA; the first one's picture is shown, too."""
    return picture(
        n20=encode(second),
        n21=node("LatentUpscale", samples=["3", 0], width=1664, height=2432, upscale_method="bilinear"),
        n22=sampler(["20", 0], latent_image=["21", 0], seed=5, denoise=0.4, model=["25", 0]),
        n23=node("VAEDecode", samples=["22", 0], vae=["26", 0]),
        n24=node("SaveImage", images=["23", 0], filename_prefix="large"),
        n25=node("LoraLoader", lora_name="fur.safetensors", strength_model=0.8, strength_clip=0.5, model=["4", 0]),
        n26=node("VAELoader", vae_name="vae-ft-mse.safetensors"),
    )


def test_the_final_picture_s_prompt_is_first() -> None:
    found = told(two_passes())
    assert [(prompt.positive, prompt.sampler and prompt.sampler.id) for prompt in found.prompts] == [
        ("fine fur", "22"),
        (FOX, "3"),
    ]
    own = found.parameters
    assert (own.seed, own.denoise, own.width, own.height) == (5, 0.4, 1664, 2432)
    assert (own.vae, own.loras) == ("vae-ft-mse.safetensors", (Lora("fur.safetensors", 0.8, 0.5),))


def test_a_second_pass_with_the_same_texts_is_the_same_prompt() -> None:
    (prompt,) = told(two_passes(FOX)).prompts
    assert (prompt.positive, prompt.sampler and prompt.sampler.id) == (FOX, "22")


def test_only_what_is_above_a_node_counts_where_one_is_named() -> None:
    assert [prompt.positive for prompt in told(two_passes(), at="9").prompts] == [FOX]
    assert describe(two_passes(), at="26") is None
    assert describe(two_passes(), at="nowhere") is None


def test_a_node_is_told_of_its_nearest_sampler_though_the_text_of_an_earlier_one_is_known() -> None:
    """Which would be written into the picture as its own."""
    graph = two_passes()
    graph["20"] = node("CLIPTextEncode", text=["27", 0], clip=["4", 1])
    graph["27"] = node("Img2Prompt_ImageToPrompt", image=["28", 0])
    found = describe(graph, at="24")
    assert found is not None
    assert (found.prompts, found.parameters.denoise) == ((), 0.4)
    assert any("node 27" in note for note in found.notes)


def test_whatever_breaks_the_following_of_a_graph_is_one_kind_of_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save Prompt has pictures to save, which may have taken an hour."""
    monkeypatch.setattr(stored_graphs, "described", lambda graph, at: {}["a fault of ours"])
    with pytest.raises(RecoverError, match=r"cannot be followed \(KeyError\)"):
        describe(picture(), at="9")


def test_a_saved_picture_counts_before_one_that_is_shown() -> None:
    graph = picture(
        n20=encode("another"),
        n21=sampler(["20", 0]),
        n22=node("VAEDecode", samples=["21", 0]),
        n23=node("PreviewImage", images=["22", 0]),
    )
    assert [prompt.positive for prompt in told(graph).prompts] == [FOX, "another"]


def test_a_node_that_saves_with_its_own_settings_is_no_sampler() -> None:
    """Some are told what to write beside the picture: text, steps, seed."""
    saver = node("Image Saver", images=["8", 0], positive=["20", 0], steps=20, seed_value=1, sampler_name="euler")
    graph = picture(n9=saver, n20=node("Text Multiline", text="what is written beside"))
    assert [prompt.positive for prompt in told(graph).prompts] == [FOX]
    assert [prompt.positive for prompt in told(graph, at="9").prompts] == [FOX]


def test_a_detailer_comes_behind_what_drew_the_picture() -> None:
    detailer = node(
        "FaceDetailer", image=["8", 0], model=["4", 0], positive=["20", 0], negative=["7", 0], seed=1, steps=9
    )
    graph = picture(n20=encode("a face"), n21=detailer, n9=node("SaveImage", images=["21", 0], filename_prefix="x"))
    assert [prompt.positive for prompt in told(graph).prompts] == [FOX, "a face"]


def test_the_second_half_of_a_sampling_takes_the_first_one_s_seed() -> None:
    """As with models of two experts: the second sampler adds no noise, and its seed is never used."""
    more = {"add_noise": "disable", "noise_seed": 0, "start_at_step": 10, "end_at_step": 10000}
    second = node("KSamplerAdvanced", **(sampler(["6", 0], latent_image=["3", 0])["inputs"] | more))
    del second["inputs"]["seed"]
    graph = picture(n20=second, n8=node("VAEDecode", samples=["20", 0]))
    found = told(graph)
    assert (found.prompts[0].sampler and found.prompts[0].sampler.id, found.parameters.seed) == ("20", 42)


@pytest.mark.parametrize(
    ("models", "loras"),
    [
        (
            node("LoraLoaderModelOnly", lora_name="a", strength_model=["30", 0], model=["4", 0]),
            (Lora("a", 0.7),),
        ),
        (
            node(
                "Power Lora Loader (rgthree)",
                lora_1={"on": True, "lora": "a", "strength": 0.7},
                lora_2={"on": False, "lora": "b", "strength": 1},
                model=["4", 0],
            ),
            (Lora("a", 0.7),),
        ),
        (
            node("LoraLoader|pysssss", lora_name={"content": "a", "image": None}, strength_model=0.7, model=["4", 0]),
            (Lora("a", 0.7),),
        ),
        (
            node(
                "CR LoRA Stack",
                **{"switch_1": "On", "lora_name_1": "a", "model_weight_1": 0.7, "clip_weight_1": 0.2},
                **{"switch_2": "Off", "lora_name_2": "b", "model_weight_2": 1, "lora_name_3": "None"},
                model=["4", 0],
            ),
            (Lora("a", 0.7, 0.2),),
        ),
    ],
    ids=lambda value: value["class_type"] if isinstance(value, dict) else None,
)
def test_loras(models: dict[str, Any], loras: tuple[Lora, ...]) -> None:
    graph = picture(n20=models, n30=node("PrimitiveFloat", value=0.7), n3=sampler(["6", 0], model=["20", 0]))
    assert told(graph).parameters.loras == loras
    assert told(graph).parameters.checkpoint == CHECKPOINT


def test_values_are_followed_to_their_nodes() -> None:
    graph = picture(
        n3=sampler(["6", 0], steps=["20", 0], cfg=["21", 0], seed=["22", 0]),
        n5=node("EmptyLatentImage", width=["20", 0], height=["20", 0]),
        n6=encode(FOX, clip=("24", 0)),
        **{"n20": node("PrimitiveInt", value=512), "n21": node("PrimitiveFloat", value=2.5)},
        **{
            "n22": node("Seed (rgthree)", seed=9),
            "n24": node("CLIPSetLastLayer", stop_at_clip_layer=-2, clip=["4", 1]),
        },
    )
    own = told(graph).parameters
    assert (own.steps, own.cfg_scale, own.seed, own.width, own.height, own.clip_skip) == (512, 2.5, 9, 512, 512, 2)


def test_guidance_and_sigmas_that_are_written_out() -> None:
    guider = node("BasicGuider", model=["41", 0], conditioning=["42", 0])
    guidance = node("FluxGuidance", guidance=3.5, conditioning=["6", 0])
    sigmas = node("ManualSigmas", sigmas="1.0, 0.7, 0.3, 0")
    own = told(advanced(guider, n42=guidance, n33=sigmas, n32=node("SamplerEulerAncestral", eta=1))).parameters
    assert (own.guidance, own.steps, own.sampler) == (3.5, 3, "SamplerEulerAncestral")


SERVICES = [
    node("FluxProUltraImageNode", prompt=FOX, seed=3, aspect_ratio="16:9"),
    node("OpenAIDalle3", prompt=["20", 0], seed=3, quality="hd"),
    node("ByteDance2TextToVideoNode", model="Seedance", seed=3, **{"model.prompt": FOX}),
    node("MinimaxTextToVideoNode", prompt_text=FOX, seed=3),
]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service["class_type"])
def test_a_node_that_makes_pictures_by_itself(service: dict[str, Any]) -> None:
    graph = {"1": service, "20": string(FOX), "9": node("SaveImage", images=["1", 0], filename_prefix="x")}
    found = told(graph)
    assert (found.positive, found.parameters.seed) == (FOX, 3)
    assert found.prompts[0].sampler == NodeRef("1", service["class_type"])


def test_a_language_model_s_order_is_no_prompt() -> None:
    llm = node("GeminiNode", prompt="Describe the picture in one sentence.", images=["2", 0])
    assert describe({"1": llm, "9": node("PreviewAny", source=["1", 0])}) is None


@pytest.mark.parametrize(
    ("maker", "positive"),
    [
        (node("OllamaGenerate", prompt="Write a prompt about a fox"), ""),
        (node("Florence2Run", image=["50", 0], text_input=""), ""),
        (node("Img2Prompt_ImageToPrompt", image=["50", 0], prefix="x", family="sdxl"), ""),
        (node("DPRandomGenerator", text="a {red|white} fox", seed=1), "a {red|white} fox"),
        (node("RegexReplace", string="a (cat)", regex_pattern="\\((\\w+)\\)", replace="$1"), "a (cat)"),
    ],
    ids=lambda value: value["class_type"] if isinstance(value, dict) else None,
)
def test_a_text_that_is_made_at_run_time_is_named(maker: dict[str, Any], positive: str) -> None:
    found = told(texts(maker))
    assert (found.positive, found.negative) == (positive, HEN)
    assert found.notes == (
        f"A text that node 20 ({maker['class_type']}) makes while the graph runs is not in the file.",
    )


# Files


def png(**texts: Any) -> Carried:
    fields = (
        Field("PNG text", key, text if isinstance(text, str) else json.dumps(text)) for key, text in texts.items()
    )
    return Carried("PNG", 8, 8, tuple(fields))


def exif(**texts: str) -> Carried:
    return Carried("WebP", 8, 8, tuple(Field("EXIF", key, text) for key, text in texts.items()))


GRAPH = json.dumps(picture())
UI = json.dumps(drawn_picture())
PLACES: list[tuple[str, Carried, str]] = [
    ("PNG", png(prompt=GRAPH, workflow=UI), "PNG text 'prompt'"),
    ("PNG, workflow alone", png(workflow=UI), "PNG text 'workflow'"),
    ("EXIF by their prefixes", exif(Make=f"workflow:{UI}", Model=f"prompt:{GRAPH}"), "EXIF Model"),
    ("EXIF in other tags", exif(ImageDescription=f"Workflow: {UI}", Software=f"Prompt: {GRAPH}"), "EXIF Software"),
    ("EXIF UserComment", exif(UserComment=GRAPH), "EXIF UserComment"),
    (
        "both in one",
        exif(UserComment=json.dumps({"prompt": picture(), "workflow": json.loads(UI)})),
        "EXIF UserComment",
    ),
    ("both as texts in one", exif(UserComment=json.dumps({"prompt": GRAPH, "workflow": UI})), "EXIF UserComment"),
]


@pytest.mark.parametrize(("carried", "source"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_where_graphs_stand(carried: Carried, source: str) -> None:
    found = read(carried)
    assert found is not None
    assert (found.generator, found.positive, found.negative, found.source) == ("ComfyUI", FOX, HEN, source)
    assert (found.parameters.seed, found.parameters.steps, found.notes) == (42, 20, ())


@pytest.mark.parametrize(
    "carried",
    [
        png(parameters="a fox\nSteps: 20, Sampler: Euler a"),
        png(prompt="a red fox"),
        exif(UserComment='{"prompt": "a red fox", "seed": 1}'),
        png(Description="[1, 2]", Comment="{broken"),
        Carried("JPEG", None, None),
    ],
)
def test_what_is_no_graph_is_left_to_others(carried: Carried) -> None:
    assert read(carried) is None


def test_a_graph_that_breaks_off_is_an_error() -> None:
    with pytest.raises(RecoverError, match="PNG text 'prompt'"):
        read(png(prompt=GRAPH[:-20]))


def test_a_graph_that_breaks_off_beside_a_whole_one_is_a_note() -> None:
    found = read(png(prompt=GRAPH[:-20], workflow=UI))
    assert found is not None
    assert found.positive == FOX
    assert "PNG text 'prompt'" in found.notes[0]


def test_the_executed_graph_wins_over_the_interface_s() -> None:
    found = read(png(prompt=picture(n6=encode("what ran")), workflow=UI))
    assert found is not None
    assert [prompt.positive for prompt in found.prompts] == ["what ran"]
    assert "is not in the executed graph" in found.notes[0]


def test_a_graph_without_a_prompt_is_comfyui_s_all_the_same() -> None:
    resized = {"1": node("LoadImage", image="a.png"), "2": node("SaveImage", images=["1", 0], filename_prefix="x")}
    found = read(png(prompt=resized))
    assert found is not None
    assert (found.generator, found.prompts) == ("ComfyUI", ())


def test_a_shown_text_stands_for_what_made_it() -> None:
    """ShowText keeps, in the interface's graph, what went through it."""
    graph = texts(node("OllamaGenerate", prompt="Write a prompt"), node("ShowText|pysssss", text=["20", 0]))
    shown = {"id": 21, "type": "ShowText|pysssss", "inputs": [{"name": "text", "type": "STRING", "link": 1}]}
    ui = {"nodes": [{**shown, "widgets_values": [[FOX]]}, {"id": 20, "type": "OllamaGenerate"}]}
    found = read(png(prompt=graph, workflow={**ui, "links": [[1, 20, 0, 21, 0, "STRING"]]}))
    assert found is not None
    assert found.positive == FOX
    assert found.prompts[0].positive_nodes == (NodeRef("20", "OllamaGenerate"),)
    assert found.notes == ("The text of node 20 (OllamaGenerate) is what the interface last showed.",)


def civitai(**extra: Any) -> Carried:
    graph: dict[str, Any] = picture(n4=node("CheckpointLoaderSimple", ckpt_name="urn:air:sdxl:checkpoint:civitai:1@2"))
    record = {
        "prompt": FOX,
        "negativePrompt": HEN,
        "steps": 25,
        "cfgScale": 4,
        "sampler": "Euler a",
        "seed": 6,
        **extra,
    }
    return exif(UserComment=json.dumps({**graph, "extra": {"airs": []}, "extraMetadata": json.dumps(record)}))


def test_civitai_s_own_record_is_trusted_first() -> None:
    found = read(civitai(prompt="typed on the site"))
    assert found is not None
    assert found.generator == "Civitai"
    assert [prompt.positive for prompt in found.prompts] == ["typed on the site", FOX]
    own = found.parameters
    assert (own.seed, own.steps, own.cfg_scale, own.sampler, own.scheduler) == (6, 25, 4, "Euler a", "karras")
    assert own.checkpoint == "urn:air:sdxl:checkpoint:civitai:1@2"


def test_civitai_s_record_is_tied_to_the_graph_s_nodes() -> None:
    found = read(civitai())
    assert found is not None
    (prompt,) = found.prompts
    assert (prompt.positive_nodes, prompt.negative_nodes) == (
        (NodeRef("6", "CLIPTextEncode"),),
        (NodeRef("7", "CLIPTextEncode"),),
    )


def test_a_text_of_parameters_beside_the_graph_is_what_ran() -> None:
    graph = texts(node("OllamaGenerate", prompt="Write a prompt"))
    text = f"{FOX}\nNegative prompt: {HEN}\nSteps: 20, Sampler: Euler a, CFG scale: 7.5, Seed: 42"
    found = read(png(prompt=graph, parameters=text))
    assert found is not None
    assert (found.generator, found.positive, found.negative) == ("ComfyUI", FOX, HEN)
    assert (found.parameters.sampler, found.source) == ("Euler a", "PNG text 'parameters'")


def test_such_a_text_gets_the_nodes_of_the_same_prompt() -> None:
    text = f"{FOX}\nNegative prompt: {HEN}\nSteps: 20, Sampler: Euler a, Seed: 42"
    found = read(png(prompt=two_passes(), parameters=text))
    assert found is not None
    assert [prompt.positive for prompt in found.prompts] == [FOX, "fine fur"]
    assert found.prompts[0].positive_nodes == (NodeRef("6", "CLIPTextEncode"),)


# Hostile graphs: each would take ages, or break, if it were walked without bounds


def chain(kind: str, name: str, length: int, end: list[Any]) -> Graph:
    """Nodes c0, c1, … that hang on each other, the last one on `end`."""
    return {f"c{i}": node(kind, **{name: [f"c{i + 1}", 0] if i < length - 1 else end}) for i in range(length)}


def diamond(kind: str, names: tuple[str, str], depth: int) -> Graph:
    """c0 takes c1 twice, c1 takes c2 twice, and so on: 2 to the power of `depth` ways down to node 6."""
    ends = [[f"c{i + 1}", 0] if i < depth - 1 else ["6", 0] for i in range(depth)]
    return {f"c{i}": node(kind, **dict.fromkeys(names, end)) for i, end in enumerate(ends)}


HOSTILE: list[tuple[str, Graph, str | None]] = [
    (
        "conditioning, 60 diamonds",
        picture(n3=sampler(["c0", 0])) | diamond("ConditioningCombine", ("conditioning_1", "conditioning_2"), 60),
        FOX,
    ),
    (
        "conditioning, 15,000 long",
        picture(n3=sampler(["c0", 0])) | chain("Area", "conditioning", 15_000, ["6", 0]),
        FOX,
    ),
    ("conditioning in a circle", picture(n3=sampler(["c0", 0])) | chain("Area", "conditioning", 9, ["c0", 0]), None),
    (
        "string, 15,000 long",
        picture(n6=encode(["c0", 0])) | chain("PreviewAny", "source", 15_000, ["20", 0]) | {"20": string(FOX)},
        FOX,
    ),
    ("string in a circle", picture(n6=encode(["c0", 0])) | chain("PreviewAny", "source", 9, ["c0", 0]), None),
    ("switches in a circle", picture(n6=encode(["c0", 0])) | chain("Any Switch", "any_1", 9, ["c0", 0]), None),
    (
        "pictures in a circle",
        picture(n8=node("VAEDecode", samples=["3", 0]), n5=node("VAEEncode", pixels=["8", 0])),
        FOX,
    ),
    ("models in a circle", picture(n4=node("LoraLoader", lora_name="a", model=["4", 0], clip=["4", 1])), FOX),
    ("links to nowhere", picture(n8=node("VAEDecode", samples=["3", 10**20], vae=["none", -1])), FOX),
    ("values that are none", picture(n5=node("EmptyLatentImage", width=None, height=[], batch_size={})), FOX),
]


@pytest.mark.parametrize(("graph", "positive"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_hostile_graph_is_walked_once(graph: Graph, positive: str | None) -> None:
    found = told(graph)
    assert (found.positive, found.negative) == (positive or "", HEN)


def test_a_text_that_doubles_sixty_times_is_cut() -> None:
    doubled = diamond("StringConcatenate", ("string_a", "string_b"), 60)
    graph = picture(n3=sampler(["60", 0]), n6=string(FOX * 100), n60=encode(["c0", 0])) | doubled
    found = told(graph)
    assert len(found.positive) <= 200_000
    assert "too large to be followed" in found.notes[0]


def test_more_nodes_than_any_graph_has_are_refused() -> None:
    with pytest.raises(RecoverError, match="nodes"):
        describe({str(i): node("Note") for i in range(20_001)})


@pytest.mark.parametrize("value", [None, 7, "x", [], {}, {"1": 2}, {"1": {"class_type": 3}}, {"1": {"inputs": {}}}])
def test_what_is_no_graph_is_none(value: Any) -> None:
    assert describe(value) is None
