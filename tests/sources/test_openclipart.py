"""What drawings of the Open Clip Art Library say of themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.records import Inline, Scan
from pipeline.raw.folders import LocalFolder
from pipeline.sources import _packages
from pipeline.sources.openclipart import FetchOptions, Options, fetch, scan

SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg"><title>another</title><metadata><rdf:RDF><cc:Work>
<dc:creator><cc:Agent><dc:title>{creator}</dc:title></cc:Agent></dc:creator>
<dc:title>{title}</dc:title><dc:description>by hand</dc:description>
<dc:subject><rdf:Bag><rdf:li></rdf:li><rdf:li>bird</rdf:li><rdf:li> big
 bird</rdf:li><rdf:li>bird</rdf:li></rdf:Bag></dc:subject>
<cc:license rdf:resource="http://web.resource.org/cc/PublicDomain"/>
</cc:Work></rdf:RDF></metadata></svg>"""


def batch(folder: Path) -> Path:
    drawings = {
        "animals/duck.svg": SVG.format(title="A duck &amp; a pond", creator="Ann"),
        **{f"animals/icon{i}.svg": SVG.format(title="Icons", creator="Bo") for i in range(3)},
        "tools/saw.svg": SVG.format(title=" ", creator=""),
        "tools/bare.svg": "<svg/>",
        "README": "",
    }
    for path, text in drawings.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    return folder


def scanned(folder: Path, **options) -> Scan:
    """By way of a package, of which the batch is made as it is when it is fetched."""
    source, fetched = folder / "raw", folder / "fetched"
    source.mkdir(exist_ok=True)
    package = {"version": "1", "sha256": "0" * 64}
    asked = FetchOptions(version="1", tree="0" * 64, packages={"openclipart-svg": package})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_packages, "unpack_packages", lambda _, tree: batch(source).rename(tree))
        patch.setattr(_packages, "_check_tree", lambda tree, digest: None)
        fetch(fetched, asked)
    return scan(LocalFolder(fetched / "1"), Options(**options))


def test_a_drawing_says_its_title_keywords_creator_and_licence(tmp_path: Path) -> None:
    result = scanned(tmp_path)
    samples = {sample.sample_id: sample for sample in result.samples}
    duck = samples["animals/duck"]
    assert duck.targets == {
        "caption": "A duck & a pond",
        "keywords": json.dumps(["bird", "big bird"]),
        "folder": "animals",
    }
    assert duck.assets == {
        "image": "animals/duck.svg",
        "text": Inline(b"bird, big bird", "drawings.jsonl"),
    }
    assert (duck.group, duck.licence) == ("Ann", "public domain")
    assert duck.attributes == {"name": "duck", "creator": "Ann", "description": "by hand"}
    bare = samples["tools/bare"]
    assert (bare.group, bare.licence, bare.targets["caption"]) == (None, None, None)
    assert "text" not in bare.assets
    assert samples["tools/saw"].targets["caption"] is None
    assert not result.refused


def test_its_words_are_what_is_asked_for(tmp_path: Path) -> None:
    samples = scanned(tmp_path, words=["title", "keywords", "description"]).samples
    words = {sample.sample_id: sample.assets.get("text") for sample in samples}
    duck = "A duck & a pond. bird, big bird. by hand"
    assert words["animals/duck"] == Inline(duck.encode(), "drawings.jsonl")
    assert words["tools/saw"] == Inline(b"bird, big bird. by hand", "drawings.jsonl")
    assert words["tools/bare"] is None


def test_a_line_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "drawings.jsonl").write_text('{"path": "a/b.svg"}\n{"path": 3}\n')
    result = scan(LocalFolder(tmp_path), Options())
    assert [sample.sample_id for sample in result.samples] == ["a/b"]
    assert [refusal.subject for refusal in result.refused] == ["drawings.jsonl:2"]


def test_a_title_that_many_bear_is_of_a_series(tmp_path: Path) -> None:
    def captions(**options) -> list[str]:
        samples = scanned(tmp_path, **options).samples
        return sorted(sample.targets["caption"] or "" for sample in samples)

    assert captions() == ["", "", "A duck & a pond", *["Icons"] * 3]
    assert captions(series=2, titled=True) == ["A duck & a pond"]
    assert captions(topics=["tools"]) == ["", ""]
