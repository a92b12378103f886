"""Pages that are made from the code are current."""

from __future__ import annotations

from img2prompt.scripts import family_docs


def test_the_families_page_is_current() -> None:
    assert family_docs.PAGE.read_text(encoding="utf-8") == family_docs.page(), (
        "the families or the renderer changed: read what became of docs/families.md after "
        "`.environments/dev/bin/python scripts/family_docs.py`, and commit it"
    )
    assert family_docs.page().count("\n## ") == 13  # twelve families, and the example
