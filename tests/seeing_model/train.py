"""Train the seeing model on a CPU: `python -m img2prompt.tests.seeing_model.train --out FOLDER` (see README.md).

First the eyes alone, on what each patch and each picture shows; then eyes and mouth together, on lessons that start
short. Stories are learned by a trained checkpoint, with its eyes as they are. All take a fixed number of steps, so the
learning rate does not depend on the clock.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from img2prompt.prompts.story import MOST_PICTURES
from img2prompt.tests.seeing_model.batches import (
    COLOR_IDS,
    IGNORED,
    PATCH,
    SHAPE_IDS,
    AnyKind,
    Batch,
    Lessons,
    Pictures,
)
from img2prompt.tests.seeing_model.checkpoint import build_model, load, make_tokenizer, save, special_ids
from img2prompt.tests.seeing_model.scenes import new_scene
from transformers import Qwen3VLForConditionalGeneration
from transformers.models.qwen3_vl import modeling_qwen3_vl as qwen


@dataclass(frozen=True, slots=True)
class Plan:
    """Which lessons, and how often."""

    easy: dict[AnyKind, float]
    full: dict[AnyKind, float]
    tokens: int = 3000
    """In a batch, at most about."""
    by_answer: bool = False
    """Each answer counts alike in the loss, however long; else each token of a batch does."""


PLANS = {
    "pictures": Plan(
        {"short": 0.85, "part": 0.1, "observations": 0.05},
        {"short": 0.3, "part": 0.2, "analysis": 0.45, "observations": 0.05},
    ),
    "stories": Plan(
        {"short": 0.2, "part": 0.05, "analysis": 0.1, "observations": 0.1, "story part": 0.55},
        {"short": 0.1, "part": 0.1, "analysis": 0.3, "story part": 0.2, "story": 0.28, "long story": 0.02},
        tokens=2000,
        by_answer=True,
    ),
}
ANSWER_TOKENS = 16
"""What divides the loss of an answer, so that it is about as large as the loss of a token."""
EASY_SHARE = 0.3
"""The share of the steps that has only easy lessons and short prompts."""
EYE_PIXELS = 24 * 128 * 128
"""How many pixels a step of training the eyes has."""
LABELS = (len(COLOR_IDS), len(COLOR_IDS), len(SHAPE_IDS))
"""How many values each column of `Pictures.labels` has."""


class Examiner(torch.nn.Module):
    """Asks three depths of the vision part what they show; only training needs it.

    The first must tell where the shape is, cell by cell; the later ones, what the whole picture shows. Without the
    first question, shapes are learned long after colours.
    """

    def __init__(self, model: Qwen3VLForConditionalGeneration) -> None:
        super().__init__()
        width: int = model.lm_head.in_features
        self.where = torch.nn.Linear(width, 16)
        self.what = torch.nn.ModuleList([torch.nn.Linear(width, sum(LABELS)) for _ in range(2)])
        self.features: dict[int, torch.Tensor] = {}
        visual = model.model.visual
        for depth, merger in enumerate([*visual.deepstack_merger_list, visual.merger]):
            merger.register_forward_hook(lambda _module, _input, output, depth=depth: self._keep(depth, output))

    def _keep(self, depth: int, output: torch.Tensor) -> None:
        self.features[depth] = output

    def forward(self, pictures: Pictures) -> tuple[torch.Tensor, str]:
        """The loss about the pictures that were just seen, and the shares of right backgrounds, colours and shapes."""
        first, *later = (self.features[depth].view(*pictures.masks.shape[:2], -1) for depth in range(3))
        loss = 4 * F.binary_cross_entropy_with_logits(self.where(first), pictures.masks)
        right: list[str] = []
        for tokens, what in zip(later, self.what, strict=True):
            guesses = what(tokens.mean(1)).split(LABELS, dim=1)
            for guess, label, weight in zip(guesses, torch.unbind(pictures.labels, 1), (1, 1, 2), strict=True):
                loss = loss + weight * F.cross_entropy(guess, label)
                right.append(f"{(guess.argmax(1) == label).float().mean().item():.2f}")
        return loss, "/".join(right[3:])


class Guide:
    """Asks the middle of the text part which picture a token is part of, or about; only training needs it.

    One question for the pictures' tokens and for the answer's makes both say it alike, so that the later layers find
    the one from the other. Without it, hundreds of steps passed before two pictures were told apart.
    """

    def __init__(self, model: Qwen3VLForConditionalGeneration) -> None:
        self.which = torch.nn.Linear(model.lm_head.in_features, MOST_PICTURES + 1)
        self.hidden = torch.empty(0)
        # a lambda: a bound method would be copied with the model when that is saved
        model.model.language_model.layers[1].register_forward_hook(lambda _module, _input, output: self._keep(output))

    def _keep(self, output: torch.Tensor) -> None:
        self.hidden = output

    def loss(self, about: torch.Tensor) -> tuple[torch.Tensor, float]:
        """The loss about the tokens that were just read, and the share that is right."""
        asked = about > 0
        if not asked.any():
            return torch.zeros(()), 1.0
        guesses = self.which(self.hidden[asked])
        return F.cross_entropy(guesses, about[asked]), (guesses.argmax(1) == about[asked]).float().mean().item()


class Trainer:
    """A model in training, with its lessons."""

    def __init__(
        self, model: Qwen3VLForConditionalGeneration, lessons: Lessons, plan: Plan, log: Callable[[str], None]
    ) -> None:
        self.model, self.lessons, self.plan, self.log = model, lessons, plan, log
        self.examiner = Examiner(model)
        self.guide = Guide(model)
        self.right: dict[AnyKind, float] = {}
        """By kind of lesson: the moving average of the share in which every token is right."""

    def train_eyes(self, steps: int, rate: float) -> None:
        """The vision part alone; in the first half on the smallest pictures, which are the fastest."""
        visual, random = self.model.model.visual, self.lessons.random
        optimizer = _optimizer([*visual.parameters(), *self.examiner.parameters()])
        for step in range(steps):
            size = (128, 128) if step < steps / 2 else self.lessons.size()
            count = max(4, EYE_PIXELS // (size[0] * size[1]))
            pictures = self.lessons.pictures([new_scene(random) for _ in range(count)], size)
            _set_rate(optimizer, rate, step / steps)
            visual(pictures.patches, grid_thw=pictures.grid, return_dict=True)
            loss, right = self.examiner(pictures)
            _update(optimizer, loss)
            if step % 50 == 0 or step == steps - 1:
                self.log(f"eyes {step} {size} loss {loss.item():.3f} right {right}")

    def train_mouth(
        self, steps: int, rate: float, easy_share: float, examine: float, guide: float, keep: Callable[[], None]
    ) -> None:
        """The whole model; with `examine` 0 the eyes stay as they are."""
        self.model.model.visual.requires_grad_(examine > 0)
        parameters = [*self.model.parameters(), *self.examiner.parameters()] if examine else self.model.parameters()
        optimizer = _optimizer([one for one in (*parameters, *self.guide.which.parameters()) if one.requires_grad])
        step = 0
        while step < steps:
            easy = self.lessons.random.random() < (0.9 if step < steps * easy_share else 0.15)
            mix, words = (self.plan.easy, 30) if easy else (self.plan.full, 350)
            for batch in self.lessons.batches(mix, words, self.plan.tokens):
                _set_rate(optimizer, rate, step / steps)
                loss = self._answer(batch)
                seen, seen_right = self.examiner(batch.pictures) if examine else (0.0, "not asked")
                guided, found = self.guide.loss(batch.about)
                _update(optimizer, loss + examine * seen + guide * guided)
                if step % 25 == 0 or step == steps - 1:
                    shares = ", ".join(f"{kind} {share:.3f}" for kind, share in sorted(self.right.items()))
                    self.log(
                        f"mouth {step} {tuple(batch.tokens.shape)} loss {loss.item():.4f} seen {seen_right} "
                        f"found {found:.2f} lessons all right: {shares}"
                    )
                step += 1
                if step % 200 == 0:
                    keep()
                if step == steps:
                    break

    def _answer(self, batch: Batch) -> torch.Tensor:
        """The loss. Counts the lessons whose every learned token is the model's first choice."""
        pads = batch.tokens == self.model.config.image_token_id
        hidden = self.model.model(
            input_ids=batch.tokens,
            pixel_values=batch.pictures.patches,
            image_grid_thw=batch.pictures.grid,
            mm_token_type_ids=pads.int(),
            use_cache=False,
        )[0]
        targets = batch.targets[:, 1:]
        learned = targets != IGNORED
        guess = self.model.lm_head(hidden[:, :-1][learned].float())
        wrong = torch.zeros(targets.shape, dtype=torch.bool)
        wrong[learned] = guess.argmax(1) != targets[learned]
        for kind, is_wrong in zip(batch.kinds, wrong.any(1).tolist(), strict=True):
            before = self.right.get(kind, 0.0)
            self.right[kind] = before + 0.01 * ((not is_wrong) - before)
        if self.plan.by_answer:
            return F.cross_entropy(guess, targets[learned], reduction="sum") / (len(targets) * ANSWER_TOKENS)
        return F.cross_entropy(guess, targets[learned])


