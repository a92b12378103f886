"""Pictures in an S3 server: what is found, what is read, and what a store may refuse. No Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from img2prompt.captions import CaptionError, caption, stores
from img2prompt.captions.errors import StoreError
from img2prompt.captions.find import find
from img2prompt.captions.opening import opened
from img2prompt.engine import Engine
from img2prompt.engine.shared import bulk_engine
from img2prompt.tests.ray.store import SECRET, Store
from img2prompt.tests.seeing_server import SeeingServer
from img2prompt.tests.unit.captions.album import Album, drawn, json_rows, table

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore")


def names(*sources: Any) -> list[str]:
    return [found.name for found in find(*sources)]


@pytest.fixture(autouse=True)
def empty(store: Store) -> None:
    for one in store.client.list_objects_v2(Bucket=store.bucket).get("Contents", []):
        store.client.delete_object(Bucket=store.bucket, Key=one["Key"])
    stores._system.cache_clear()


@pytest.fixture
def server() -> Any:
    with SeeingServer() as server:
        yield server


@pytest.fixture
def engine(server: SeeingServer) -> Any:
    engine = bulk_engine([server.url])
    yield engine
    engine.close()


def test_a_folder_in_a_store_is_read_as_one_on_a_disk(store: Store, tmp_path: Path, engine: Engine) -> None:
    """Names, order, patterns, and the bytes of the table."""
    album = Album(tmp_path / "in").add("b.png", "a.JPG", "z/1.webp", "m n/ü/2.gif", "m n/1.png", "q?&#%20.png")
    album.add(".hidden.png", ".git/x.png")
    (album.folder / "notes.txt").touch()
    for file in album.folder.rglob("*"):
        if file.is_file():
            store.put(**{f"in/{file.relative_to(album.folder)}": file.read_bytes()})
    url = store.url("in")
    here = names(album.folder)
    assert len(here) == 6
    assert names(url) == names(url + "/") == names(f"{url}?region=us-east-1") == here
    assert names(url, store.url("in/z")) == [f"my-bucket/in/{name}" for name in here] + ["my-bucket/in/z/1.webp"]
    assert names(store.url("in/**/*.png")) == [f"my-bucket/in/{name}" for name in here if name.endswith(".png")]
    assert names(store.url("in/*.png")) == ["my-bucket/in/b.png", "my-bucket/in/q?&#%20.png"][:2]
    assert names(store.url("in/b.png")) == names([store.url("in/b.png")]) == ["my-bucket/in/b.png"]
    assert names(store.url()) == [f"in/{name}" for name in here]
    alone, there = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    assert caption(album.folder, jsonl=alone, engine=engine).done == 6
    assert caption(url, jsonl=there, engine=engine, min_confidence=0.01).done == 6
    assert [row["text"] for row in json_rows(there)] == [row["text"] for row in json_rows(alone)]
    assert caption(url, jsonl=alone, into=tmp_path / "beside", engine=engine).done == 6
    assert sum(1 for _ in (tmp_path / "beside").rglob("*.txt")) == 6
    assert caption(url, jsonl=alone, engine=engine).skipped == 6


def test_keys_that_no_folder_could_have(store: Store) -> None:
    """Each is told once, and the listing ends."""
    store.put(**{"in//a.png": b"1", "in/b.png": b"2", "in/x/../c.png": b"3", "in/": b"", "/d.png": b"4"})
    found = list(find(store.url("in")))
    assert [(one.name, bool(one.problem)) for one in found] in (
        [("/", True), ("b.png", False)],
        [("/", True), ("b.png", False), ("x/..", True)],
    )
    assert [one.problem for one in find(store.url()) if one.name == "/"] != []


def test_another_spelling_of_a_key_is_no_other_picture(store: Store, tmp_path: Path) -> None:
    """A store's tools would open the same object for it."""
    store.put(**{"in/a.png": b"1", "in/x/a.png": b"2"})
    odd = [store.url(key) for key in ("in/./a.png", "in//a.png", "in/x/../a.png")]
    found = list(find([store.url("in/a.png"), store.url("in/a.png").replace("s3", "S3"), *odd]))
    assert found[0].key == found[1].key
    for one in found[2:]:
        with pytest.raises(CaptionError, match=r"has a name with an empty part, '\.' or '\.\.' in it") as refused:
            opened(one)
        assert not isinstance(refused.value, StoreError)
    with pytest.raises(CaptionError, match="has a name with an empty part"):
        names(store.url("in//*.png"))


