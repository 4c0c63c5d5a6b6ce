"""The model card: what a bundle is, for those who get it from somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from corpus.records import SPLITS
from trainers.bundle import BundleInfo
from trainers.models import GENERATORS

CARD = "MODEL_CARD.md"


def model_card(info: BundleInfo, bundle_name: str) -> str:
    """Markdown; every figure is one of the bundle's header."""
    return "\n".join(_lines(info, bundle_name)) + "\n"


def _lines(info: BundleInfo, bundle_name: str) -> Iterator[str]:
    metrics = info.metrics
    yield f"# {info.model}: {info.genre}"
    yield ""
    yield f"A {info.model} that was trained by GenreMill on {metrics['num_train']:,} examples of "
    yield f"{', '.join(info.genres)} in the encoding `{info.feeding['encoding']}`."
    yield ""
    yield f"    python -m trainers.sample --bundle {bundle_name}"
    yield ""
    yield from _figures(info) if info.model in GENERATORS else _losses(info)
    yield ""
    for note in metrics.get("notes", []):
        yield f"- {note}"
    yield ""
    yield "## What it learned from"
    yield ""
    yield f"Examples with the hash `{info.corpus_hash}`. Licenses of the tracks:"
    yield ""
    for name, count in info.licenses.items() or [("not known here", 0)]:
        yield f"- {name}: {count:,} tracks" if count else f"- {name}"
    yield ""
    yield "A model can repeat what it has learned: check samples with"
    yield "`python -m trainers.evaluate`, and respect the licenses of the music."
    yield ""
    yield "## Settings"
    yield ""
    for name, value in sorted(info.hparams.items()):
        yield f"- {name}: {value}"
    yield f"- seed: {info.seed}"
    for name, version in sorted(info.versions.items()):
        yield f"- {name}: {version}"


def _losses(info: BundleInfo) -> Iterator[str]:
    """How well a model predicts."""
    metrics = info.metrics
    yield "## How well it predicts"
    yield ""
    yield "| split | examples | loss in nats per event | accuracy |"
    yield "|---|---|---|---|"
    for split in SPLITS:
        loss, accuracy = metrics.get(f"{split}_loss"), metrics.get(f"{split}_accuracy")
        shown = ("-" if loss is None else f"{loss:.3f}", "-" if loss is None else f"{accuracy:.3f}")
        yield f"| {split} | {metrics[f'num_{split}']:,} | {shown[0]} | {shown[1]} |"
    yield ""
    yield f"The weights are those of step {info.step}, where the validation loss was lowest."


def _figures(info: BundleInfo) -> Iterator[str]:
    """How a model that makes pieces whole did on each split, and what to expect of it."""
    metrics, model = info.metrics, GENERATORS[info.model].load()
    yield "## How well it works"
    yield ""
    yield model.about
    yield ""
    yield f"| figure | {' | '.join(SPLITS)} |"
    yield f"|---|{'---|' * len(SPLITS)}"
    counts = [f"{metrics[f'num_{split}']:,}" for split in SPLITS]
    yield f"| examples | {' | '.join(counts)} |"
    for name, words in model.figures.items():
        yield _row(words, [metrics["figures"][split].get(name) for split in SPLITS])
    yield ""
    has_best = any("validation_loss" in entry for entry in metrics["history"])
    kept = "where the held-out loss was lowest" if has_best else "the last"
    yield f"The weights are those of step {info.step}, {kept}."


def _row(words: str, values: Sequence[float | None]) -> str:
    shown = " | ".join("-" if value is None else f"{value:.3f}" for value in values)
    return f"| {words} | {shown} |"
