"""The node `Read Prompt`: a picture file in; out the picture, and the prompt that the file says it was made with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..prompts.errors import RecoverError
from .comfy import input_pictures, io, load_image, picture_path, schema
from .shown import Shown, shown_found

if TYPE_CHECKING:
    from ..prompts import NodeRef, Parameters, Recovered, RecoveredPrompt

AS_WRITTEN, WORDS_ONLY = WRITE_AS = ("as written", "words only")
NO_PROMPT = "The file carries no prompt."


class ReadPrompt(io.ComfyNode):
    """Loads a picture as Load Image does, and reads what its file says of how it was made. Asks no model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The node as ComfyUI shows it."""
        return schema(
            node_id="Img2Prompt_ReadPrompt",
            display_name="Read Prompt",
            category="img2prompt",
            description="Reads the prompt that a picture file still carries, whatever program made it: ComfyUI, "
            "AUTOMATIC1111, Forge, Civitai, NovelAI, InvokeAI, Fooocus, SwarmUI and others. No model is asked.",
            search_aliases=["metadata", "PNG info", "embedded prompt", "load image", "parameters", "img2prompt"],
            inputs=[
                io.Combo.Input(
                    "image",
                    options=input_pictures(),
                    upload=io.UploadType.image,
                    image_folder=io.FolderType.input,
                    tooltip="The file itself, as the program saved it. Screenshots, and pictures copied out of a page, "
                    "have often lost their prompt.",
                ),
                io.Combo.Input(
                    "write_as",
                    options=list(WRITE_AS),
                    default=AS_WRITTEN,
                    tooltip="'words only' takes out weights, embeddings and LoRA tags, which other models cannot read.",
                ),
            ],
            outputs=[
                io.Image.Output("picture", display_name="image", tooltip="The picture, as Load Image gives it."),
                io.Mask.Output("mask", display_name="mask", tooltip="Its alpha, as Load Image gives it."),
                io.String.Output(
                    "positive",
                    display_name="positive",
                    tooltip="The prompt, empty where there is none. Connect it to known_prompt of Image → Prompt.",
                ),
                io.String.Output("negative", display_name="negative", tooltip="The negative prompt, or empty."),
                io.String.Output(
                    "parameters",
                    display_name="parameters",
                    tooltip="Seed, steps, sampler, model, LoRAs and the rest as JSON; what the file does not tell is "
                    "left out.",
                ),
                io.String.Output(
                    "generator", display_name="generator", tooltip="The program that made it, or empty: ComfyUI, …"
                ),
                io.Boolean.Output("found", display_name="found", tooltip="Whether there is a prompt; for a switch."),
            ],
            is_output_node=True,  # so that it runs, and shows its text, with nothing connected after it
        )

    @classmethod
    def validate_inputs(cls, image: str | None = None) -> bool | str:
        """Whether there is such a file: ComfyUI does not check a V3 combo's value. It would say of each input that is
        named here what is wrong with one, so `write_as` is checked when it runs."""
        return _bad_file(image) or True

    @classmethod
    def fingerprint_inputs(cls, image: str | None = None, **_: object) -> str | float:
        """What changes with the file's content. A linked name is not known yet: the file is read again, as by Load
        Image."""
        path = picture_path(image) if image is not None else None
        if path is None:
            return float("nan")
        status = path.stat()
        return f"{status.st_size} {status.st_mtime_ns}"

    @classmethod
    def execute(cls, image: str, write_as: str = AS_WRITTEN) -> io.NodeOutput:
        """Read and load it. Raises RecoverError; a file without a prompt is no error."""
        if bad := _bad_file(image) or _bad_word(write_as):
            raise RecoverError(bad)
        path = picture_path(image)
        assert path is not None
        found = _read(path, image)
        picture, mask = load_image(image)
        positive, negative = _texts(found, write_as)
        generator = found.generator if found else ""
        return io.NodeOutput(
            picture,
            mask,
            positive,
            negative,
            _as_json(found.parameters) if found else "{}",
            generator,
            bool(positive),
            ui={
                "text": [_told(found, positive, negative)],
                "positive": [positive],
                "negative": [negative],
                "generator": [generator],
                "shown": _shown(found, positive, negative),
            },
        )


def _bad_file(name: str | None) -> str | None:
    """Why there is no such file, or None."""
    if name is None:
        return None
    path = picture_path(name)
    if path is None:
        return f"image {name!r} leads out of ComfyUI's folder; upload the file, or copy it into the input folder."
    if not path.is_file():
        return f"There is no file {name!r} in ComfyUI's folder; upload it again, or choose another."
    return None


def _read(path: Path, name: str) -> Recovered | None:
    """What the file says. Raises RecoverError with the name that the user chose: its path would show the server's
    folders."""
    from ..prompts import recover

    try:
        with path.open("rb") as file:
            return recover(file, stealth=True)
    except RecoverError as error:
        raise RecoverError(f"{name}: {error}") from error


def _bad_word(write_as: str) -> str | None:
    """Why that is no way to write a prompt, or None."""
    if write_as in WRITE_AS:
        return None
    return f"write_as cannot be {write_as!r}; choose one of {', '.join(WRITE_AS)}."


def _texts(found: Recovered | None, write_as: str) -> tuple[str, str]:
    """The final picture's prompt and negative prompt."""
    from ..prompts.recover.words import words_only

    if found is None:
        return "", ""
    if write_as == WORDS_ONLY:
        return words_only(found.positive), words_only(found.negative)
    return found.positive, found.negative


