"""Where a file keeps its graphs, and which of them counts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ...errors import RecoverError
from ..carried import Carried, Field
from ..recovered import Parameters, Recovered, RecoveredPrompt
from ..values import as_float, as_int, as_text, load_json
from .api import from_api, is_api
from .describe import described
from .graph import Graph
from .ui import from_ui, is_ui

_PREFIX = re.compile(r"\s*(prompt|workflow|generation_data|extra_pnginfo)\s*:\s*(?=[{\[])", re.IGNORECASE)
_CHANGED = re.compile(r"[{}]|//|/\*")
"""What the interface itself changes in a text when it queues a graph: choices by chance, comments."""
_SIGNS = ("class_type", "widgets_values", "extraMetadata")
"""Words without which a JSON text is no graph of ComfyUI's, and no record of Civitai's."""


@dataclass(slots=True)
class _Graphs:
    """What was found in a file."""

    prompt: dict[str, Any] | None = None
    workflow: dict[str, Any] | None = None
    waiting: tuple[str, Field] | None = None
    """What is called a workflow: its JSON, and where it stands."""
    civitai: dict[str, Any] | None = None
    source: str = ""
    problems: list[str] = field(default_factory=list)


def read(carried: Carried) -> Recovered | None:
    """None where no field is a graph of ComfyUI. Raises RecoverError where one is, and none can be read."""
    graphs = _find(carried)
    if graphs.prompt is None and graphs.workflow is None and graphs.civitai is None:
        if graphs.problems:
            raise RecoverError(graphs.problems[0])
        return None
    found = _of_graphs(graphs)
    if graphs.civitai is not None:
        found = _with_civitai(found, graphs.civitai)
    found = replace(found, source=graphs.source, notes=(*found.notes, *graphs.problems))
    return _with_text(found, carried)


def describe(graph: dict[str, Any], at: str | None = None) -> Recovered | None:
    """What an executed graph says; with `at`, the id of a node, only of the pictures that go into that node. None where
    there is no sampler; where its texts are made while the graph runs, there are no prompts, but the parameters.

    Raises RecoverError for a graph that cannot be followed, whatever it holds.
    """
    if not is_api(graph):
        return None
    try:
        found = described(from_api(graph), at)
    except RecoverError:
        raise
    except Exception as error:  # nodes of anybody's are in it, and pictures wait to be saved
        raise RecoverError(f"The graph cannot be followed ({type(error).__name__}); name its prompt.") from error
    return found if found.prompts or found.parameters != Parameters() else None


def _find(carried: Carried) -> _Graphs:
    """What is called a workflow comes last: where there is an executed graph, it is seldom wanted."""
    graphs = _Graphs()
    for one in carried.fields:
        prefix = _PREFIX.match(one.text)
        text = one.text[prefix.end() :] if prefix else one.text
        name = prefix[1].lower() if prefix else one.key.lower()
        if text.lstrip()[:1] != "{":
            continue
        if name == "workflow":
            graphs.waiting = graphs.waiting or (text, one)
        elif name == "prompt" or prefix or any(sign in text for sign in _SIGNS):  # else another tool's JSON
            _load(graphs, text, one, named=name == "prompt" or bool(prefix))
    if graphs.prompt is None:
        _load_workflow(graphs)
    return graphs


def _load(graphs: _Graphs, text: str, where: Field, *, named: bool) -> None:
    try:
        value = load_json(text, f"graph in {where.source}")
    except RecoverError as error:
        graphs.problems += [str(error)] if named else []
        return
    _sort(graphs, value, where)


def _load_workflow(graphs: _Graphs) -> None:
    if graphs.workflow is None and graphs.waiting:
        _load(graphs, *graphs.waiting, named=True)


def _sort(graphs: _Graphs, value: object, where: Field) -> None:
    """Put a JSON value where it belongs; one that holds others is looked into."""
    if not isinstance(value, dict):
        return
    parts = [value, *(_loaded(value.get(key)) for key in ("prompt", "workflow"))] if not is_api(value) else [value]
    for part in parts:
        if is_api(part) and graphs.prompt is None:
            graphs.prompt, graphs.source = part, where.source
        elif is_ui(part) and graphs.workflow is None:
            graphs.workflow = part
            graphs.source = graphs.source or where.source
    extra = _loaded(value.get("extraMetadata"))
    if isinstance(extra, dict) and "prompt" in extra:
        graphs.civitai, graphs.source = extra, graphs.source or where.source


def _loaded(value: object) -> Any:
    """JSON that stands as a text in JSON."""
    if not isinstance(value, str):
        return value
    try:
        return load_json(value, "graph")
    except RecoverError:
        return None


def _of_graphs(graphs: _Graphs) -> Recovered:
    """The executed graph wins; the interface's is the fallback, and tells of texts that were shown."""
    if graphs.prompt is None:
        interface = _interface(graphs)
        return described(interface) if interface else Recovered("ComfyUI")
    graph = from_api(graphs.prompt)
    found = described(graph)
    if graphs.waiting and _agree(found, graphs.waiting[0]):
        return found
    interface = _interface(graphs)
    if interface is None:
        return found
    if found.notes and interface.shown:
        graph.shown = interface.shown
        found = described(graph)
    drawn = described(interface)
    comparable = drawn.positive and not drawn.notes and not _CHANGED.search(drawn.positive)
    if comparable and drawn.positive not in [prompt.positive for prompt in found.prompts]:
        note = "The file's workflow shows a prompt that is not in the executed graph, which is what made the picture."
        return replace(found, notes=(*found.notes, note))
    return found