def _optimizer(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)


def _set_rate(optimizer: torch.optim.Optimizer, peak: float, done: float) -> None:
    """A short warm-up, then half a cosine down to 3% of the peak."""
    rate = peak * min(1, done / 0.04 + 0.02) * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * done)))
    for group in optimizer.param_groups:
        group["lr"] = rate


def _update(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
    optimizer.step()


def speed_up_vision() -> None:
    """Two equal but faster computations: pictures of one size attend in one batch, and a still frame is seen once.

    Transformers loops over pictures; and its 3-D convolution over the same frame twice is one matrix product with the
    kernel summed over time.
    """

    def attend(self, hidden_states, cu_seqlens, position_embeddings, **_kwargs):
        length, pictures = hidden_states.shape[0], cu_seqlens.numel() - 1
        q, k, v = self.qkv(hidden_states).reshape(length, 3, self.num_heads, -1).permute(1, 0, 2, 3).unbind(0)
        q, k = qwen.apply_rotary_pos_emb_vision(q, k, *position_embeddings)
        q, k, v = (x.reshape(pictures, length // pictures, self.num_heads, -1).transpose(1, 2) for x in (q, k, v))
        seen = F.scaled_dot_product_attention(q, k, v, scale=self.scaling)
        return self.proj(seen.transpose(1, 2).reshape(length, -1))

    def embed(self, hidden_states):
        frame = hidden_states.view(-1, 3, 2, PATCH * PATCH)[:, :, 0].reshape(-1, 3 * PATCH * PATCH)
        return F.linear(frame, self.proj.weight.sum(2).reshape(-1, 3 * PATCH * PATCH), self.proj.bias)

    faster = ((qwen.Qwen3VLVisionAttention, attend), (qwen.Qwen3VLVisionPatchEmbed, embed))
    for module, forward in faster:
        setattr(module, "forward", forward)  # noqa: B010


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint to write")
    parser.add_argument("--resume", type=Path, help="folder of a checkpoint to go on from")
    parser.add_argument("--eye-steps", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--eye-rate", type=float, default=2e-3)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--easy-share", type=float, default=EASY_SHARE, help="the share of the steps with easy lessons")
    parser.add_argument("--lessons", choices=PLANS, default="pictures")
    parser.add_argument(
        "--examine",
        type=float,
        default=0.3,
        help="weight of the vision part's own loss, with a mouth; 0 leaves the eyes as they are",
    )
    parser.add_argument(
        "--guide", type=float, default=0.0, help="weight of the question which picture a token is about"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    begin = time.monotonic()
    if options.resume:
        model, tokenizer = load(options.resume)
    else:
        tokenizer = make_tokenizer(options.seed)
        model = build_model(special_ids(tokenizer), options.seed)
    speed_up_vision()
    model.train()
    trainer = Trainer(
        model,
        Lessons(tokenizer, options.seed),
        PLANS[options.lessons],
        lambda line: print(f"{time.monotonic() - begin:5.0f} s  {line}", flush=True),
    )
    keep = lambda: save(options.out, model, tokenizer)  # noqa: E731
    if options.eye_steps:
        trainer.train_eyes(options.eye_steps, options.eye_rate)
    trainer.train_mouth(options.steps, options.rate, options.easy_share, options.examine, options.guide, keep)
    keep()


if __name__ == "__main__":
    main()
