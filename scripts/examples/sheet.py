"""Makes one workflow file: nodes are put on a sheet, and the sheet becomes the document that the front end would save.

What a node has for inputs, outputs and defaults is read from what ComfyUI serves at /object_info.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

ACCENT = {"color": "#232"}
"""How LiteGraph paints our own nodes in these files: green."""
NOTE = {"color": "#222", "bgcolor": "#000"}
"""As in the notes of ComfyUI's own templates."""
VIEW = {"scale": 0.7, "offset": [100, 220]}
"""What is seen first: note, picture and our node. Below 0.6, LiteGraph draws no text."""
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
UPLOAD = ("upload", "IMAGEUPLOAD", {"default": "image"}, True)
"""The button that the front end adds to a choice of files, after all that a node requires."""
NUMBERED = re.compile(r"image_(\d+)")
"""Multi-Image Story's sockets: web/js/growing_pictures.js shows those in use and one more."""

Definitions: TypeAlias = Mapping[str, Any]
"""What ComfyUI serves at /object_info."""


@dataclass(frozen=True)
class Model:
    """A file that a workflow loads, and where it is offered."""

    folder: str
    """Below ComfyUI/models."""
    repository: str
    """Of Hugging Face."""
    path: str
    """In the repository."""
    size: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def url(self) -> str:
        return f"https://huggingface.co/{self.repository}/resolve/main/{self.path}"

    @property
    def line(self) -> str:
        """How a note tells of it."""
        return f"- [{self.name}]({self.url}) ({self.size}) in `models/{self.folder}`"


@dataclass(frozen=True)
class Output:
    """One output of a node, to be given to the input of another."""

    node: Node
    slot: int
    type: str


@dataclass
class Node:
    """A node of a sheet. `node["prompt"]` is its output of that name."""

    id: int
    type: str
    definition: Mapping[str, Any]
    place: dict[str, Any]
    given: Mapping[str, Any]
    """Values and Outputs by the input's name."""
    models: tuple[Model, ...] = ()

    def __getitem__(self, name: str) -> Output:
        slot = self.definition["output_name"].index(name)
        return Output(self, slot, self.definition["output"][slot])


@dataclass
class Sheet:
    """A workflow in the making: nodes are added from left to right, each after those that feed it."""

    definitions: Definitions
    nodes: list[Node] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    """A note's text by its node's id."""

    def add(
        self,
        kind: str,
        at: tuple[int, int],
        size: tuple[int, int],
        *,
        title: str = "",
        models: tuple[Model, ...] = (),
        **given: Any,
    ) -> Node:
        """A node with its left top corner at `at`; `given` are values and other nodes' Outputs, the rest is default."""
        definition = self.definitions[kind]
        names = {name for part in ("required", "optional") for name in definition["input"].get(part, {})}
        if unknown := given.keys() - names:
            raise ValueError(f"{kind} has no input {sorted(unknown)}")
        place = {"pos": list(at), "size": list(size), **({"title": title} if title else {})}
        place |= ACCENT if kind.startswith("Img2Prompt_") else {}
        node = Node(len(self.nodes) + 1, kind, definition, place, given, models)
        self.nodes.append(node)
        return node

    def note(self, at: tuple[int, int], size: tuple[int, int], text: str, models: tuple[Model, ...] = ()) -> None:
        """A text to read beside the graph, with the files that it takes below it."""
        if models:
            text += "\n\n**Files** (and where they go)\n\n" + "\n".join(model.line for model in models)
        place = {"pos": list(at), "size": list(size), "title": "Note", **NOTE}
        node = Node(len(self.nodes) + 1, "MarkdownNote", {"input": {}, "output": [], "output_name": []}, place, {})
        self.nodes.append(node)
        self.notes[node.id] = text

    def document(self, name: str) -> dict[str, Any]:
        """The workflow as the front end would save it."""
        links: list[list[Any]] = []
        nodes = [self._saved(node, order, links) for order, node in enumerate(self.nodes)]
        for number, source, slot, *_ in links:
            output = nodes[source - 1]["outputs"][slot]
            output["links"] = [*(output["links"] or []), number]
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"img2prompt/{name}")),
            "revision": 0,
            "last_node_id": len(nodes),
            "last_link_id": len(links),
            "nodes": nodes,
            "links": links,
            "groups": [],
            "config": {},
            "extra": {"ds": VIEW},
            "version": 0.4,
        }

    def _saved(self, node: Node, order: int, links: list[list[Any]]) -> dict[str, Any]:
        """The node as it stands in the file; its links are added to `links`."""
        inputs = [{**entry, "link": None} for entry in sockets(node)]
        for slot, entry in enumerate(inputs):
            source = node.given.get(entry["name"])
            if isinstance(source, Output):
                entry["link"] = len(links) + 1
                links.append([entry["link"], source.node.id, source.slot, node.id, slot, source.type])
        properties: dict[str, Any] = {} if node.id in self.notes else {"Node name for S&R": node.type}
        if node.models:
            # with this the front end offers what is missing for download
            properties["models"] = [
                {"name": model.name, "url": model.url, "directory": model.folder} for model in node.models
            ]
        return {
            "id": node.id,
            "type": node.type,
            **{key: node.place[key] for key in ("pos", "size")},
            "flags": {},
            "order": order,
            "mode": 0,
            "inputs": inputs,
            "outputs": outputs(node),
            "properties": properties,
            "widgets_values": [self.notes[node.id]] if node.id in self.notes else list(values(node)),
            **{key: value for key, value in node.place.items() if key not in ("pos", "size")},
        }