def _agree(found: Recovered, workflow: str) -> bool:
    """Whether all texts are known, and the first stands in the workflow as it is: then there is nothing to learn from
    it, and following it takes as long again."""
    if not found.positive or found.notes:
        return False
    return any(json.dumps(found.positive, ensure_ascii=escaped)[1:-1] in workflow for escaped in (False, True))


def _interface(graphs: _Graphs) -> Graph | None:
    _load_workflow(graphs)
    try:
        return from_ui(graphs.workflow) if graphs.workflow is not None else None
    except RecoverError as error:
        graphs.problems.append(str(error))
        return None


def _with_civitai(found: Recovered, extra: dict[str, Any]) -> Recovered:
    """Civitai's own record beside the graph: what its user typed."""
    prompt = RecoveredPrompt(as_text(extra.get("prompt")), as_text(extra.get("negativePrompt")))
    first = _same(found, prompt)
    own = Parameters(
        seed=as_int(extra.get("seed")),
        steps=as_int(extra.get("steps")),
        sampler=as_text(extra.get("sampler")),
        cfg_scale=as_float(extra.get("cfgScale")),
        width=as_int(extra.get("width")),
        height=as_int(extra.get("height")),
    )
    others = [one for one in found.prompts if one is not first]
    return replace(
        found,
        generator="Civitai",
        prompts=(_merged(prompt, first), *others) if prompt.positive else found.prompts,
        parameters=_filled(own, found.parameters),
    )


def _with_text(found: Recovered, carried: Carried) -> Recovered:
    """With a text as AUTOMATIC1111 writes it beside the graph, by a node that saves it when the graph has run: that is
    what ran, values included that no graph holds."""
    from ..a1111 import parse

    for one in carried.fields:
        if one.text.lstrip()[:1] == "{" or _PREFIX.match(one.text) or one.key not in ("parameters", "UserComment"):
            continue
        told = parse(one.text)
        if told is None or not told.prompts:
            continue
        first = _same(found, told.prompts[0])
        others = [prompt for prompt in found.prompts if prompt is not first]
        parameters = _filled(told.parameters, found.parameters) if first or not found.prompts else told.parameters
        return replace(
            found, prompts=(_merged(told.prompts[0], first), *others), parameters=parameters, source=one.source
        )
    return found


def _same(found: Recovered, prompt: RecoveredPrompt) -> RecoveredPrompt | None:
    """The graph's prompt with that text."""
    return next((one for one in found.prompts if one.positive == prompt.positive), None)


def _merged(prompt: RecoveredPrompt, graph: RecoveredPrompt | None) -> RecoveredPrompt:
    if graph is None:
        return prompt
    negative = graph.negative_nodes if graph.negative == prompt.negative else ()
    return replace(prompt, positive_nodes=graph.positive_nodes, negative_nodes=negative, sampler=graph.sampler)


def _filled(own: Parameters, graph: Parameters) -> Parameters:
    """With the graph's values where it has none of its own."""
    values = {one.name: getattr(own, one.name) or getattr(graph, one.name) for one in fields(Parameters)}
    for name in ("seed", "cfg_scale", "denoise", "guidance"):  # where 0 is a value
        values[name] = getattr(graph, name) if getattr(own, name) is None else getattr(own, name)
    return Parameters(**values)
