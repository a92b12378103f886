"""The interface's graph in the form that is executed: subgraphs, reroutes, muted and bypassed nodes, values' names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from img2prompt.prompts.errors import RecoverError
from img2prompt.prompts.recover.carried import Carried, Field
from img2prompt.prompts.recover.comfyui import read
from img2prompt.prompts.recover.comfyui.graph import Link, Node
from img2prompt.prompts.recover.comfyui.ui import from_ui
from img2prompt.prompts.recover.comfyui.widgets import named
from img2prompt.prompts.recover.recovered import Recovered
from img2prompt.tests.unit.prompts.recover.graphs import CHECKPOINT, FOX, HEN, drawn, drawn_picture, picture, workflow

LINKED = [("clip", "CLIP", 3), ("text", "STRING", 20, True)]
"""Node 6's inputs with its text linked; link 20 goes to its second input."""


def told(ui: dict[str, Any]) -> Recovered:
    found = read(Carried("PNG", 8, 8, (Field("PNG text", "workflow", json.dumps(ui)),)))
    assert found is not None
    return found


def nodes(ui: dict[str, Any]) -> dict[str, Node]:
    return from_ui(ui).nodes


def test_a_plain_workflow_is_what_would_be_executed() -> None:
    found = nodes(drawn_picture())
    expected = picture()
    assert {key: node.type for key, node in found.items()} == {key: one["class_type"] for key, one in expected.items()}
    for key, one in expected.items():
        inputs = {
            name: Link(value[0], value[1]) if isinstance(value, list) else value
            for name, value in one["inputs"].items()
        }
        assert found[key].inputs == inputs, key


def test_links_may_be_objects() -> None:
    ui = drawn_picture()
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
    as_objects = ui | {"links": [dict(zip(keys, link, strict=True)) for link in ui["links"]], "version": 1}
    assert nodes(as_objects) == nodes(ui)


VIRTUAL: list[tuple[str, dict[str, Any]]] = [
    (
        "primitive",
        drawn_picture(drawn(20, "PrimitiveNode", (FOX,)), links=[[20, 20, 0, 6, 1, "STRING"]], text=LINKED),
    ),
    (
        "two reroutes",
        drawn_picture(
            drawn(20, "PrimitiveString", (FOX,)),
            drawn(21, "Reroute", (), [("", "*", 21)]),
            drawn(22, "Reroute (rgthree)", (), [("", "*", 22)]),
            links=[[21, 20, 0, 21, 0, "*"], [22, 21, 0, 22, 0, "*"], [20, 22, 0, 6, 1, "STRING"]],
            text=LINKED,
        ),
    ),
    (
        "set and get",
        drawn_picture(
            drawn(20, "PrimitiveString", (FOX,)),
            drawn(21, "SetNode", ("words",), [("STRING", "STRING", 21)]),
            drawn(22, "GetNode", ("words",)),
            links=[[21, 20, 0, 21, 0, "STRING"], [20, 22, 0, 6, 1, "STRING"]],
            text=LINKED,
        ),
    ),
    (
        "bypassed",
        drawn_picture(
            drawn(20, "PrimitiveString", (FOX,)),
            drawn(21, "Magic", (), [("model", "MODEL", 1), ("any", "STRING", 21)], mode=4),
            links=[[21, 20, 0, 21, 1, "STRING"], [20, 21, 0, 6, 1, "STRING"]],
            text=LINKED,
        ),
    ),
    (
        "bypassed, of any type",
        drawn_picture(
            drawn(20, "PrimitiveString", (FOX,)),
            drawn(21, "PreviewAny", (), [("source", "*", 21)], mode=4),
            links=[[21, 20, 0, 21, 0, "*"], [20, 21, 0, 6, 1, "STRING"]],
            text=LINKED,
        ),
    ),
    (
        "muted: the node's own value is what is left",
        drawn_picture(drawn(20, "PrimitiveString", ("no",), mode=2), links=[[20, 20, 0, 6, 1, "STRING"]], text=LINKED),
    ),
    (
        "anything everywhere",
        drawn_picture(
            drawn(6, "CLIPTextEncode", (FOX,), [("clip", "CLIP", None)]),
            extra={
                "ue_links": [
                    {"downstream": 6, "downstream_slot": 0, "upstream": "4", "upstream_slot": 1, "type": "CLIP"}
                ]
            },
        ),
    ),
    ("notes", drawn_picture(drawn(20, "Note", ("a note",)), drawn(21, "MarkdownNote", ("another",)))),
]


