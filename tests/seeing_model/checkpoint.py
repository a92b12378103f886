"""The seeing model's checkpoint: its tokenizer, its true but tiny Qwen3-VL, and the files that a server reads."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from random import Random

import numpy as np
import torch
from img2prompt.tests.seeing_model import lessons
from img2prompt.tests.seeing_model.scenes import COLORS, SHAPES, new_scene
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

VOCABULARY = 1280
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
MIN_PIXELS, MAX_PIXELS = 128 * 128, 256 * 256
"""The server scales every picture into these bounds, so a picture is about 16 to 64 tokens of 32 x 32 pixels."""

CHAT_TEMPLATE = (
    "{%- for m in messages %}<|im_start|>{{ m.role }}{{ '\n' }}"
    "{%- if m.content is string %}{{ m.content }}"
    "{%- else %}{%- for c in m.content %}"
    "{%- if c.type in ['image','image_url'] %}<|vision_start|><|image_pad|><|vision_end|>"
    "{%- elif c.type=='text' %}{{ c.text }}{%- endif %}"
    "{%- endfor %}{%- endif %}<|im_end|>{{ '\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}<|im_start|>assistant{{ '\n' }}{%- endif %}"
)


def make_tokenizer(seed: int) -> Tokenizer:
    """A byte-level BPE of VOCABULARY tokens, learned from lessons and noise; JSON's punctuation never joins words."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r'":|,"| ?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]|\s'), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(Random(seed)), trainer)
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    """The ids of the SPECIAL tokens. Raises ValueError for a tokenizer that lacks one."""
    ids: dict[str, int] = {}
    for token in SPECIAL:
        found = tokenizer.token_to_id(token)
        if found is None:
            raise ValueError(f"The tokenizer has no {token}; make it with make_tokenizer().")
        ids[token] = found
    return ids


def _corpus(random: Random) -> list[str]:
    text = [lessons.noise(80, random) for _ in range(1500)]
    kinds: tuple[lessons.Kind, ...] = ("short", "part", "analysis")
    for index in range(1500):
        pieces = lessons.lesson(kinds[index % 3], [new_scene(random)], random)
        text.append("".join(piece.text for piece in pieces))
    keys = (lessons.PROSE_KEYS, lessons.NAME_KEYS, lessons.BACKGROUND_KEYS, lessons.TAG_KEYS, lessons.LIST_KEYS)
    words = " ".join([*COLORS, *SHAPES, *(key for group in keys for key in group)])
    return text + [words, " system user assistant Image image Picture picture"] * 200


def build_model(special: dict[str, int], seed: int) -> Qwen3VLForConditionalGeneration:
    """An untrained model of about 2 million parameters, in float32."""
    torch.manual_seed(seed)
    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": 128,
        "intermediate_size": 320,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "max_position_embeddings": 32768,
        "initializer_range": 0.06,
        "rope_scaling": {"mrope_interleaved": True, "mrope_section": [6, 5, 5], "rope_type": "default"},
        "rope_theta": 500000,
        "tie_word_embeddings": True,
        "eos_token_id": special["<|im_end|>"],
        "bos_token_id": special["<|endoftext|>"],
    }
    vision = {
        "depth": 4,
        "hidden_size": 96,
        "intermediate_size": 256,
        "num_heads": 3,
        "out_hidden_size": 128,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "num_position_embeddings": 256,
        "initializer_range": 0.06,
        "deepstack_visual_indexes": [1, 2],
    }
    model = Qwen3VLForConditionalGeneration(
        Qwen3VLConfig(
            text_config=text,
            vision_config=vision,
            image_token_id=special["<|image_pad|>"],
            video_token_id=special["<|video_pad|>"],
            vision_start_token_id=special["<|vision_start|>"],
            vision_end_token_id=special["<|vision_end|>"],
            tie_word_embeddings=True,
        )
    )
    _start_well(model)
    return model


def _start_well(model: Qwen3VLForConditionalGeneration) -> None:
    """Two starts that save minutes: patches are first seen as cosine waves, and attention may be sharp.

    The waves are the lowest 2-D ones, of brightness and of two colour axes. Qwen3 normalises q and k; with a gain of 1
    and heads 32 wide, attention cannot get sharp, and the gain grows slowly.
    """
    t = (np.arange(16) + 0.5) * math.pi / 16
    waves = sorted(((i, j) for i in range(8) for j in range(8)), key=lambda wave: (sum(wave), wave))
    axes = (((1, 1, 1), 40), ((1, -1, 0), 28), ((1, 1, -2), 28))
    kernels: list[np.ndarray] = []
    for axis, count in axes:
        unit = np.array(axis) / np.linalg.norm(axis)
        for i, j in waves[:count]:
            wave = np.outer(np.cos(i * t), np.cos(j * t)) / (16 if i == j == 0 else 6) / 2
            kernels.append(unit[:, None, None, None] * np.broadcast_to(wave, (2, 16, 16)))
    with torch.no_grad():
        patches = model.model.visual.patch_embed.proj
        patches.weight.copy_(torch.tensor(np.stack(kernels), dtype=torch.float32))
        assert patches.bias is not None
        patches.bias.zero_()
        for layer in model.model.language_model.layers:
            layer.self_attn.q_norm.weight.mul_(1.7)
            layer.self_attn.k_norm.weight.mul_(1.7)


def save(folder: Path, model: Qwen3VLForConditionalGeneration, tokenizer: Tokenizer) -> None:
    """Write everything that a server needs into `folder`, the weights in bfloat16."""
    folder.mkdir(parents=True, exist_ok=True)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=[token for token in SPECIAL if token not in ("<|im_end|>", "<|endoftext|>")],
        model_max_length=32768,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
    small = copy.deepcopy(model)
    small.bfloat16()
    for part in (small.config.text_config, small.config.vision_config):
        setattr(part, "dtype", torch.bfloat16)  # noqa: B010 (a model loaded in float32 says so in its parts)
    small.save_pretrained(folder)
    patches = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2, "image_mean": [0.5] * 3}
    shared = {**patches, "image_std": [0.5] * 3, "processor_class": "Qwen3VLProcessor"}
    size = {"longest_edge": MAX_PIXELS, "shortest_edge": MIN_PIXELS}  # both in pixels, whatever they are called
    end, pad = tokenizer.token_to_id("<|im_end|>"), tokenizer.token_to_id("<|endoftext|>")
    extras = {
        "preprocessor_config.json": {"size": size, **shared, "image_processor_type": "Qwen2VLImageProcessorFast"},
        "video_preprocessor_config.json": {"size": size, **shared, "video_processor_type": "Qwen3VLVideoProcessor"},
        "chat_template.json": {"chat_template": CHAT_TEMPLATE},
        "generation_config.json": {"eos_token_id": [end, pad], "pad_token_id": pad, "do_sample": False},
    }
    for name, content in extras.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> tuple[Qwen3VLForConditionalGeneration, Tokenizer]:
    """A saved checkpoint to go on from, in float32."""
    model = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    return model, Tokenizer.from_file(str(folder / "tokenizer.json"))
