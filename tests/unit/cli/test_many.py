"""What `img2prompt caption` says of --ray's options where there is no --ray."""

from __future__ import annotations

from pathlib import Path

import pytest
from img2prompt.tests.unit.cli.conftest import Img2Prompt


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", 2], "--workers are Ray's; name its address, too (--ray local)."),
        (["--output", "s3://a/b"], "--output is written by Ray; add --ray"),
        (["--output", "s3://a/b", "--ray", "local", "--overwrite"], "--overwrite removes nothing at a URL"),
    ],
)
def test_options_that_do_not_go_together(img2prompt: Img2Prompt, tmp_path: Path, options: list[str], said: str) -> None:
    ended = img2prompt("caption", tmp_path, *options)
    assert ended.code == 2 and said in ended.err.replace("\n", " ")