def test_names_that_look_like_patterns(store: Store) -> None:
    store.put(**{"in/a [1].png": b"1", "in/set [a]/b.png": b"2", "in/a 1.png": b"3"})
    assert names(store.url("in/a [1].png")) == ["my-bucket/in/a [1].png"]
    assert names(store.url("in/set [a]")) == ["b.png"]
    assert names(store.url("in/a [0-9].png")) == ["my-bucket/in/a 1.png"]


def test_tables_beside_an_odd_key(store: Store, tmp_path: Path) -> None:
    store.put(**{"in//x.png": b"1", "in/a.parquet": table(tmp_path / "a.parquet", range(2)).read_bytes()})
    assert [(one.name, bool(one.problem)) for one in find(store.url("in"))] == [
        *(("/", True), ("000.png", False), ("001.png", False)),
    ]


def test_what_a_store_refuses(store: Store, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(25):
        store.put(**{f"in/{number:02d}.png": drawn("red")})
    table = tmp_path / "a.jsonl"
    with (
        store.denied("s3:GetObject"),
        pytest.raises(StoreError, match=r"s3://my-bucket/in/19.png cannot .*ACCESS_DENIED"),
    ):
        caption(store.url("in"), jsonl=table, engine=engine)
    with pytest.raises(CaptionError, match=r"There is no s3://nobody/in; check the URL"):
        names("s3://nobody/in")
    with pytest.raises(StoreError, match=r"s3://nobody/ cannot be read \(NO_SUCH_BUCKET: "):
        names("s3://nobody")
    with pytest.raises(CaptionError, match=r"There is no s3://my-bucket/nothing; check"):
        names(store.url("nothing"))
    with pytest.raises(CaptionError, match=r"No picture matches s3://my-bucket/in/\*\.gif; check"):
        names(store.url("in/*.gif"))
    with pytest.raises(CaptionError, match="pyarrow knows no such http://"):
        names("http://127.0.0.1/in")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    stores._system.cache_clear()
    with pytest.raises(StoreError, match=r"ACCESS_DENIED\); check the URL, and the keys that this machine has"):
        opened(next(iter(find(store.url("in")))))


def test_what_has_gone_since_is_one_failure(store: Store, engine: Engine, tmp_path: Path) -> None:
    store.put(**{"in/a.png": drawn("red"), "in/b.png": drawn("blue"), "in/c.png": b"no picture"})
    found = list(find(store.url("in")))
    store.client.delete_object(Bucket=store.bucket, Key="in/a.png")
    with pytest.raises(CaptionError, match=r"There is no s3://my-bucket/in/a.png any more") as gone:
        opened(found[0])
    assert not isinstance(gone.value, StoreError)
    summary = caption(store.url("in"), jsonl=tmp_path / "a.jsonl", engine=engine)
    assert (summary.done, summary.failed) == (1, 1)
    assert "s3://my-bucket/in/c.png is not a picture" in summary.failures[0].why


def test_an_object_that_is_too_large_is_not_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "MOST_BYTES", 3)
    store.put(**{"in/a.png": b"1234"})
    with pytest.raises(CaptionError, match="is larger than"):
        opened(next(iter(find(store.url("in")))))


@pytest.mark.parametrize(
    "url",
    [
        f"s3://somebody:{SECRET}@bucket/in",
        f"s3://{SECRET}@bucket/in",
        f"s3://somebody:a/{SECRET}@bucket/in",
        f"s3://bucket/in?secret_key={SECRET}",
        f"s3://bucket/in?region=x&X-Amz-Signature={SECRET}",
        f"abfss://container:{SECRET}@account.dfs.core.windows.net/in",
    ],
)
def test_a_url_with_a_key_is_refused_and_not_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(CaptionError, match="carries a key") as refused:
        caption(url, jsonl=tmp_path / "a.jsonl")
    assert SECRET not in str(refused.value)
    with pytest.raises(CaptionError, match="carries a key") as beside:
        caption(url)
    assert SECRET not in str(beside.value)
