"""The crossover page: artists by PCA and t-SNE in 2-D and 3-D, and what their genres share.

plotly.js lies in the page, packed, and starts after the page is shown. Its SVG points need
neither WebGL nor code made of text; thousands of points get WebGL, for which plotly.js compiles
its drawing commands, so only such a page allows that in its policy.
"""

from __future__ import annotations

import base64
import functools
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
from plotly import offline

from corpus.agreement import MIN_ARTISTS, agreement
from corpus.config import Config
from corpus.layout import CROSSOVER_DRAWING, CROSSOVER_PICTURE, CROSSOVER_TABLE, Layout
from corpus.records import ArtistGenres, Track
from viz import crossover_charts as charts
from viz import crossover_data, page, projection
from viz.crossover_data import Family
from viz.page import text

_MANY_POINTS = 4000
_COMMONEST = 25
_SHAPES = {
    "circle": '<circle r="5"/>',
    "square": '<path d="M-4.6-4.6h9.2v9.2h-9.2z"/>',
    "triangle-up": '<path d="M0-6 5.6 4.2H-5.6z"/>',
    "diamond": '<path d="M0-6 6 0 0 6-6 0z"/>',
    "triangle-down": '<path d="M0 6 5.6-4.2H-5.6z"/>',
    "cross": '<path d="M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z"/>',
    "triangle-left": '<path d="M-6 0 4.2 5.6V-5.6z"/>',
    "x": '<path transform="rotate(45)" d="M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z"/>',
    "triangle-right": '<path d="M6 0-4.2 5.6V-5.6z"/>',
}  # fmt: skip
_PICTURES = {
    "tsne": "t-SNE, 2-D",
    "tsne3": "t-SNE, 3-D",
    "pca": "PCA, 2-D",
    "pca3": "PCA, 3-D",
}


def crossover_page(
    frame: pd.DataFrame,
    rows: Sequence[ArtistGenres],
    tracks: Mapping[str, Sequence[Track]],
    config: Config,
) -> str:
    """The whole page.

    Args:
      frame: of `projection.coordinates(rows, ...)`.
      rows: the table of artists' genres.
      tracks: artist -> tracks, of `crossover_data.tracks_of`.
      config: for [viz], the seed, and where the music lies.
    """
    viz = config.viz
    shown = crossover_data.families(frame, viz.max_families)
    matrix = projection.genre_matrix(rows)
    artists = frame["artist"].tolist()
    excerpts = crossover_data.excerpts(
        Layout(config.data), artists, tracks, viz.excerpt_seconds, viz.max_music_mb * 1e6
    )
    body = "\n".join(
        [
            _head(frame, matrix),
            _stage(shown, len(frame)),
            _commonest(matrix),
            _together(matrix),
            _agreement(rows),
            _trust(projection.trustworthiness(matrix, frame, config.seed), len(frame)),
        ]
    )
    return page.page(
        "Genre crossover",
        body,
        data={
            "crossover": crossover_data.columns(frame, rows, shown, tracks)
            | {"many": _MANY_POINTS, "few": len(frame) < projection.MIN_ARTISTS_FOR_TSNE},
            "songs": crossover_data.songs(artists, tracks),
            "music": excerpts,
            "plotly": plotly_packed(),
        },
        styles=[page.static("crossover.css")],
        scripts=[page.static("player.js"), page.static("crossover.js")],
        compiles=len(frame) > _MANY_POINTS,  # plotly does, for WebGL
    )


@functools.cache
def plotly_packed() -> str:
    """plotly.js as base64 of zlib: a third of its size."""
    return base64.b64encode(zlib.compress(offline.get_plotlyjs().encode(), 9)).decode()


def _head(frame: pd.DataFrame, matrix: pd.DataFrame) -> str:
    return (
        "<h1>How genres cross over</h1>"
        f"<p>{_number(len(frame), 'artist')} with {_number(matrix.shape[1], 'genre')}. A point is "
        "an artist; artists who share genres are near each other, and who plays in two styles "
        "stands between them. Point at one to see who it is, choose it to see and hear more.</p>"
        f'<p class="small soft">Beside this page: <a href="{CROSSOVER_TABLE}">the coordinates</a>, '
        f'and still pictures as <a href="{CROSSOVER_PICTURE}">PNG</a> and '
        f'<a href="{CROSSOVER_DRAWING}">SVG</a>.</p>'
    )


