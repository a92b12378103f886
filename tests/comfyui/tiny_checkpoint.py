"""Writes a small random SD1.5-type checkpoint, which CheckpointLoaderSimple accepts and a CPU samples in seconds.

    python tiny_checkpoint.py COMFYUI OUT        (run by scripts/comfyui.py in the environment `comfyui`)

UNet 13.6 M parameters (ComfyUI's detection fixes 320 model channels and a context of 768; one level, one block, no
middle), TAESD as VAE 2.4 M, CLIP-L 123.1 M (size fixed; random embeddings and zero layers, so that prompt tokens still
reach the output through the residual stream). fp16, 278 MB.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file

COMFYUI, OUT = map(Path, sys.argv[1:3])
sys.path.insert(0, str(COMFYUI))
sys.argv = sys.argv[:1]

import comfy.cli_args  # noqa: E402 - ComfyUI's tree has to be on the path first

comfy.cli_args.args.cpu = True  # before comfy.model_management looks for a GPU

from comfy.clip_model import CLIPTextModel  # noqa: E402
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel  # noqa: E402
from comfy.taesd.taesd import TAESD  # noqa: E402

Tensors = Iterable[tuple[str, torch.Tensor]]


class Operations(torch.nn.Module):
    """The layers that ComfyUI's models are built of: torch's own."""

    Linear = torch.nn.Linear
    Conv2d = torch.nn.Conv2d
    Conv3d = torch.nn.Conv3d
    GroupNorm = torch.nn.GroupNorm
    LayerNorm = torch.nn.LayerNorm
    Embedding = torch.nn.Embedding

    @classmethod
    def conv_nd(cls, dims: int, *args: object, **kwargs: object) -> torch.nn.Module:
        return {2: cls.Conv2d, 3: cls.Conv3d}[dims](*args, **kwargs)  # pyright: ignore[reportArgumentType]


def unet() -> Tensors:
    model = UNetModel(
        image_size=32,
        in_channels=4,
        out_channels=4,
        model_channels=320,
        num_res_blocks=[1],
        channel_mult=[1],
        transformer_depth=[1],  # pyright: ignore[reportArgumentType] - a list is what ComfyUI passes
        transformer_depth_output=[0, 0],
        transformer_depth_middle=-2,  # no middle block
        context_dim=768,
        num_heads=8,
        num_head_channels=-1,
        use_spatial_transformer=True,
        legacy=False,
        adm_in_channels=None,
        use_linear_in_transformer=False,
        operations=Operations,  # pyright: ignore[reportArgumentType] - ComfyUI's default is one such class
    )
    return model.state_dict().items()


def vae() -> Tensors:
    model = TAESD(latent_channels=4)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_normal_(parameter, 0.5)
        elif parameter.ndim == 1:
            torch.nn.init.zeros_(parameter)
    return model.state_dict().items()


def text_encoder() -> Tensors:
    config = json.loads((COMFYUI / "comfy" / "sd1_clip_config.json").read_text())
    with torch.device("meta"):
        shapes = CLIPTextModel(config, torch.float32, "meta", Operations).state_dict()
    for name, shape in shapes.items():
        if name.startswith("text_projection"):
            continue
        if "embedding" in name:
            yield name, torch.randn(shape.shape) * 0.02
        elif "norm" in name and name.endswith("weight"):
            yield name, torch.ones(shape.shape)
        else:
            yield name, torch.zeros(shape.shape)


def main() -> None:
    torch.manual_seed(0)
    parts = {
        "model.diffusion_model.": unet(),
        "first_stage_model.": vae(),
        "cond_stage_model.transformer.": text_encoder(),
    }
    tensors = {prefix + name: tensor for prefix, part in parts.items() for name, tensor in part}
    save_file({name: tensor.detach().half().contiguous() for name, tensor in tensors.items()}, OUT)


if __name__ == "__main__":
    main()
