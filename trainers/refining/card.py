"""The card of refining nets, and the table of what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trainers.refining.bundles import RefineInfo
from trainers.refining.measuring import GROUPS
from trainers.refining.nets import DURATIONS, VELOCITIES

CARD = "MODEL_CARD.md"
DURATION_COLUMNS = (
    "genre", "notes of", "notes", "as is", "on a grid", "constant", "net", "of as is", "halved",
    "ms", "net ms", "off grid", "net off grid", "touched",
)  # fmt: skip
VELOCITY_COLUMNS = (
    "genre", "notes of", "notes", "constant", "net", "of constant", "80 %", "constant of piece",
    "level", "net at level", "of piece's",
)  # fmt: skip
_Rows = list[dict[str, str]]
_HALF, _AIM = 0.5, 0.8


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def duration_rows(measured: Mapping[str, Any]) -> _Rows:
    """Rows of DURATION_COLUMNS; errors in percent of a note's length."""
    rows = []
    for genre, groups in measured.items():
        for group, f in groups.get(DURATIONS, {}).items():
            cells = [
                genre, group, f"{f['notes']:,.0f}", _percent(f["as_is"]), _percent(f["snapped"]),
                _percent(f["constant"]), _percent(f["net"]), f"{f['net'] / f['as_is']:.2f}",
                f"{f['pieces_reached']:.0f}/{f['pieces']:.0f}", f"{f['as_is_ms']:.1f}",
                f"{f['net_ms']:.1f}", f"{f['distorted_off_grid']:.3f}",
                f"{f['net_off_grid']:.3f}", _percent(f["touched"]),
            ]  # fmt: skip
            rows.append(dict(zip(DURATION_COLUMNS, cells, strict=True)))
    return rows


def velocity_rows(measured: Mapping[str, Any]) -> _Rows:
    """Rows of VELOCITY_COLUMNS; errors in velocities of 1 to 127."""
    rows = []
    for genre, groups in measured.items():
        for group, f in groups.get(VELOCITIES, {}).items():
            cells = [
                genre, group, f"{f['notes']:,.0f}", f"{f['constant']:.2f}", f"{f['net']:.2f}",
                _ratio(f["net"], f["constant"]), f"{f['pieces_reached']:.0f}/{f['pieces']:.0f}",
                f"{f['constant_of_piece']:.2f}", f"{f['level']:.2f}", f"{f['net_level']:.2f}",
                _ratio(f["net_level"], f["constant_of_piece"]),
            ]  # fmt: skip
            rows.append(dict(zip(VELOCITY_COLUMNS, cells, strict=True)))
    return rows


def _ratio(value: float, base: float) -> str:
    return f"{value / base:.2f}" if base else "-"


def verdicts(measured: Mapping[str, Any]) -> list[str]:
    """In words, for each genre, whether the nets do what they are for."""
    found = []
    for genre, groups in measured.items():
        lengths, velocities = groups.get(DURATIONS, {}), groups.get(VELOCITIES, {})
        found += [_of_lengths(f"{genre}, {group}", f) for group, f in lengths.items()]
        for group, f in velocities.items():
            if group not in GROUPS and f["constant"] and f["level"]:
                found += [_of_velocities(f"{genre}, {group}", f), _at_level(f"{genre}, {group}", f)]
    return found


def _of_lengths(name: str, f: Mapping[str, float]) -> str:
    share = f["net"] / f["as_is"]
    words = "less than half" if share < _HALF else "NOT less than half"
    return f"{name}: distorted lengths come back with {words} of the error ({100 * share:.0f} %)"


def _of_velocities(name: str, f: Mapping[str, float]) -> str:
    share = f["net"] / f["constant"]
    words = "reaches" if share <= _AIM else "does NOT reach"
    return (
        f"{name}: told nothing of velocities, the net's error is {100 * share:.0f} % of the best "
        f"constant's of each pitch; that {words} the aim of {100 * _AIM:.0f} %"
    )


def _at_level(name: str, f: Mapping[str, float]) -> str:
    of_constant, of_level = f["net_level"] / f["constant"], f["net_level"] / f["level"]
    return (
        f"{name}: moved to the mean of each part, as it is by default, its error is "
        f"{100 * of_constant:.0f} % of the constant's, and {100 * of_level:.0f} % of what the mean "
        "alone gives"
    )


def model_card(info: RefineInfo, bundle_name: str) -> str:
    """Markdown; every figure is one of the bundle's header."""
    return "\n".join(_lines(info, bundle_name)) + "\n"


def _lines(info: RefineInfo, bundle_name: str) -> Iterator[str]:
    measured = info.metrics["measured"]
    yield f"# Refining nets: {info.genre}"
    yield ""
    yield "A Duration Net and a Velocity Net that GenreMill trained on"
    yield (
        f"{info.metrics['num_train']:,} pieces of {', '.join(info.genres)}; "
        f"velocities on {info.metrics['num_played']:,} of them, in which parts have dynamics."
    )
    yield ""
    yield f"    python -m trainers.refine --bundle {bundle_name} --durations in.mid out.mid"
    yield ""
    yield "## How well they do"
    yield ""
    yield "On the test pieces, which neither training nor the choice of weights has seen."
    yield ""
    yield from (f"- {sentence}" for sentence in verdicts(measured))
    yield ""
    yield "Lengths multiplied by 0.8 to 1.2 at random, each by itself. Mean absolute error in"
    yield "percent of what a note lasted; `off grid`: quarters between its end and the nearest"
    yield "sixteenth; `touched`: what the net does to notes that were never distorted."
    yield ""
    yield from _markdown(DURATION_COLUMNS, duration_rows(measured))
    yield ""
    yield "Velocities, mean absolute error. `constant`: of each pitch, from the training pieces;"
    yield "`net`: told nothing of velocities. `constant of piece`: of each pitch, from the piece's"
    yield "own velocities; `level`: each part's mean (each drum's); `net at level`: the net, moved"
    yield f"to that mean with {info.dynamics:g} of its dynamics. `played`: parts whose velocities"
    yield "differ by 2 and more, and constants of such parts: only from these the net learns."
    yield ""
    yield from _markdown(VELOCITY_COLUMNS, velocity_rows(measured))
    yield ""
    yield "## What to know"
    yield ""
    yield from (f"- {note}" for note in info.metrics["notes"])
    yield "- The Duration Net changes a length by a sixth less to a quarter more at most, and moves"
    yield "  no beginning."
    yield "- The Velocity Net says what is usual, which is smoother than what anybody plays. Where"
    yield f"  parts keep their mean, {info.dynamics:g} of the dynamics it finds are used, as fits"
    yield "  held-out pieces; `--strength 2` doubles that. How loud a part is, notes hardly tell."
    yield ""
    yield "## What they learned from"
    yield ""
    yield f"Subsets with the hash `{info.corpus_hash}`. Licenses of the tracks:"
    yield ""
    for name, count in info.licenses.items() or [("not known here", 0)]:
        yield f"- {name}: {count:,} tracks" if count else f"- {name}"
    yield ""
    yield "## Settings"
    yield ""
    for kind, hparams in sorted(info.hparams.items()):
        told = ", ".join(f"{name}={value}" for name, value in sorted(hparams.items()))
        yield f"- {kind}, weights of step {info.steps[kind]}: {told}"
    yield f"- seed: {info.seed}"
    yield from (f"- {name}: {version}" for name, version in sorted(info.versions.items()))


def _markdown(columns: Sequence[str], rows: _Rows) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(row[column] for column in columns)} |"
