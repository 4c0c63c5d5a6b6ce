"""The report page's last section: commands, settings, hashes and versions to make it all again."""

from __future__ import annotations

from collections.abc import Iterator

from corpus import files
from viz import bundles, rebuild, report_corpus
from viz.facts import Facts
from viz.page import table, text
from viz.report_models import name_of


def rebuilding(facts: Facts) -> Iterator[str]:
    """Commands for the corpus and for every model; what is not the default; hashes."""
    yield '<h2 id="rebuild">How to make it again</h2>'
    settings = rebuild.of_corpus(facts.config)
    targets = " ".join(
        target
        for target, report in zip(
            ("ingest", "genres", "subsets"),
            (facts.ingest, facts.genres, facts.subsets),
            strict=True,
        )
        if report
    )
    yield _shell(rebuild.command(settings, targets or "ingest", facts.config.data))
    yield from _commands_of_models(facts)
    if settings:
        rows = [
            [f'<code class="word">{text(key)}</code>', f"<code>{text(value)}</code>"]
            for key, value in settings.items()
        ]
        yield table("Settings of the corpus that are not the default", ["setting", "value"], rows)
    yield from _hashes(facts)


def _shell(command: str) -> str:
    return f"<pre><code>{text(command)}</code></pre>"


def _commands_of_models(facts: Facts) -> Iterator[str]:
    """One command for the models that were trained alike, as their files say."""
    commands: dict[str, list[str]] = {}
    for model, jobs in facts.models.items():
        for folder, report in jobs.items():
            path = files.join(facts.config.data, "models", model, folder)
            settings = bundles.settings_of(facts.config, path, report)
            if settings is not None:
                told = {"train.model": settings.train.model} | rebuild.of_model(settings)
                command = rebuild.command(told, "examples train sample", facts.config.data)
                commands.setdefault(command, []).append(f"{model}, {name_of(folder, report)}")
    for command, names in commands.items():
        yield f"<p>{text('; '.join(names))}:</p>{_shell(command)}"


def _hashes(facts: Facts) -> Iterator[str]:
    yield (
        "<p>The same settings, input and versions give the same hashes. That of ingest's input is "
        "made of names, sizes and times of files, and may differ from machine to machine.</p>"
    )
    rows = []
    for ran in report_corpus.stages(facts):
        report = ran.report
        hashes = (report.config_hash, report.input_hash, report.output_hash)
        short = [
            f'<code class="word" title="{text(found)}">{text(found[:12])}</code>'
            for found in hashes
        ]
        versions = ", ".join(f"{name} {v}" for name, v in sorted(report.versions.items()))
        rows.append([text(ran.name), *short, text(versions)])
    head = ["stage", "settings", "input", "output", "versions"]
    yield table("SHA-256 of settings, input and output: the first 12 digits", head, rows)
