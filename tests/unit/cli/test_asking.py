"""The progress bar that a person sees on a terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from img2prompt.cli import asking
from img2prompt.tests.waiting import until
from rich.console import Console

LINE = "http://[fe80::1]:8000/v1 does not answer [/yet]"


def test_what_an_engine_tells_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(asking, "status_console", lambda: Console(file=shown, force_terminal=True, width=120))

    class Reporting:
        """What of an engine is used."""

        def ask_many(self, *_: object, report: Any, **__: object) -> list[object]:
            report(LINE)
            until(lambda: LINE in shown.getvalue())
            return []

    assert asking.ask(Reporting(), iter([]), 3) == []  # pyright: ignore[reportArgumentType]