@pytest.mark.parametrize("ui", [row[1] for row in VIRTUAL], ids=[row[0] for row in VIRTUAL])
def test_nodes_of_the_interface_are_replaced_by_what_they_stand_for(ui: dict[str, Any]) -> None:
    found = told(ui)
    assert (found.positive, found.negative, found.parameters.seed) == (FOX, HEN, 42)
    assert not {node.type for node in nodes(ui).values()} & {"Reroute", "PrimitiveNode", "GetNode", "Note", "Magic"}


def test_a_muted_sampler_draws_nothing() -> None:
    ui = drawn_picture()
    ui["nodes"] = [node | {"mode": 2} if node["id"] == 3 else node for node in ui["nodes"]]
    assert told(ui).prompts == ()


# Subgraphs


def encoder(*values: Any) -> dict[str, Any]:
    """A definition around a text encoder: inputs clip and text, output CONDITIONING. The text's widget is shown."""
    return {
        "id": "encoder",
        "inputs": [{"name": "clip"}, {"name": "text"}],
        "outputs": [{"name": "CONDITIONING"}],
        "nodes": [drawn(27, "CLIPTextEncode", values, [("clip", "CLIP", 1), ("text", "STRING", 2, True)])],
        "links": [
            {"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 27, "target_slot": 0, "type": "CLIP"},
            {"id": 2, "origin_id": -10, "origin_slot": 1, "target_id": 27, "target_slot": 1, "type": "STRING"},
            {"id": 3, "origin_id": 27, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "CONDITIONING"},
        ],
    }


def around(inner: dict[str, Any]) -> dict[str, Any]:
    """A definition that holds nothing but another one, as node 57, and shows its text in turn."""
    held = drawn(57, inner["id"], (), [("clip", "CLIP", 1), ("text", "STRING", 2, True)])
    links = [link | {"origin_id": 57 if link["origin_id"] == 27 else -10} for link in inner["links"]]
    links = [link | {"target_id": 57 if link["target_id"] == 27 else -20} for link in links]
    return {**inner, "id": "outer", "nodes": [held], "links": links}


def with_subgraph(
    *definitions: dict[str, Any], values: Any = (), use: str = "encoder", **instance: Any
) -> dict[str, Any]:
    """A picture whose node 6 is a use of a subgraph."""
    slots = [("clip", "CLIP", 3), ("text", "STRING", 20 if instance.pop("linked", False) else None, True)]
    return drawn_picture(
        drawn(6, use, values, slots, **instance),
        drawn(20, "PrimitiveString", ("from outside",)),
        links=[[20, 20, 0, 6, 1, "STRING"]],
        definitions={"subgraphs": list(definitions)},
    )


PLACEMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("inside", with_subgraph(encoder(FOX)), FOX),
    (
        "inside, shown by the instance",
        with_subgraph(encoder(FOX), properties={"proxyWidgets": [["27", "text"]]}),
        FOX,
    ),
    ("the instance's own", with_subgraph(encoder("stale"), values=(FOX,)), FOX),
    (
        "the instance's own, by name",
        with_subgraph(encoder("stale"), values=(), widgets_values_named={"text": FOX}),
        FOX,
    ),
    ("linked from outside", with_subgraph(encoder("stale"), values=("stale, too",), linked=True), "from outside"),
    ("nested, inside", with_subgraph(encoder(FOX), around(encoder()), use="outer"), FOX),
    ("nested, the instance's own", with_subgraph(encoder("stale"), around(encoder()), use="outer", values=(FOX,)), FOX),
    ("nested, linked", with_subgraph(encoder("stale"), around(encoder()), use="outer", linked=True), "from outside"),
]


@pytest.mark.parametrize(("ui", "positive"), [row[1:] for row in PLACEMENTS], ids=[row[0] for row in PLACEMENTS])
def test_a_subgraph_s_text(ui: dict[str, Any], positive: str) -> None:
    found = told(ui)
    assert (found.positive, found.negative, found.notes) == (positive, HEN, ())


