"""Captions whose tags the model was asked about once more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from img2prompt.captions import caption
from img2prompt.prompts.errors import PromptError
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.captions.album import Album


def test_doubted_tags_are_left_out_and_the_analysis_has_the_numbers(
    album: Album, server: SeeingServer, tmp_path: Path
) -> None:
    album.add("a.png", "b.jpg", "c.webp")
    found = {}
    for least in (0.0, 0.5, 0.99):
        out = tmp_path / f"{least}.jsonl"
        assert caption(album.folder, jsonl=out, min_confidence=least).done == 3
        found[least] = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["file_name"] for row in found[0.5]] == ["a.png", "b.jpg", "c.webp"]
    for name, plain, sure, strict in zip(album.colors, *found.values(), strict=True):
        said = f"{album.colors[name]} center"
        assert said in plain["tags"]
        assert [row["analysis"]["tags"] for row in (plain, sure, strict)] == [two := plain["analysis"]["tags"], two, []]
        assert "tag_confidence" not in plain["analysis"]
        assert sure["analysis"]["tag_confidence"] == strict["analysis"]["tag_confidence"]
        assert 0.5 <= sure["analysis"]["tag_confidence"][said] < 0.99
    # a look at each, and a question for each of its two tags; four to learn the tokens of yes and no
    assert server.counts.requests == 3 + 2 * (9 + 4)


def test_no_probability_is_refused_before_anything_is_asked(album: Album, server: SeeingServer) -> None:
    with pytest.raises(PromptError, match="from 0 to 1"):
        caption(album.add("a.png").folder, min_confidence=2)
    assert server.counts.requests == 0
