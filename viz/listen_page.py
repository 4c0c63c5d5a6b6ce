"""The listening page: a blind test, then every sample beside real music."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from corpus import reports
from viz import listen_pairs, music, page
from viz.listen_pairs import Pair
from viz.listen_real import Excerpt, RealMusic
from viz.listen_samples import Near, Sample, SampledGenre

_NO_PAIRS = (
    "There is no blind test: no piece of these genres was held out that the model's encoding can "
    "write. The subsets stage makes the splits."
)
_ABOUT_REAL = (
    "Real music is from pieces that the model was not trained on, as its encoding ({encoding}) "
    "keeps them, at the tempo of the samples: that is what it could have learned. Both are played "
    "by the same small synthesizer."
)
_NOT_EVALUATED = "<code>make evaluate</code> finds the training piece that is next to each sample."


@dataclass
class Sounds:
    """The packed music of a page, once each."""

    packed: list[str] = field(default_factory=list)

    def place(self, packed: str, name: str) -> str:
        """HTML where a script puts a roll and a button; a word where there is no music."""
        if not packed:
            return '<p class="soft small">no notes to play</p>'
        if packed not in self.packed:
            self.packed.append(packed)
        return (
            f'<div class="sound" data-music="{self.packed.index(packed)}" '
            f'data-name="{page.text(name)}"><canvas class="roll" role="img" '
            f'aria-label="Piano roll of {page.text(name)}"></canvas></div>'
        )


@dataclass(frozen=True)
class Compared:
    """The samples of a genre, the real music beside them, and how many seconds of that."""

    sampled: SampledGenre
    real: Sequence[Excerpt]
    seconds: float


def render(
    model: str,
    encoding: str,
    compared: Sequence[Compared],
    pairs: Sequence[Pair],
    real: RealMusic,
) -> str:
    """The page of a model."""
    title = f"Listening to {model}"
    sounds = Sounds()
    genres = [_genre(each, sounds, real) for each in compared]
    body = [
        f"<h1>{page.text(title)}</h1>",
        f"<p>{page.text(_ABOUT_REAL.format(encoding=encoding))}</p>",
        _test(pairs),
        '<details class="all"><summary><h2>All samples beside real music</h2></summary>'
        '<p class="soft">Open this after the test: it says which is which.</p>',
        *genres,
        "</details>",
    ]
    test = {"model": model, "key": reports.digest([model, pairs])[:16], "pairs": pairs}
    return page.page(
        title,
        "\n".join(body),
        data={"test": test, "music": sounds.packed},
        styles=[page.static("listen.css")],
        scripts=[page.static("player.js"), page.static("listen.js")],
    )


def _test(pairs: Sequence[Pair]) -> str:
    if not pairs:
        return f'<h2>Blind test</h2><p class="soft">{_NO_PAIRS}</p>'
    return (
        '<section aria-labelledby="blind"><h2 id="blind">Blind test</h2>'
        f"<p>{len(pairs)} pairs: one is by the model, the other by a person. Which is which?</p>"
        '<div id="test"></div></section>'
    )


def _genre(compared: Compared, sounds: Sounds, real: RealMusic) -> str:
    sampled = compared.sampled
    damaged = page.text(", ".join(sampled.damaged))
    parts = [
        f"<section><h3>{page.text(sampled.genre)}</h3>",
        _settings(sampled),
        f'<p class="bad">Cannot be read: {damaged}</p>' if damaged else "",
        "" if sampled.is_judged else f'<p class="soft small">{_NOT_EVALUATED}</p>',
        '<div class="pairs"><div><h4>Samples</h4>',
        *(_sample(sample, sampled.genre, sounds, real) for sample in sampled.samples),
        "</div><div><h4>Real music</h4>",
        *(_excerpt(excerpt, sounds, compared.seconds) for excerpt in compared.real),
        "" if compared.real else '<p class="soft">No piece was held out.</p>',
        "</div></div></section>",
    ]
    return "\n".join(parts)


def _settings(sampled: SampledGenre) -> str:
    told = ", ".join(f"{name} {value}" for name, value in sampled.settings.items())
    return (
        f'<p class="small">{sampled.steps_trained:,} steps of training. '
        f"Sampled with: {page.text(told)}</p>"
    )


def _sample(sample: Sample, genre: str, sounds: Sounds, real: RealMusic) -> str:
    packed = music.pack(sample.arrays, begin=music.first_onset(sample.arrays))
    heard = "".join(
        f'<audio controls preload="none" src="{page.text(path)}"></audio>' for path in sample.audio
    )
    near = [
        _near(words, near, genre, sounds, real)
        for words, near in (("in a row", sample.run), ("in order", sample.subsequence))
        if near is not None
    ]
    return (
        f'<article><h5><a href="{page.text(sample.path)}">{page.text(sample.name)}</a></h5>'
        f"{sounds.place(packed, sample.name)}{heard}{''.join(near)}</article>"
    )


def _near(words: str, near: Near, genre: str, sounds: Sounds, real: RealMusic) -> str:
    packed = real.training_music(genre, near.piece, near.place, listen_pairs.MAX_SECONDS)
    said = (
        f"{near.words} notes {words} in common ({100 * near.share:.0f} % of the sample) with "
        f"{near.piece}"
    )
    heard = sounds.place(packed, near.piece) if packed else "<p>not in the corpus any more</p>"
    return (
        f'<details class="near small"><summary>{page.text(said)}</summary>'
        f'<p class="soft">{page.text(near.place)}</p>{heard}</details>'
    )


def _excerpt(excerpt: Excerpt, sounds: Sounds, seconds: float) -> str:
    begin = music.first_onset(excerpt.arrays)
    packed = music.pack(excerpt.arrays, begin=begin, seconds=seconds)
    name = page.text(excerpt.name)
    return (
        f"<article><h5>{name}</h5>{sounds.place(packed, excerpt.name)}"
        f'<p class="soft small">{page.text(excerpt.split)}: {page.text(excerpt.made_by)}</p>'
        f'<details class="near small"><summary>the file itself</summary>'
        f"{sounds.place(excerpt.file_music, excerpt.name)}</details></article>"
    )
