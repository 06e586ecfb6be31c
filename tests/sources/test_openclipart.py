"""What drawings of the Open Clip Art Library say of themselves."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.core.records import Inline, Scan
from pipeline.raw.folders import LocalFolder
from pipeline.sources.openclipart import Options, scan

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
    (folder / "tools/latin.svg").write_bytes(b"<svg>\xe9</svg>")
    return folder


def scanned(folder: Path, **options) -> Scan:
    return scan(LocalFolder(batch(folder)), Options(**options))


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
        "text": Inline(b"bird, big bird", "animals/duck.svg"),
    }
    assert (duck.group, duck.licence) == ("Ann", "public domain")
    assert duck.attributes == {"name": "duck", "creator": "Ann", "description": "by hand"}
    bare = samples["tools/bare"]
    assert (bare.group, bare.licence, bare.targets["caption"]) == (None, None, None)
    assert "text" not in bare.assets
    assert samples["tools/saw"].targets["caption"] is None
    assert [refusal.subject for refusal in result.refused] == ["tools/latin.svg"]


def test_a_title_that_many_bear_is_of_a_series(tmp_path: Path) -> None:
    def captions(**options) -> list[str]:
        samples = scanned(tmp_path, **options).samples
        return sorted(sample.targets["caption"] or "" for sample in samples)

    assert captions() == ["", "", "A duck & a pond", *["Icons"] * 3]
    assert captions(series=2, titled=True) == ["A duck & a pond"]
    assert captions(topics=["tools"]) == ["", ""]