def test_nodes_in_subgraphs_have_the_executed_graph_s_ids() -> None:
    ui = with_subgraph(encoder(FOX), around(encoder()), use="outer")
    assert "6:57:27" in nodes(ui)
    assert nodes(ui)["3"].inputs["positive"] == Link("6:57:27", 0)
    assert [ref.id for ref in told(ui).prompts[0].positive_nodes] == ["6:57:27"]


def test_the_shown_value_counts_for_every_node_behind_it() -> None:
    """One input of the definition feeds a switch and, as its widget, an encoder: the switch gets the widget's value."""
    definition = encoder(FOX)
    switch = [("on_true", "STRING", 5), ("on_false", "STRING", None)]
    definition["nodes"].append(drawn(28, "ComfySwitchNode", (True,), switch))
    definition["nodes"].append(
        drawn(29, "CLIPTextEncode", ("stale",), [("clip", "CLIP", 6), ("text", "STRING", 7, True)])
    )
    ends = [(5, -10, 1, 28, 0), (6, -10, 0, 29, 0), (7, 28, 0, 29, 1), (3, 29, 0, -20, 0)]
    keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    definition["links"] = definition["links"][:2] + [dict(zip(keys, end, strict=True)) for end in ends]
    assert told(with_subgraph(definition)).positive == FOX


@pytest.mark.parametrize("mode", [2, 4])
def test_a_subgraph_that_does_not_run_has_no_text(mode: int) -> None:
    ui = with_subgraph(encoder(FOX), mode=mode)
    assert FOX not in [prompt.positive for prompt in told(ui).prompts]
    assert "6:27" not in nodes(ui)


def test_an_old_group_node_is_unfolded() -> None:
    group = {
        "nodes": [
            drawn(0, "PrimitiveStringMultiline", ("stale",)) | {"outputs": [{"name": "STRING"}]},
            drawn(1, "CLIPTextEncode", ("",), [("clip", "CLIP", None), ("text", "STRING", 0, True)])
            | {"outputs": [{"name": "CONDITIONING"}]},
        ],
        "links": [[0, 0, 1, 1, 1, "STRING"]],
        "external": [],
    }
    group["nodes"][0]["index"], group["nodes"][1]["index"] = 0, 1
    ui = drawn_picture(
        drawn(6, "workflow>words", (FOX, ""), [("clip", "CLIP", 3)]), extra={"groupNodes": {"words": group}}
    )
    assert (told(ui).positive, told(ui).negative) == (FOX, HEN)
    assert nodes(ui)["6:1"].inputs["clip"] == Link("4", 1)


# Names of values


NAMES: list[tuple[str, Any, tuple[str, ...], Any, dict[str, Any]]] = [
    (
        "KSampler",
        [1, "randomize", 20, 8, "euler", "normal", 1],
        (),
        None,
        {"seed": 1, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1},
    ),
    (
        "KSampler",  # of 2023, where a switch stood behind the seed
        [1, True, 20, 8, "euler", "normal", 1],
        (),
        None,
        {"seed": 1, "steps": 20, "cfg": 8, "sampler_name": "euler", "scheduler": "normal", "denoise": 1},
    ),
    ("SamplerCustom", [True, 7, "fixed", 5], (), None, {"add_noise": True, "noise_seed": 7, "cfg": 5}),
    ("LoadImage", ["a.png", "image"], ("image",), None, {"image": "a.png", "#1": "image"}),
    ("VHS_VideoCombine", {"frame_rate": 8, "videopreview": {}}, (), None, {"frame_rate": 8}),
    ("Unknown", ["a", 3, "fixed", "b"], (), None, {"#0": "a", "seed": 3, "#3": "b"}),
    ("Unknown", ["a", 3, "fixed"], ("prompt", "seed"), None, {"prompt": "a", "seed": 3}),
    ("Unknown", ["a", 3], ("prompt",), None, {"#0": "a", "#1": 3}),
    (
        "Unknown",
        ["a", 3, "fixed"],
        (),
        {"model.prompt": "older", "seed": 3, "control_after_generate": "fixed"},
        {"model.prompt": "a", "seed": 3},
    ),
    ("Unknown", None, (), {"prompt": "a"}, {"prompt": "a"}),
    ("PrimitiveInt", [5, "fixed"], (), None, {"value": 5}),
    ("CLIPTextEncode", None, ("text",), None, {}),
    (
        "Power Lora Loader (rgthree)",
        [{}, {"type": "Header"}, {"on": True, "lora": "a", "strength": 1}, {}, ""],
        (),
        None,
        {"lora_1": {"on": True, "lora": "a", "strength": 1}},
    ),
]


