"""Our nodes on a newer node API than that of ComfyUI 0.3.75: their definitions, and Autogrow.

The API is another author's rewriting (see NEWER_API in scripts/samples.py): no newer ComfyUI is a Python package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from img2prompt.scripts.comfyui import COMFYUI
from img2prompt.scripts.samples import newer_api
from img2prompt.tests.comfyui.another_api import ask
from img2prompt.tests.comfyui.graphs import STORY, STORY_DEFAULTS
from img2prompt.tests.seeing_server import SeeingServer

ADVANCED = {"token_budget", "emphasis", "unknown_tags", "closed_vocabulary", "min_confidence"}
"""What newer front ends fold away, on every node that has it."""
NEW_FIELDS = {
    *("search_aliases", "is_input_list", "output_matchtypes", "price_badge"),
    *("dev_only", "essentials_category", "has_intermediate_output"),
}
"""Of a node's definition, in the newer API only."""
WHOLE_LISTS = {STORY, "Img2Prompt_ImageToPrompt", "Img2Prompt_ImageToText"}
"""The nodes that get a list in one call."""
SEPARATE = [f"image_{number}" for number in range(1, 17)]
COLORS = {"red": (64, 48), "green": (48, 96), "blue": (120, 40)}

Definitions = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of input pictures; only their names are read."""
    folder = tmp_path_factory.mktemp("input")
    (folder / "a.png").touch()
    return folder


@pytest.fixture(scope="module")
def newer(folder: Path) -> Definitions:
    return ask(newer_api(), {"folder": str(folder)})


@pytest.fixture(scope="module")
def older(folder: Path) -> Definitions:
    return ask(COMFYUI, {"folder": str(folder)})


def inputs_of(definition: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Its inputs but the hidden ones, by name: type and options."""
    return {name: spec for kind in ("required", "optional") for name, spec in definition["input"].get(kind, {}).items()}


def test_the_definitions_are_those_of_0_3_75_but_for_what_is_new(older: Definitions, newer: Definitions) -> None:
    assert list(newer) == list(older) and len(newer) >= 9
    for node, definition in newer.items():
        plain = {name: value for name, value in definition.items() if name not in NEW_FIELDS}
        before = older[node]
        if node == STORY:  # its pictures are compared below
            plain, before = (
                {name: value for name, value in one.items() if name not in ("input", "input_order")}
                for one in (plain, before)
            )
        assert plain == before
        assert (definition["is_input_list"], definition["dev_only"]) == (node in WHOLE_LISTS, False)


def test_every_node_is_found_by_other_words(newer: Definitions) -> None:
    for node, definition in newer.items():
        aliases = definition["search_aliases"]
        assert "img2prompt" in aliases and len(set(aliases)) == len(aliases) >= 4, node


def test_every_input_and_output_has_a_tooltip(newer: Definitions) -> None:
    for node, definition in newer.items():
        assert [name for name, (_, options) in inputs_of(definition).items() if not options.get("tooltip")] == [], node
        assert all(definition["output_tooltips"]), node


@pytest.mark.parametrize("api", ["older", "newer"])
def test_what_is_seldom_needed_is_advanced(request: pytest.FixtureRequest, api: str) -> None:
    definitions: Definitions = request.getfixturevalue(api)
    for node, definition in definitions.items():
        inputs = inputs_of(definition)
        advanced = {name for name, (_, options) in inputs.items() if options.get("advanced")}
        assert advanced == ADVANCED & set(inputs), node
    assert all(any(name in inputs_of(one) for one in definitions.values()) for name in ADVANCED)


def test_the_storys_pictures_grow_by_comfyuis_own_means(older: Definitions, newer: Definitions) -> None:
    before, now = inputs_of(older[STORY]), inputs_of(newer[STORY])
    kind, options = now.pop("pictures")
    template = options["template"]
    assert (kind, template["names"], template["min"]) == ("COMFY_AUTOGROW_V3", SEPARATE, 1)
    # one of an optional kind: none of them is ever missing
    assert template["input"] == {"required": {}, "optional": {"image": before["image_1"]}}
    assert now == {name: spec for name, spec in before.items() if name not in SEPARATE}
    # front ends find the links of a pasted node by number: what grows must not stand before other inputs
    assert newer[STORY]["input_order"]["optional"][-1] == "pictures"
    assert older[STORY]["input_order"]["optional"] == ["images", *SEPARATE, "engine"]


def test_the_story_runs_with_what_autogrow_hands_it(folder: Path, endpoint: SeeingServer) -> None:
    red, green, blue = ({"picture": [color, *size]} for color, size in COLORS.items())
    asked = {
        "grown": {"pictures.image_2": green, "pictures.image_1": red, "pictures.image_3": blue},
        "with a batch": {"images": red, "pictures.image_1": green, "pictures.image_2": blue},
        # an API graph from 0.3.75: ComfyUI hands on links of names that it does not know
        "of 0.3.75": {"image_16": blue, "image_2": red, "image_4": green},
    }
    question = {"folder": str(folder), "node": STORY, "inputs": [{**STORY_DEFAULTS, **one} for one in asked.values()]}
    ran = dict(zip(asked, ask(newer_api(), question, IMG2PROMPT_ENDPOINT=endpoint.url), strict=True))
    assert {name: one["grown"] for name, one in ran.items()} == {
        "grown": {"pictures": ["image_1", "image_2", "image_3"]},
        "with a batch": {"pictures": ["image_1", "image_2"]},
        "of 0.3.75": {"pictures": []},
    }
    for name, one in ran.items():
        assert one["valid"] is True, name
        assert one["fingerprint"] == ran["grown"]["fingerprint"]
        seen = [observation["seen"] for observation in json.loads(one["outputs"][7])["observations"]]
        assert [color in words for color, words in zip(COLORS, seen, strict=True)] == [True] * 3, name
