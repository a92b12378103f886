"""Training batches: drawn pictures as Qwen3-VL's patches, lessons as tokens, and labels for the vision part."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from img2prompt.tests.seeing_model.checkpoint import MAX_PIXELS, MIN_PIXELS, special_ids
from img2prompt.tests.seeing_model.lessons import Kind, Piece, lesson, noise
from img2prompt.tests.seeing_model.scenes import COLORS, SHAPES, Scene, draw, mask, new_scene
from img2prompt.tests.seeing_model.stories import STORY_KINDS, StoryKind, story_lesson, story_scenes, story_words
from PIL import Image
from tokenizers import Tokenizer
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

PATCH, TOKEN = 16, 32
"""The sides, in pixels, of a patch and of the 2 x 2 patches that become one token."""
MOSTLY_PIXELS = 160 * 160
"""Most training pictures are scaled down to this, for speed; the server allows MAX_PIXELS."""
IGNORED = -100
COLOR_IDS = {name: index for index, name in enumerate(COLORS)}
SHAPE_IDS = {name: index for index, name in enumerate(SHAPES)}

Size = tuple[int, int]
AnyKind = Kind | StoryKind


@dataclass(frozen=True, slots=True)
class Pictures:
    """Some pictures of one size."""

    patches: torch.Tensor
    """float32 [pictures x patches, 3 x 2 x 16 x 16], from -1 to 1."""
    grid: torch.Tensor
    """int64 [pictures, 3]: frames, rows and columns of patches."""
    labels: torch.Tensor
    """int64 [pictures, 3]: background, colour and shape."""
    masks: torch.Tensor
    """float32 [pictures, tokens of a picture, 16]: how much of each 8 x 8 pixels of a token is shape, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A lesson before it is drawn: its tokens, which of them are learned, and what its pictures show."""

    kind: AnyKind
    tokens: list[int]
    learned: list[bool]
    about: list[int]
    """Which picture each token is part of, or about, from 1; 0 for none of several."""
    scenes: list[Scene]


@dataclass(frozen=True, slots=True)
class Batch:
    """Lessons of about one length."""

    tokens: torch.Tensor
    """int64 [lessons, length]."""
    targets: torch.Tensor
    """`tokens` where they are learned, else IGNORED."""
    about: torch.Tensor
    """int64 [lessons, length]: which picture a token is part of, or about, from 1; 0 for none of several."""
    pictures: Pictures
    kinds: list[AnyKind]
    """Of each lesson."""


class Lessons:
    """An endless, seeded supply of batches."""

    def __init__(self, tokenizer: Tokenizer, seed: int) -> None:
        self.random = Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.tokenizer = tokenizer
        # a grammar lets the server's model spell a key in any split, so keys that are only read are split at random
        self.stammerer = Tokenizer.from_str(tokenizer.to_str())
        self.stammerer.model.dropout = 0.3
        self.special = special_ids(tokenizer)

    def size(self) -> Size:
        """Width and height after scaling a picture of 256 to 1,024 pixels a side."""
        random = self.random
        width, height = (round(256 * 4 ** random.random()) for _ in range(2))
        if random.random() < 0.4:
            height = width
        pixels = random.choices([MOSTLY_PIXELS, MIN_PIXELS, MAX_PIXELS], [80, 12, 8])[0]
        rows, columns = smart_resize(height, width, TOKEN, MIN_PIXELS, pixels)
        return columns, rows

    def pictures(self, scenes: list[Scene], size: Size) -> Pictures:
        """Draw `scenes` and take them through what a client and the server do to pictures."""
        width, height = size
        patches = np.concatenate([self._patches(self._photo(scene, size)) for scene in scenes])
        return Pictures(
            torch.from_numpy(patches),
            torch.tensor([[1, height // PATCH, width // PATCH]] * len(scenes)),
            torch.tensor([[COLOR_IDS[s.background], COLOR_IDS[s.color], SHAPE_IDS[s.shape]] for s in scenes]),
            torch.from_numpy(np.stack([_mask(scene, size) for scene in scenes])),
        )

    def _photo(self, scene: Scene, size: Size) -> Image.Image:
        random = self.random
        scale = random.choices([1.0, random.uniform(0.7, 2.0), random.uniform(2.0, 5.0)], [6, 3, 1])[0]
        picture = draw(scene, round(size[0] * scale), round(size[1] * scale), random)
        if random.random() < 0.25:
            file = io.BytesIO()
            sampling = random.choice([0, 2])  # 4:4:4 and 4:2:0
            picture.save(file, "JPEG", quality=random.randint(70, 97), subsampling=sampling)
            picture = Image.open(file)
        return picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC)

    def _patches(self, picture: Image.Image) -> np.ndarray:
        """As Qwen2VLImageProcessor lays them out: the four patches of a token in a row, each frame twice."""
        pixels = np.asarray(picture, dtype=np.float32)
        if self.random.random() < 0.3:
            grain = self.numbers.standard_normal(pixels.shape, dtype=np.float32)
            pixels = np.clip(pixels + grain * self.random.uniform(1, 8), 0, 255)
        rows, columns = pixels.shape[0] // TOKEN, pixels.shape[1] // TOKEN
        tiles = pixels.reshape(rows, 2, PATCH, columns, 2, PATCH, 3).transpose(0, 3, 1, 4, 6, 2, 5)
        frames = tiles.reshape(rows * columns * 4, 3, 1, PATCH * PATCH) / 127.5 - 1
        return np.repeat(frames, 2, axis=2).reshape(len(frames), -1)

    def batches(self, mix: dict[AnyKind, float], prompt_words: int, tokens: int) -> Iterator[Batch]:
        """A few batches of one picture size, each of at most about `tokens` tokens, from lessons of like length."""
        size = self.size()
        pads = size[0] * size[1] // TOKEN**2
        drawn = sorted((self._lesson(mix, prompt_words, pads) for _ in range(80)), key=lambda one: len(one.tokens))
        groups: list[list[Drawn]] = [[]]
        for one in drawn:
            if groups[-1] and len(one.tokens) * (len(groups[-1]) + 1) > tokens:
                groups.append([])
            groups[-1].append(one)
        self.random.shuffle(groups)
        for group in groups:
            yield self._collate(group, size)

    def _lesson(self, mix: dict[AnyKind, float], prompt_words: int, pads: int) -> Drawn:
        random = self.random
        kind = random.choices(list(mix), list(mix.values()))[0]
        if kind in STORY_KINDS:
            scenes = story_scenes(kind, random)
            tokens = self._story_prompt(len(scenes), pads, prompt_words)
            answer = story_lesson(kind, scenes, random)
        else:
            scenes = [new_scene(random) for _ in range(2 if kind == "observations" else 1)]
            tokens = self._prompt(len(scenes), pads, prompt_words)
            answer = lesson(kind, scenes, random)
        learned, about = [False] * len(tokens), self._numbered(tokens) if len(scenes) > 1 else [0] * len(tokens)
        for piece in answer:
            ids = self._piece(piece)
            tokens += ids
            learned += [piece.learned] * len(ids)
            about += [piece.picture] * len(ids)
        return Drawn(kind, [*tokens, self.special["<|im_end|>"]], [*learned, True], [*about, 0], scenes)

    def _numbered(self, prompt: list[int]) -> list[int]:
        """For each token of a prompt the number of the picture that it is part of, else 0."""
        number, numbers = 0, []
        for token in prompt:
            number += token == self.special["<|vision_start|>"]
            numbers.append(number if token == self.special["<|image_pad|>"] else 0)
        return numbers

    def _piece(self, piece: Piece) -> list[int]:
        stammer = piece.key and not piece.learned and self.random.random() < 0.35
        return (self.stammerer if stammer else self.tokenizer).encode(piece.text, add_special_tokens=False).ids

    def _prompt(self, pictures: int, pads: int, words: int) -> list[int]:
        """A conversation up to the answer, with noise of up to about `words` words before and after the pictures."""
        random = self.random
        system = self._noise(words) if random.random() < 0.6 else None
        before = self._noise(words) if random.random() < 0.3 else ""
        label = random.choice(["", "", "", "Image {}: ", "Picture {}:\n"])
        after = self._noise(words) if random.random() < 0.8 else ""
        return self._conversation(system, before, [label.format(n + 1) for n in range(pictures)], pads, after)

    def _story_prompt(self, pictures: int, pads: int, words: int) -> list[int]:
        """The same for a story, mostly in the very layout of the package's requests."""
        system, instruction = story_words(pictures, words, self.random)
        label = self.random.choices(["Picture {}:", "Picture {}:\n", "Image {}: "], [90, 5, 5])[0]
        return self._conversation(system, "", [label.format(n + 1) for n in range(pictures)], pads, instruction)

    def _conversation(self, system: str | None, before: str, labels: list[str], pads: int, after: str) -> list[int]:
        """One picture after each label, all of `pads` tokens."""
        start, end = self.special["<|im_start|>"], self.special["<|im_end|>"]
        picture = [self.special["<|vision_start|>"], *[self.special["<|image_pad|>"]] * pads]
        picture.append(self.special["<|vision_end|>"])
        ids: list[int] = []
        if system is not None:
            ids += [start, *self._encode("system\n" + system), end, *self._encode("\n")]
        ids += [start, *self._encode("user\n" + before)]
        for label in labels:
            ids += self._encode(label) + picture
        ids += self._encode(after)
        return [*ids, end, *self._encode("\n"), start, *self._encode("assistant\n")]

    def _noise(self, words: int) -> str:
        """Mostly short, for speed; a tenth as long as real instructions are."""
        length = self.random.choices([words // 40, words // 10, words // 3, words], [5, 3, 1, 1])[0]
        return noise(self.random.randint(0, max(3, length)), self.random)

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def _collate(self, group: list[Drawn], size: Size) -> Batch:
        length = max(len(one.tokens) for one in group)
        tokens = torch.full((len(group), length), self.special["<|endoftext|>"])
        targets = torch.full((len(group), length), IGNORED)
        about = torch.zeros_like(tokens)
        for row, one in enumerate(group):
            line = torch.tensor(one.tokens)
            tokens[row, : len(line)] = line
            about[row, : len(line)] = torch.tensor(one.about)
            targets[row, : len(line)] = torch.where(torch.tensor(one.learned), line, IGNORED)
        pictures = self.pictures([scene for one in group for scene in one.scenes], size)
        return Batch(tokens, targets, about, pictures, [one.kind for one in group])


def _mask(scene: Scene, size: Size) -> np.ndarray:
    columns, rows = size[0] // TOKEN, size[1] // TOKEN
    cells = mask(scene, *size).resize((columns * 4, rows * 4), Image.Resampling.BOX)
    tiles = np.asarray(cells, dtype=np.float32).reshape(rows, 4, columns, 4).transpose(0, 2, 1, 3)
    return tiles.reshape(rows * columns, 16) / 255
