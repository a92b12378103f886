"""What is read back as an analysis, and what is said of a text that is none."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from img2prompt.prompts import AnalysisError, read_analysis
from img2prompt.tests.unit.prompts.examples import CAFE

FIELDS: dict[str, Any] = CAFE.model_dump(mode="json")


def test_what_was_written_is_read() -> None:
    assert read_analysis(CAFE.model_dump_json()) == CAFE
    assert read_analysis(json.dumps(FIELDS, indent=2)) == CAFE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the text is empty; connect the output 'analysis'"),
        (" \n", "the text is empty"),
        ("a woman, red hair", "not JSON: Expecting value: line 1 column 1 (char 0)); connect the output 'analysis'"),
        ('{"caption": "cut', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "though it is JSON; connect the output 'analysis'"),
        ("17", "though it is JSON"),
        ('{"prompt": "a cat"}', "though it is JSON"),
        (json.dumps(FIELDS | {"aura": "gold"}), "does not fit this version of Img2Prompt (aura: Extra inputs"),
        (json.dumps({k: v for k, v in FIELDS.items() if k != "lens"}), "(lens: Field required); look at the picture"),
        (json.dumps(FIELDS | {"medium": "hologram"}), "(medium: Input should be"),
        (json.dumps(FIELDS | {"caption": "\ud800"}), "(caption: "),
        (json.dumps(FIELDS | {"style": FIELDS["style"] | {"era": 7}}), "(style.era: "),
    ],
)
def test_what_is_no_analysis(text: str, says: str) -> None:
    with pytest.raises(AnalysisError, match=re.escape(says)) as raised:
        read_analysis(text)
    assert len(str(raised.value)) < 260