def _as_json(parameters: Parameters) -> str:
    """What is known of them, by the names of `Parameters`."""
    known: dict[str, Any] = {each.name: getattr(parameters, each.name) for each in fields(parameters)}
    known |= {"loras": [asdict(lora) for lora in parameters.loras], "other": dict(parameters.other)}
    told = {name: value for name, value in known.items() if value not in (None, "", [], {})}
    return json.dumps(told, ensure_ascii=False)


def _told(found: Recovered | None, positive: str, negative: str) -> str:
    """All of it, for the node's own display."""
    if found is None:
        return NO_PROMPT
    first = found.prompts[0] if found.prompts else None
    parts = (
        "" if positive else NO_PROMPT,
        _origin(found),  # before texts that may be long
        positive,
        f"Negative: {negative}" if negative else "",
        "\n".join((*_how(found.parameters), *(_nodes(first) if first else ()))),
        *(_other(prompt) for prompt in found.prompts[1:]),
        *found.notes,
    )
    return "\n\n".join(filter(None, parts))


def _shown(found: Recovered | None, positive: str, negative: str) -> list[Shown]:
    """The same in parts."""
    if found is None:
        return shown_found("", [], [NO_PROMPT])
    first = found.prompts[0] if found.prompts else None
    made = "\n".join((*_how(found.parameters), *(_nodes(first) if first else ())))
    others = [(f"another prompt{_by(prompt)}", prompt.positive) for prompt in found.prompts[1:]]
    notes = ("" if positive else NO_PROMPT, _origin(found), *found.notes)
    return shown_found(positive, [("negative", negative), ("made with", made), *others], filter(None, notes))


def _origin(found: Recovered) -> str:
    """Which program, and where in the file."""
    signed = "" if found.credentials is None else f"content credentials of {found.credentials or 'an unknown signer'}"
    made_by = found.generator if found.source or not signed else ""  # else the signature is all that there is
    return ", ".join(filter(None, (made_by, found.source, signed)))


def _nodes(prompt: RecoveredPrompt) -> list[str]:
    """The nodes that the texts were written in."""
    named = {"Prompt from": prompt.positive_nodes, "Negative from": prompt.negative_nodes}
    return [f"{what} {_names(nodes)}" for what, nodes in named.items() if nodes]


def _names(nodes: Iterable[NodeRef]) -> str:
    return ", ".join(f"{node.title or node.type} (node {node.id})" for node in nodes)


def _how(parameters: Parameters) -> list[str]:
    """What is asked for most, in up to three lines; the output has all."""
    size = f"{parameters.width} x {parameters.height}" if parameters.width and parameters.height else ""
    known = {
        "seed": parameters.seed,
        "steps": parameters.steps,
        "sampler": parameters.sampler,
        "scheduler": parameters.scheduler,
        "cfg": parameters.cfg_scale,
        "guidance": parameters.guidance,
        "size": size,
    }
    told = {name: f"{value:g}" if isinstance(value, float) else value for name, value in known.items()}
    numbers = ", ".join(f"{name} {value}" for name, value in told.items() if value not in (None, ""))
    model = f"model {parameters.checkpoint}" if parameters.checkpoint else ""
    loras = ", ".join(f"{lora.name} at {lora.weight:g}" for lora in parameters.loras)
    return [line for line in (numbers, model, f"LoRA {loras}" if loras else "") if line]


def _other(prompt: RecoveredPrompt) -> str:
    """A prompt that drew something before the final picture, or beside it."""
    return f"Another prompt in the file{_by(prompt)}: {prompt.positive}"


def _by(prompt: RecoveredPrompt) -> str:
    """Whose it is."""
    return f", of {_names([prompt.sampler])}" if prompt.sampler else ""
