"""The picture sheet: one page that shows what was asked and what was found, best first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.core.media_card import MediaCard
from pipeline.reporting.content import make_card
from pipeline.reporting.options import ReportOptions
from pipeline.reporting.page_assets import TEMPLATES, jinja_environment, style_and_script
from pipeline.search.contents import read_contents
from pipeline.store.trees.consistent_read import consistent_read

if TYPE_CHECKING:
    from pipeline.search.hits import Hit
    from pipeline.search.question import Question
    from pipeline.store import Store

HERE = Path(__file__).parent
SHOW = ReportOptions.model_validate({"picture": 320, "clip": 6.0})


@consistent_read
def sheet(
    store: Store, name: str, put: Question, hits: Sequence[Hit], where: str | None = None
) -> str:
    """HTML that needs no other file and asks no host: pictures, words, sounds, scores.

    Parameters
    ----------
    name:
        The feature set that was asked.
    """
    modalities = list(dict.fromkeys(modality for hit in hits for modality in hit.digests))
    cards_by_modality = {modality: _cards(store, modality, hits) for modality in modalities}
    return (
        jinja_environment(HERE, TEMPLATES)
        .get_template("page.html")
        .render(
            asked=put,
            question=None if put.content is None else make_card(put.modality, put.content, SHOW),
            name=name,
            rows=len(store[name]),
            tree=store.tree.name,
            where=where,
            cards=[
                (
                    hit,
                    [
                        cards_by_modality[m][d]
                        for m, d in hit.digests.items()
                        if d in cards_by_modality[m]
                    ],
                )
                for hit in hits
            ],
            **style_and_script(HERE / "page.css"),
        )
    )


def _cards(store: Store, modality: str, hits: Iterable[Hit]) -> dict[str, MediaCard]:
    """Digest → how a modality's assets are shown, of those for which there is a way."""
    digests = {hit.digests[modality] for hit in hits if modality in hit.digests}
    cards = {
        digest: make_card(modality, content, SHOW)
        for digest, content in read_contents(store.tree, modality, digests).items()
    }
    return {digest: card for digest, card in cards.items() if card is not None}
