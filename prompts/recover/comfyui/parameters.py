"""How a sampler was set, and what it drew with: seed, steps, size, checkpoint, LoRAs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..limits import MOST_STEPS
from ..recovered import Lora, Parameters
from ..values import as_float, as_int, as_text
from .graph import Graph, Link, Node, natural, plain, says
from .makers import Found
from .text import Evaluator

_MODEL = re.compile(
    r"model(?!_negative)\w*|\w+_model|guider|pipe|\w+_pipe|lora_stack|lora|optional_lora_stack|prev_lora"
)
_CHECKPOINTS = ("ckpt_name", "unet_name", "base_ckpt_name", "model_name", "model_path", "diffusion_model", "gguf_name")
_LATENT = re.compile(
    r"(?:latent|samples|image|pixels|images|image_embeds|av_latent|video_latent|input)(?:_?(?:image|\d))?|(?:\w+_)?pipe"
)
_SIZE = re.compile(r"(\d{2,5}) ?[x×*] ?(\d{2,5})")
_LOADER = re.compile(r"^(?!.*(?:lora|vae|clip|upscale|control|patch|adapter|talk)).*load", re.IGNORECASE)
_MODEL_FILE = re.compile(r"\.(?:safetensors|sft|gguf|ckpt|pth?|bin)$", re.IGNORECASE)


class Settings:
    """Reads one graph's values by following links as far as they are known."""

    def __init__(self, graph: Graph, evaluator: Evaluator) -> None:
        self._graph = graph
        self._evaluator = evaluator
        self._steps = MOST_STEPS // 4

    def parameters(self, found: Found, maker: Node, encoders: list[Node], guidance: float | None) -> Parameters:
        """Of one of the makers found."""
        sigmas = self._first(maker, ("sigmas", "scheduler"), ("steps", "sigmas", "scheduler", "denoise")) or maker
        choice = self._first(maker, ("sampler",), ("sampler_name",))
        width, height = self._size(maker)
        return Parameters(
            seed=self._seed(found, maker),
            steps=self._steps_of(maker, sigmas),
            sampler=self._text(maker, "sampler_name") or self._sampler(maker, choice),
            scheduler=self._text(maker, "scheduler") or self._text(sigmas, "scheduler"),
            cfg_scale=self._cfg(maker),
            guidance=guidance if guidance is not None else as_float(self._value(maker, "guidance")),
            denoise=_either(self._float(maker, "denoise"), self._float(sigmas, "denoise")),
            width=width,
            height=height,
            clip_skip=self._clip_skip(encoders),
            checkpoint=self._checkpoint(maker),
            vae=self._vae(found, maker),
            loras=tuple(self._loras(maker)),
        )

    def _value(self, node: Node, *names: str) -> object:
        by_name = {plain(name): name for name in node.inputs}
        return self._evaluator.of(node, *(by_name[name] for name in names if name in by_name)).value

    def _float(self, node: Node, *names: str) -> float | None:
        return as_float(self._value(node, *names))

    def _text(self, node: Node, *names: str) -> str:
        return as_text(self._value(node, *names))

    def _chain(self, start: Node, follow: Callable[[str], bool]) -> Iterator[Node]:
        """The nodes above one, nearest first, over the inputs that `follow` takes; of a switch what it lets through."""
        waiting, seen = [start], {start.id}
        for node in waiting:  # which grows
            name = self._evaluator.chosen(node)
            for key, link in node.links():
                self._steps -= 1
                other = self._graph.nodes.get(link.node)
                taken = follow(plain(key)) or (node is not start and _only(node))
                through = key == name if name is not None else taken
                if other is not None and through and other.id not in seen and self._steps > 0:
                    seen.add(other.id)
                    waiting.append(other)
                    yield other

    def _first(self, node: Node, inputs: tuple[str, ...], names: tuple[str, ...]) -> Node | None:
        """The nearest node over these inputs that has one of these values."""
        by_name = {plain(name): link for name, link in node.links()}
        for name in inputs:
            start = self._graph.nodes.get(by_name[name].node) if name in by_name else None
            chain = [] if start is None else [start, *self._chain(start, lambda key: key in ("sigmas", "sampler"))]
            for one in chain:
                if any(plain(key) in names for key in one.inputs):
                    return one
        return None

    def _seed(self, found: Found, maker: Node) -> int | None:
        """Of the sampler that made the noise: a second half of a sampling has a seed, too, but draws from none."""
        place = next((number for number, node in enumerate(found.makers) if node is maker), 0)
        for node in found.makers[place:]:
            noise = self._first(node, ("noise",), ("noise_seed", "seed"))
            silent = self._value(node, "add_noise") in ("disable", False) or (node.link("noise") and noise is None)
            seed = as_int(self._value(noise or node, "seed", "noise_seed"))
            if seed is not None and not silent:
                return seed
        return as_int(self._value(maker, "seed", "noise_seed"))

    def _steps_of(self, maker: Node, sigmas: Node) -> int | None:
        steps = as_int(_either(self._value(maker, "steps"), self._value(sigmas, "steps")))
        written = self._value(sigmas, "sigmas")
        if steps is None and isinstance(written, str):
            return max(len([one for one in written.split(",") if one.strip()]) - 1, 0) or None
        return steps

    def _sampler(self, maker: Node, choice: Node | None) -> str:
        """A sampler of its own class ("SamplerEulerAncestral") is told by that."""
        if choice is not None:
            return self._text(choice, "sampler_name")
        link = maker.link("sampler")
        node = self._graph.nodes.get(link.node) if link else None
        return as_text(node.type) if node else ""

    def _cfg(self, maker: Node) -> float | None:
        guider = maker.link("guider")
        node = self._graph.nodes.get(guider.node, maker) if guider else maker
        for _ in range(20):  # nodes between that only clear memory
            through = next((link for _, link in node.links()), None) if _only(node) else None
            node = self._graph.nodes.get(through.node, node) if through else node
        return self._float(node, "cfg", "cfg_conds", "cfg_scale", "guidance_scale")

    def _size(self, maker: Node) -> tuple[int | None, int | None]:
        """From the nearest node above that sets one; enlarged by what enlarges it by a factor."""
        factor = 1.0
        for node in (maker, *self._chain(maker, lambda key: bool(_LATENT.fullmatch(key)))):
            if self._value(node, "keep_proportion") in (True, "resize") or "keep proportion" in node.inputs.values():
                break  # what it sets are bounds
            width = self._value(node, "width", "empty_latent_width", "width_override")
            height = self._value(node, "height", "empty_latent_height", "height_override")
            sizes = as_int(width), as_int(height)
            written = _SIZE.search(self._text(node, "resolution", "dimensions", "size") or _unnamed_size(node))
            if written:  # a preset comes before what can be set beside it
                sizes = int(written[1]), int(written[2])
            if sizes[0] and sizes[1] and min(sizes[0], sizes[1]) > 0:
                return round(sizes[0] * factor), round(sizes[1] * factor)
            factor *= min(max(self._float(node, "scale_by", "upscale_by") or 1.0, 0.01), 100.0)
        return None, None

    def _clip_skip(self, encoders: list[Node]) -> int | None:
        for encoder in encoders[:1]:
            for node in (encoder, *self._chain(encoder, lambda key: key in ("clip", "opt_clip"))):
                layer = as_int(self._value(node, "stop_at_clip_layer", "clip_skip"))
                if layer is not None and layer < 0:
                    return -layer
        return None

    def _models(self, maker: Node) -> Iterator[Node]:
        yield maker
        yield from self._chain(maker, lambda key: bool(_MODEL.fullmatch(key)))

    def _checkpoint(self, maker: Node) -> str:
        """A service names its model itself."""
        models = list(self._models(maker))
        names = (*(self._text(node, *_CHECKPOINTS) for node in models), *(self._loaded(node) for node in models))
        return next(filter(None, names), "") or ("" if maker.link("model") else self._text(maker, "model"))

    @staticmethod
    def _loaded(node: Node) -> str:
        """The file that a loader takes which nobody knows."""
        if not says(_LOADER, node.type) or node.link("model"):
            return ""
        values = (value for value in node.inputs.values() if isinstance(value, str) and _MODEL_FILE.search(value))
        return as_text(next(values, ""))

    def _vae(self, found: Found, maker: Node) -> str:
        """Of the node that decoded what the sampler drew; "" for the checkpoint's own."""
        here: Node | None = maker
        for _ in range(100):
            key = found.below.get(here.id) if here else None
            here = self._graph.nodes.get(key) if key else None
            if here is None:
                break
            if link := here.link("vae", "optional_vae"):
                loader = self._graph.nodes.get(link.node)
                name = self._text(loader, "vae_name", "model_name") if loader else ""
                return "" if name.lower() == "baked vae" else name
        return ""

    def _loras(self, maker: Node) -> Iterator[Lora]:
        """Up the model's way; those that are switched off left out."""
        for node in self._models(maker):
            for name in sorted(node.inputs, key=natural):
                lora = self._lora(node, name)
                if lora is not None and lora.name.lower() not in ("", "none") and (lora.weight or lora.clip_weight):
                    yield lora

    def _is_name(self, link: Link) -> bool:
        """Whether a text comes over a link, and not the LoRAs of a node that holds them."""
        source = self._graph.nodes.get(link.node)
        holds = source is not None and any(plain(name).startswith("lora") for name in source.inputs)
        return not holds and isinstance(self._evaluator.value(link).value, str)

    def _lora(self, node: Node, name: str) -> Lora | None:
        value = node.inputs[name]
        if isinstance(value, dict) and "lora" in value:
            return _row(value) if value.get("on", True) else None
        key = re.fullmatch(r"lora(?:_name)?(?:_?(\d{1,2}))?", plain(name))
        if not key:
            return None
        tail = f"_{key[1]}" if key[1] else ""
        if isinstance(value, Link) and not self._is_name(value):
            return None
        if str(self._value(node, f"switch{tail}", f"enabled{tail}")).lower() in ("off", "false"):
            return None
        weights = (f"strength_model{tail}", f"model_weight{tail}", f"lora_wt{tail}", f"strength{tail}")
        weight = self._float(node, *weights, "lora_model_strength", f"model_str{tail}", f"lora_strength{tail}")
        clip = self._float(node, f"strength_clip{tail}", f"clip_weight{tail}", "lora_clip_strength", f"clip_str{tail}")
        shown = value.get("content") if isinstance(value, dict) else self._evaluator.value(value).value
        return Lora(as_text(shown), 1.0 if weight is None else weight, clip)


def _unnamed_size(node: Node) -> str:
    """What an unknown node's list of sizes was set to: "832 x 1216 (0.68)"."""
    values = (value for name, value in node.inputs.items() if name.startswith("#"))
    return next((value for value in values if isinstance(value, str) and _SIZE.match(value)), "")


def _row(value: dict[str, object]) -> Lora:
    weight = as_float(value.get("strength"))
    return Lora(as_text(value.get("lora")), 1.0 if weight is None else weight, as_float(value.get("strengthTwo")))


def _either(first: object, second: object) -> float | None:
    return as_float(first if as_float(first) is not None else second)


def _only(node: Node) -> bool:
    """Whether a node has one input alone, and so hands it on."""
    return len(node.inputs) == 1
