"""A saved result is a side again: measured with today's references, on the same pictures, and nothing else is taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from img2prompt.evaluation.comparison import Comparison
from img2prompt.evaluation.contenders import Asking
from img2prompt.evaluation.document import write, write_whole
from img2prompt.evaluation.errors import BadComparison, EvaluationError
from img2prompt.evaluation.lines import notes, rows
from img2prompt.evaluation.references import Reference, read_references
from img2prompt.evaluation.run import run
from img2prompt.evaluation.saved import Saved, in_common, read_saved
from img2prompt.evaluation.tag_sets import TagSets
from img2prompt.prompts import load_family
from img2prompt.tests.seeing import draw
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.evaluation.conftest import MakeContender
from img2prompt.tests.unit.evaluation.sides import answered, failed, pictures, ran

TAG_SETS = TagSets()
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def known(tmp_path: Path) -> list[Reference]:
    """Four pictures, all of other pixels, as they are read from a file."""
    for number, color in enumerate(("red", "green", "blue", "pink")):
        draw(color).save(tmp_path / f"{number}.png")
    lines = [{"image": f"{number}.png", "tags": "sky, tree", "caption": f"Picture {number}."} for number in range(4)]
    return references(tmp_path, *lines)


def references(folder: Path, *lines: dict[str, str]) -> list[Reference]:
    (folder / "references.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return read_references(folder / "references.jsonl")


def saved(file: Path, known: list[Reference], text: str = "") -> Saved:
    """The side of a result of these pictures, of which it failed at the second."""
    outcomes = [failed() if number == 1 else answered(0.5) for number in range(len(known))]
    write_whole(file, "references.jsonl", Comparison(known, [ran(outcomes)]))
    found = read_saved(text or f"saved={file}")
    assert found
    return found


def test_read_again_it_is_the_run_that_was_saved(
    server: SeeingServer, known: list[Reference], contender: MakeContender, tmp_path: Path
) -> None:
    server.control.script = [{"content": "A cat."}, {"finish_reason": "length"}]
    side = contender(Asking("noobai", seed=4), temperature=0.25, max_pixels=70_000, api_key="secret-key")
    done = run(side, known, TAG_SETS)
    file = tmp_path / "a result.json"
    write_whole(file, "references.jsonl", Comparison(known, [done]))
    requests = server.counts.requests
    again = read_saved(f"saved='{file}'")
    assert again
    there = again.run(known, TAG_SETS)
    assert there.side == replace(done.side, label=f"saved='{file}'")
    assert (there.engine, there.model, there.pictures) == (done.engine, done.model, 4)
    assert there.wall_s == pytest.approx(done.wall_s, abs=1e-3)
    for one, other in zip(there.outcomes, done.outcomes, strict=True):
        assert (one.written, one.failure, one.message, one.asked, one.tags) == (
            *(other.written, other.failure, other.message, other.asked, other.tags),
        )
        assert one.scores == pytest.approx(other.scores, abs=1e-6)
        assert {**one.scores, "seconds": 0} == {**other.scores, "seconds": 0}, "texts are measured to the last digit"
    both = Comparison(known, [done, there])
    assert {row.verdict for row in rows(both, 1)} == {"same", ""}
    assert server.counts.requests == requests
    assert "secret-key" not in file.read_text(encoding="utf-8")


def test_it_is_measured_by_what_is_known_now_and_says_so(known: list[Reference], tmp_path: Path) -> None:
    side = saved(tmp_path / "a.json", known)
    corrected = [replace(known[0], tags=("sky", "bench")), *known[1:]]
    kept, said = in_common(corrected, [side])
    assert kept == corrected
    assert len(said) == 1 and "What is known of 1 of 4 pictures, such as 0.png, changed since" in said[0]
    assert [one.scores.get("tag_f1") for one in side.run(kept, TAG_SETS).outcomes] == [1, None, 0.5, 0.5]


def test_the_compared_families_words_count_nowhere(known: list[Reference], tmp_path: Path) -> None:
    """As on the side which it meets now, whatever it was saved beside."""
    file = tmp_path / "a.json"
    saved(file, known)
    file.write_text(file.read_text().replace('"sky, bench"', '"safe, sky"'))
    side = read_saved(f"saved={file}")
    assert side
    pony, noobai = (TagSets([load_family(name)]) for name in ("pony", "noobai"))
    assert side.run(known, pony).outcomes[0].tags == {"safe", "sky"}
    assert side.run(known, noobai).outcomes[0].tags == {"sky"}


def test_pictures_that_it_lacks_are_left_out_and_told(known: list[Reference], tmp_path: Path) -> None:
    side = saved(tmp_path / "a.json", known[:3])
    draw("yellow").save(known[2].image)
    now = references(tmp_path, *({"image": one.name, "tags": "sky, tree", "caption": one.caption} for one in known))
    kept, said = in_common(now, [side])
    assert [one.name for one in kept] == ["0.png", "1.png"]
    assert said == [
        f"{tmp_path / 'a.json'} lacks 2 of 4 pictures, such as 2.png; 1 of them changed since, such as 2.png. They are "
        "left out on every side."
    ]
    there = side.run(kept, TAG_SETS)
    assert (len(there.outcomes), there.pictures_per_s) == (2, 0.75), "the time was for three"
    made = Comparison(kept, [there], remarks=said)
    assert said[0] in notes(made)


def test_a_picture_is_known_by_its_content_and_not_its_name(known: list[Reference], tmp_path: Path) -> None:
    side = saved(tmp_path / "a.json", known)
    known[0].image.rename(tmp_path / "moved.png")
    now = references(tmp_path, {"image": "3.png", "tags": "sky"}, {"image": "moved.png", "tags": "sky"})
    assert side.places(now) == [3, 0]
    assert in_common(known[:1], [side])[1] == []


def test_of_a_picture_that_is_there_twice_one_result_is_one_lines(tmp_path: Path) -> None:
    draw("red").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.png").read_bytes())
    once = references(tmp_path, {"image": "b.png", "tags": "sky"})
    twice = references(tmp_path, {"image": "a.png", "tags": "sky"}, {"image": "b.png", "tags": "sky"})
    side = saved(tmp_path / "1.json", once)
    assert side.places(twice) == [None, 0], "by its name first"
    both = saved(tmp_path / "2.json", twice)
    assert both.places([*twice[::-1], twice[0]]) == [1, 0, None]
    assert [one.name for one in in_common(twice, [side, both])[0]] == ["b.png"]


def test_other_pictures_are_no_comparison(known: list[Reference], tmp_path: Path) -> None:
    side = saved(tmp_path / "a.json", known[:2])
    with pytest.raises(BadComparison, match=r"No picture is common .*a\.json lacks 2 of 2 pictures, such as 2\.png"):
        in_common(known[2:], [side])
    unreadable = [replace(known[0], digest="")]
    with pytest.raises(BadComparison, match="No picture is common"):
        in_common(unreadable, [saved(tmp_path / "b.json", unreadable)])


def test_of_several_sides_one_is_named(known: list[Reference], tmp_path: Path) -> None:
    file = tmp_path / "two.json"
    sides = [ran([answered(0.5)] * 4), ran([failed()] * 4, "model=b")]
    write_whole(file, "references.jsonl", Comparison(known, sides))
    second = read_saved(f"saved={file} side=b")
    assert second and second.run(known, TAG_SETS).failures == {"BadAnswer": 4}
    assert second.side.label == f"saved={file} side=b (model=b)"
    for text in (f"saved={file}", f"saved={file} side=C", f"saved={file} side=AB"):
        with pytest.raises(
            BadComparison, match=r"holds 2 sides; say which: side=A \(own settings\), side=B \(model=b\)"
        ):
            read_saved(text)
    one = tmp_path / "one.json"
    assert saved(one, known, f"saved={one} side=A").column == 0
    with pytest.raises(BadComparison, match="holds 1 side; say which"):
        read_saved(f"saved={one} side=B")


def test_what_names_no_saved_result(known: list[Reference], tmp_path: Path) -> None:
    saved(tmp_path / "a.json", known)
    assert read_saved("model=b") is None
    with pytest.raises(BadComparison, match="so model cannot change it"):
        read_saved(f"saved={tmp_path / 'a.json'} model=b")


def without(key: str) -> Change:
    return lambda document: document["results"][2]["sides"][0].pop(key)


BROKEN: list[tuple[Change, str]] = [
    (lambda document: document.pop("version"), "written by an older img2prompt"),
    (lambda document: document.update(version=2), "written by a newer img2prompt"),
    (lambda document: document.update(version="1"), "no result of an evaluation"),
    (lambda document: document.update(kind="benchmark"), "no result of an evaluation"),
    (lambda document: document.pop("sides"), "no result of an evaluation"),
    (lambda document: document.update(sides=[]), "is damaged (sides"),
    (without("prompt"), "is damaged (results.2.sides.0.prompt: Field required)"),
    (without("model_tags"), "is damaged (results.2.sides.0.model_tags"),
    (lambda document: document["results"][1]["sides"].pop(), "is damaged (1.png lacks a side)"),
    (lambda document: document["results"][0]["sides"][0].update(seconds=float("nan")), "seconds"),
    (lambda document: document["sides"][0].update(wall_s=-1), "is damaged (sides.0.wall_s"),
    (lambda document: document["sides"][0]["asked"].update(seed="x"), "is damaged (sides.0.asked"),
    (lambda document: document["sides"][0]["asked"].update(family="mine"), "for a family that is not here"),
]


@pytest.mark.parametrize(("change", "says"), BROKEN, ids=[says for _, says in BROKEN])
def test_a_file_that_is_none(known: list[Reference], tmp_path: Path, change: Change, says: str) -> None:
    file = tmp_path / "a.json"
    saved(file, known)
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    with pytest.raises(BadComparison) as error:
        read_saved(f"saved={file}")
    assert str(file) in str(error.value) and says in str(error.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is damaged, or no saved result"),
        (b'{"kind": "img2prompt evaluation", "ver', "is damaged, or no saved result"),
        (b"[" * 100_000, "is damaged, or no saved result"),
        (b'{"kind": "\xe9"}', "is damaged, or no saved result"),
        (b"[]", "is no result of an evaluation"),
        (b'{"image": "1.png", "tags": "a"}', "is no result of an evaluation"),
        (None, "cannot be read"),
    ],
)
def test_another_file(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(BadComparison, match=says):
        read_saved(f"saved={tmp_path / 'a.json'}")


def test_a_foreign_prompt_cannot_end_it_without_a_word(known: list[Reference], tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    saved(file, known)
    document = json.loads(file.read_text())
    document["results"][3]["sides"][0]["prompt"] = "(" * 100 + ")" * 100
    file.write_text(json.dumps(document))
    side = read_saved(f"saved={file}")
    assert side
    with pytest.raises(BadComparison, match=r"a\.json, 3\.png: Parentheses nest"):
        side.run(known, TAG_SETS)


def test_names_that_no_file_can_hold_are_written_all_the_same(tmp_path: Path) -> None:
    known = [replace(one, name=f"\udcff{one.name}", caption="\ud83d") for one in pictures(tmp_path, 2)]
    write_whole(tmp_path / "a.json", "\udcff.jsonl", Comparison(known, [ran([answered(0.5)] * 2)]))
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert (document["references"], document["results"][1]["image"]) == ("?.jsonl", "?1.png")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write(file, "new\udcff")
    assert file.read_text() == "old" and list(tmp_path.glob(".*")) == []
    with pytest.raises(EvaluationError, match="cannot be written"):
        write(tmp_path / "no" / "a.json", "new")