def outputs(node: Node) -> list[dict[str, Any]]:
    """The node's outputs, not linked yet; lists have the shape of a grid (6), as LiteGraph names it."""
    definition = node.definition
    found = zip(definition["output_name"], definition["output"], definition.get("output_is_list", ()), strict=True)
    return [{"name": name, "type": kind, **({"shape": 6} if many else {}), "links": None} for name, kind, many in found]


def described(node: Node) -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """Name, type, options of each input, and whether it has a widget."""
    for part in ("required", "optional"):
        upload = False
        for name, (kind, *more) in node.definition["input"].get(part, {}).items():
            options = dict(more[0]) if more else {}
            old = isinstance(kind, list)  # how a V1 node writes a choice
            options |= {"options": kind} if old else {}
            kind_name = "COMBO" if old else kind
            upload |= options.get("image_upload", False)
            yield name, kind_name, options, kind_name in WIDGETS and not options.get("forceInput")
        if upload:
            yield UPLOAD


def sockets(node: Node) -> Iterator[dict[str, Any]]:
    """The inputs in the order of the front end: those without a widget first."""
    linked = [int(found[1]) for name in node.given if (found := NUMBERED.fullmatch(name))]
    required = node.definition["input"].get("required", {})
    with_widgets: list[dict[str, Any]] = []
    for name, kind, _options, widget in described(node):
        if widget:
            with_widgets.append({"name": name, "type": kind, "widget": {"name": name}})
        elif not (found := NUMBERED.fullmatch(name)) or int(found[1]) <= max(linked, default=1) + 1:
            yield {"name": name, "type": kind, **({} if name in required else {"shape": 7})}
    yield from with_widgets


def values(node: Node) -> Iterator[Any]:
    """The widgets' values in order, with what the front end keeps beside a seed."""
    for name, _kind, options, widget in described(node):
        if not widget:
            continue
        value = node.given.get(name)
        choices = options.get("options") or [""]
        default = options.get("default", choices[0] if "options" in options else "")
        yield default if value is None or isinstance(value, Output) else value
        if options.get("control_after_generate"):
            yield "fixed" if node.type.startswith("Img2Prompt_") else "randomize"