@pytest.mark.parametrize(("kind", "values", "slots", "labelled", "expected"), NAMES)
def test_values_get_their_names(
    kind: str, values: Any, slots: tuple[str, ...], labelled: Any, expected: dict[str, Any]
) -> None:
    assert named(kind, values, slots, labelled) == expected


def test_an_unknown_encoder_s_text_is_found_without_its_name() -> None:
    ui = drawn_picture(drawn(6, "FooTextEncode", ("auto", FOX, 3), [("clip", "CLIP", 3)]))
    assert told(ui).positive == FOX


def test_an_unknown_service_s_prompt_is_found_without_its_name() -> None:
    service = drawn(1, "GrandPictureApi", ("grand-2", FOX, "16:9", 9, "randomize", "You are an engine that draws."))
    save = drawn(2, "SaveImage", ("x",), [("images", "IMAGE", 1)])
    found = told(workflow([service, save], [[1, 1, 0, 2, 0, "IMAGE"]]))
    assert (found.positive, found.parameters.seed) == (FOX, 9)


def test_the_model_s_way_is_told_from_a_workflow_alone() -> None:
    own = told(drawn_picture()).parameters
    assert (own.checkpoint, own.width, own.height, own.sampler, own.denoise) == (CHECKPOINT, 832, 1216, "euler", 1)


# Hostile workflows


def holding(key: str, *inner: str) -> dict[str, Any]:
    return {"id": key, "nodes": [drawn(number, kind) for number, kind in enumerate(inner)], "links": []}


ENDLESS = [
    [holding("a", "a")],
    [holding("a", "b"), holding("b", "a")],
    [holding(f"{level}", *[f"{level + 1}"] * 10) for level in range(10)] + [holding("10", "Note")],
    [holding("a", *["b"] * 1000), holding("b", *["Note"] * 1000)],
]


@pytest.mark.parametrize("definitions", ENDLESS)
def test_subgraphs_without_end_are_refused(definitions: list[dict[str, Any]]) -> None:
    ui = workflow([drawn(1, definitions[0]["id"])], [], definitions={"subgraphs": definitions})
    with pytest.raises(RecoverError, match="nodes"):
        from_ui(ui)


def test_reroutes_in_a_circle_lead_nowhere() -> None:
    circle = [drawn(number, "Reroute", (), [("", "*", number)]) for number in (20, 21)]
    ui = drawn_picture(*circle, links=[[20, 21, 0, 20, 0, "*"], [21, 20, 0, 21, 0, "*"]], text=[("clip", "CLIP", 20)])
    assert told(ui).positive == FOX


def test_a_long_way_of_reroutes_is_followed() -> None:
    way = [drawn(key, "Reroute", (), [("", "*", key)]) for key in range(100, 15_000)]
    links = [[key, key - 1, 0, key, 0, "*"] for key in range(101, 15_000)]
    ends = [[100, 99, 0, 100, 0, "*"], [20, 14_999, 0, 6, 1, "STRING"]]
    ui = drawn_picture(drawn(99, "PrimitiveString", (FOX,)), *way, links=[*links, *ends], text=LINKED)
    assert told(ui).positive == FOX


@pytest.mark.parametrize(
    "damage",
    [
        {"links": None},
        {"links": [None, 3, [], [1, 2], {"id": []}]},
        {"nodes": [None, 3, {"type": None}, {"type": "KSampler", "inputs": 7, "widgets_values": 3, "id": {}}]},
        {"nodes": [{"type": "KSampler", "inputs": [None, {"link": {}}, {"widget": 3}]}]},
        {"nodes": [{"id": 4, "type": ["Reroute"]}, drawn(2, "SaveImage", (), [("images", "IMAGE", 1)])]},
        {"definitions": [], "extra": []},
        {"definitions": {"subgraphs": [None, {"id": "CLIPTextEncode", "nodes": 3, "inputs": [3]}]}},
        {"extra": {"ue_links": [3, {"downstream_slot": "a"}], "groupNodes": {"a": 3}}},
    ],
)
def test_what_is_damaged_in_a_workflow_breaks_nothing(damage: dict[str, Any]) -> None:
    assert told(drawn_picture() | damage).generator == "ComfyUI"