def _number(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def _stage(shown: Sequence[Family], num_artists: int) -> str:
    """Controls, the picture, its legend and the panel; crossover.js fills the last three."""
    note = (
        '<p class="small soft">With fewer than five artists t-SNE has no neighbors to work with; '
        "its pictures are PCA's.</p>"
        if num_artists < projection.MIN_ARTISTS_FOR_TSNE
        else ""
    )
    return f"""
<div class="controls">
{_choice("Projection", "method", [("tsne", "t-SNE"), ("pca", "PCA")])}
{_choice("Dimensions", "size", [("2", "2-D"), ("3", "3-D")])}
{_choice("Colors", "paint", [("family", "family"), ("fade", "fade")])}
<div class="search"><label class="unseen" for="find">Find an artist</label>
<input id="find" type="search" placeholder="Find an artist" autocomplete="off" spellcheck="false"
 role="combobox" aria-expanded="false" aria-controls="hits" aria-autocomplete="list">
<ul id="hits" role="listbox" aria-label="Artists found" hidden></ul></div>
<button type="button" id="reset">Reset</button>
</div>{note}
<div class="stage">
<div class="picture">
<div class="views" id="views">
<div id="flat" role="img"></div><div id="solid" role="img" hidden></div>
<p id="wait" class="soft">Drawing {_number(num_artists, "point")} …</p>
<div id="tip" role="tooltip" hidden></div></div>
<p id="said" class="small soft" role="status"></p>
<ul class="families" id="families" aria-label="Families of genres">
{"".join(_legend_item(at, family) for at, family in enumerate(shown) if family.artists)}</ul>
<p class="small soft" id="hint">Color: the family that an artist's genres speak for, rare ones
louder. Press a family to hide or show it, twice to see it alone.</p>
</div>
<aside id="panel" aria-label="The chosen artist" aria-live="polite"><p class="soft">No artist is
chosen. Press a point, or find one by name.</p></aside>
</div>
<noscript><p>The picture needs JavaScript; {CROSSOVER_PICTURE}, beside this page, has it as a still
image.</p></noscript>"""


def _choice(label: str, name: str, options: Sequence[tuple[str, str]]) -> str:
    buttons = "".join(
        f'<button type="button" data-{name}="{value}" aria-pressed="{str(not at).lower()}">'
        f"{text(word)}</button>"
        for at, (value, word) in enumerate(options)
    )
    return f'<div class="choice" role="group" aria-label="{text(label)}">{buttons}</div>'


def _legend_item(at: int, family: Family) -> str:
    return (
        f'<li><button type="button" data-family="{at}" aria-pressed="true">'
        f'<svg class="swatch" viewBox="-7 -7 14 14" aria-hidden="true" '
        f'style="--light:{family.light};--dark:{family.dark}">{_SHAPES[family.symbol]}</svg>'
        f'{text(family.name)} <span class="soft">{family.artists:,}</span></button></li>'
    )


def _commonest(matrix: pd.DataFrame) -> str:
    values = projection.as_sparse(matrix)
    counts = Counter(
        dict(zip(map(str, matrix.columns), map(int, values.sum(axis=0).A1), strict=True))
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    per_artist = values.getnnz(axis=1).tolist()
    kinds = charts.bars(
        f"The commonest {min(_COMMONEST, len(ranked))} of {_number(len(ranked), 'genre')}",
        ("genre", "artists"),
        ranked[:_COMMONEST],
    )
    spread = charts.bars(
        "Artists per genre", ("a genre has", "genres"), charts.spread([*counts.values()], "artist")
    )
    loads = charts.bars(
        "Genres per artist", ("an artist has", "artists"), charts.spread(per_artist, "genre")
    )
    return (
        '<section><h2>Which genres are common</h2><div class="beside">'
        f"<div>{kinds}</div><div>{spread}{loads}</div></div></section>"
    )


def _together(matrix: pd.DataFrame) -> str:
    found = charts.overlap(matrix)
    listed = page.table(
        "Pairs of genres with most artists in common",
        ("genre", "and", "artists of both", "of those of either"),
        [(text(a), text(b), f"{n:,}", f"{share:.0%}") for a, b, n, share in charts.pairs(found)],
    )
    return (
        "<section><h2>Which genres go together</h2>"
        f"<p>The {len(found.genres)} commonest genres, ordered so that those that share artists "
        "stand side by side (average linkage of Jaccard distances). The stronger the color, the "
        f"more of the artists of either genre play both.</p>{charts.heat_scale(found)}"
        '<div class="heated"><div class="scroll" role="region" tabindex="0" '
        f'aria-label="Genres by genres">{charts.heat_map(found)}</div>{listed}</div></section>'
    )


def _agreement(rows: Sequence[ArtistGenres]) -> str:
    who = sorted({row.provider for row in rows if row.genre})
    found = agreement(rows)
    if len(who) < 2:
        told = (
            f"<p>All labels are {text(who[0])}'s: with one provider there is nothing to compare. "
            "<code>PROVIDERS=table,wikidata</code>, for instance, asks two.</p>"
        )
    elif not found:
        told = (
            f"<p>{text(', '.join(who))}: no two of them know {MIN_ARTISTS} artists in common, "
            "which is too few to compare.</p>"
        )
    else:
        told = _kappas(found)
    return f"<section><h2>How far the providers agree</h2>{told}</section>"


def _kappas(found: Mapping[str, Mapping[str, float]]) -> str:
    families = sorted({family for table in found.values() for family in table})
    rows = [
        (text(family), *(f"{t[family]:.3f}" if family in t else "–" for t in found.values()))
        for family in families
    ]
    return (
        "<p>Cohen's kappa for each family, over the artists that both have a genre for: 1 is full "
        "agreement, 0 is what chance would give.</p>"
        + page.table("Agreement of providers by family", ("family", *found), rows)
    )


def _trust(found: Mapping[str, float], num_artists: int) -> str:
    if not found:
        told = "<p>With so few artists there are no neighborhoods to judge.</p>"
    else:
        told = (
            "<p>Trustworthiness, 0 to 1: whether the nearest points of an artist are its nearest "
            "by genres, too. Near 1, neighbors can be believed; where it is low, artists are side "
            "by side who have little in common. It says nothing of distances between far "
            "groups.</p>"
            + page.table(
                "Trustworthiness of each picture",
                ("picture", "trustworthiness"),
                [(name, f"{found[key]:.3f}") for key, name in _PICTURES.items()],
            )
        )
    return f"<section><h2>How far the pictures can be trusted</h2>{told}</section>"
