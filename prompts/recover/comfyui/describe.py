"""What one graph says: its prompts, the final picture's first, and how that one's sampler was set."""

from __future__ import annotations

from ..recovered import NodeRef, Parameters, Recovered, RecoveredPrompt
from ..values import as_text
from .conditioning import Prompt, Tracer, service_texts
from .evaluated import Known
from .graph import Graph, Node
from .makers import above, is_sampler
from .parameters import Settings
from .text import Evaluator

MOST_NOTES = 5


def described(graph: Graph, at: str | None = None) -> Recovered:
    """Every distinct pair of texts that reaches a sampler above node `at`, or above any output.

    With `at`, the nearest sampler counts: where its text, or a part of it, is made while the graph runs, no other's
    stands in for it, and no part for the whole.
    """
    evaluator = Evaluator(graph)
    found = above(graph, evaluator, at)
    tracer, settings = Tracer(graph, evaluator), Settings(graph, evaluator)
    prompts: dict[tuple[str, str], RecoveredPrompt] = {}
    made: dict[tuple[str, str], tuple[Node, Prompt]] = {}
    unknown: dict[NodeRef, None] = {}
    partly = False
    for maker in found.makers:
        traced, positive, negative = _texts(tracer, evaluator, maker)
        unknown.update(dict.fromkeys((*positive.missing, *negative.missing)))
        pair = as_text(positive.text), as_text(negative.text)
        partly = bool(positive.missing) if not made else partly
        made.setdefault(pair, (maker, traced))
        if any(pair) and pair not in prompts:
            prompts[pair] = RecoveredPrompt(*pair, positive.nodes, negative.nodes, maker.ref)
    ordered = sorted(prompts, key=lambda pair: not pair[0])
    first = made[ordered[0]] if ordered else next(iter(made.values()), None)
    if at is not None and made and (partly or next(iter(made))[0] != _first_text(ordered)):
        ordered, first = [], next(iter(made.values()))
    parameters = Parameters()
    if first:
        maker, traced = first
        parameters = settings.parameters(found, maker, traced.encoders, traced.guidance)
    notes = [f"The text of node {ref.id} ({ref.type}) is what the interface last showed." for ref in graph.kept]
    notes += [
        f"A text that node {ref.id} ({ref.type}) makes while the graph runs is not in the file." for ref in unknown
    ]
    if evaluator.cut or found.cut or tracer.cut:
        notes.insert(0, "The graph is too large to be followed to its end; a prompt may be missing, or a part of one.")
    return Recovered("ComfyUI", tuple(prompts[pair] for pair in ordered), parameters, notes=tuple(notes[:MOST_NOTES]))


def _first_text(pairs: list[tuple[str, str]]) -> str:
    """The positive that would be told."""
    return pairs[0][0] if pairs else ""


def _texts(tracer: Tracer, evaluator: Evaluator, maker: Node) -> tuple[Prompt, Known, Known]:
    if not is_sampler(maker):
        return (
            Prompt(),
            service_texts(maker, "positive", evaluator),
            service_texts(maker, "negative", evaluator),
        )
    positive = tracer.prompt(maker, "positive")
    return positive, positive.known(), tracer.prompt(maker, "negative").known()
