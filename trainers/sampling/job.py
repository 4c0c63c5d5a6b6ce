"""One genre's samples: from a bundle to files, a report beside them."""

from __future__ import annotations

import dataclasses
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from corpus import files, names, reports
from corpus.config import Config, SampleConfig, own_encoding
from corpus.encodings import EncodedExample, Encoding, to_midi
from corpus.records import StageReport
from trainers import bundle
from trainers.data import corpus_hash
from trainers.loading import Model, load_any
from trainers.models.base import SequenceModel
from trainers.models.generative import GenerativeModel
from trainers.sampling import page, sampler, whole
from trainers.sampling.beam import Search
from trainers.sampling.decoding import Strategy
from trainers.sampling.keys import parse_key
from trainers.sampling.plans import make_plan
from trainers.sweep import Variant

Load = Callable[[str], tuple[Model, Encoding, bundle.BundleInfo]]

PAGE = "sweep.html"
_NO_NAME, _LONGEST_NAME = re.compile(r"[^A-Za-z0-9.]+"), 80
NO_NOTES, NO_SENSE = "no_notes", "no_sense"


@dataclass(frozen=True)
class Target:
    """Where samples come from, and where they go.

    Attributes:
      path: of the bundle; model_hash: what it is known by.
      genre: that is sampled; trained: the genre that the bundle was trained for.
      folder: of the samples.
      is_ours: whether the folder is the stage's own, with a report; else files are only added.
      checks_corpus: whether the bundle must be of the examples that there are.
    """

    path: str
    model_hash: str
    genre: str
    trained: str
    folder: str
    is_ours: bool = True
    checks_corpus: bool = True


@dataclass(frozen=True)
class Sample:
    """What was sampled: its NoteSequence and its text; a reason where there is neither."""

    sequence: Any = None
    text: str | None = None
    reason: str = ""


class Job:
    """The samples of a target, or those of all variants of a sweep."""

    def __init__(
        self,
        config: Config,
        target: Target,
        variants: Sequence[tuple[Variant, Config]] = (),
        load: Load = load_any,
    ) -> None:
        """Takes the settings, those of the variants, and what loads a bundle."""
        self.config, self.target, self.variants, self._load = config, target, variants, load
        self.folder = target.folder
        if variants:
            by_genre = [] if target.is_ours else [names.slug(target.genre)]
            self.folder = files.join(target.folder, *by_genre, "sweep")
        settings = [each.sample for _, each in variants] or [config.sample]
        words = [variant.words for variant, _ in variants]
        primers = [files.sha256_of(s.primer_midi) for s in settings if _is_file(s.primer_midi)]
        shaping = [settings, words, primers, config.seed, target.genre, self._versions()]
        self.config_hash = reports.digest(shaping)

    def _versions(self) -> dict[str, str]:
        return reports.versions("torch", "note-seq", "numpy")

    def done(self) -> StageReport | None:
        """The report of an earlier run that did exactly this."""
        if not self.target.is_ours:
            return None
        return reports.done(
            self.folder, self.config_hash, self.target.model_hash, force=self.config.force
        )

    def run(self) -> StageReport:
        """Samples, writes the files and the report.

        Raises:
          ValueError: a bundle that cannot be used, or settings that do not fit it.
        """
        started = time.monotonic()
        info = self._checked()
        asked: list[tuple[Variant | None, Config]] = [*self.variants] or [(None, self.config)]
        made = [list(self._samples(each.sample)) for _, each in asked]  # errors before clearing
        if self.target.is_ours:
            reports.clear(self.folder)
        written: dict[str, str] = {}
        rows, rejected = [], Counter[str]()
        for (variant, each), samples in zip(asked, made, strict=True):
            cells = []
            for number, sample in enumerate(samples, start=1):
                found = self._write(sample, _name(self.target.genre, variant, number))
                written |= found
                rejected.update([sample.reason] if sample.reason else [])
                cells.append(_cell(sample, found))
            if variant is not None:
                rows.append(page.Row(variant.words, _affect(each.sample), cells))
        if rows:
            title = f"{info.model}: {self.target.genre}"
            text = page.page(title, rows)
            written[PAGE] = files.write_bytes(files.join(self.folder, PAGE), text.encode())
        inputs = sum(map(len, made))
        report = StageReport(
            stage="sample",
            unit="samples",
            config_hash=self.config_hash,
            input_hash=self.target.model_hash,
            versions=self._versions(),
            inputs=inputs,
            outputs=inputs - rejected.total(),
            rejected=dict(rejected),
            seconds=round(time.monotonic() - started, 3),
            files=written,
            details={
                "genre": self.target.genre,
                "steps_trained": info.step,
                "settings": _told(self.config),
            },
        )
        if self.target.is_ours:
            reports.write(self.folder, report)
        return report

    def _checked(self) -> bundle.BundleInfo:
        """The bundle's header, if it is the one that is wanted here."""
        path = self.target.path
        info = self._load(path)[2]
        if not self.target.checks_corpus:
            return info
        model, encoding = self.config.train.model, self.config.examples.encoding
        if (info.model, info.feeding["encoding"]) != (model, encoding):
            raise bundle.BundleError(
                f"{path} holds a {info.model} of {info.feeding['encoding']}, not a {model} of "
                f"{encoding}; sample it with --bundle"
            )
        if info.corpus_hash != corpus_hash(self.config, self.target.trained):
            raise ValueError(
                f"{path} was trained on other examples than there are now; run `make train` again"
            )
        return info

    def _samples(self, settings: SampleConfig) -> Iterator[Sample]:
        """The samples of one combination of settings."""
        model, encoding, info = self._load(self.target.path)
        decode: Callable[[EncodedExample], Any]
        if isinstance(model, GenerativeModel):
            found, decode = whole.sample(model, encoding, info, settings, self._seed())
        else:
            found, decode = self._grown(model, encoding, info, settings)
        for example in found:
            text = cast(Any, encoding).text(example) if hasattr(encoding, "text") else None
            yield _decoded(decode, example, text, is_music=info.feeding["encoding"] != "text")

    def _grown(
        self,
        model: SequenceModel,
        encoding: Encoding,
        info: bundle.BundleInfo,
        settings: SampleConfig,
    ) -> tuple[Iterator[EncodedExample], Callable[[EncodedExample], Any]]:
        """(samples of a model that predicts events, what decodes them)."""
        genres = info.genres
        genre = genres.index(self.target.genre) if len(genres) > 1 else 0
        plan = make_plan(encoding, info.examples_config(), settings, genre)
        found = sampler.sample(
            model,
            encoding,
            plan.beginning,
            plan.grammar,
            num_outputs=settings.num_outputs,
            seed=self._seed(),
            strategy=_strategy(settings),
            search=Search(settings.beam_size, settings.branch_factor, settings.steps_per_iteration),
        )
        return found, plan.sequence

    def _seed(self) -> int:
        """A seed of the genre's own, so that two genres do not share their draws."""
        return int(reports.digest([self.config.seed, self.target.genre])[:12], 16)

    def _write(self, sample: Sample, name: str) -> dict[str, str]:
        """Writes a sample's files; name -> hash of what was written."""
        if sample.reason:
            return {}
        contents: dict[str, bytes] = {}
        if sample.text is not None:
            contents[name + (".abc" if sample.sequence is not None else ".txt")] = _file_of(sample)
        if sample.sequence is not None:
            contents[name + ".mid"] = to_midi(sample.sequence)
        return {
            each: files.write_bytes(files.join(self.folder, each), data)
            for each, data in contents.items()
        }


def _is_file(path: str) -> bool:
    return bool(path) and files.exists(path)


def _name(genre: str, variant: Variant | None, number: int) -> str:
    """A file's name without its ending; those of a sweep are none that a later stage clears."""
    if variant is None:
        return f"{names.slug(genre)}_{number:02d}"
    words = _NO_NAME.sub("_", variant.words)[:_LONGEST_NAME]
    return f"{variant.index + 1:02d}-{words}-{number:02d}"


def _told(config: Config) -> dict[str, object]:
    """What shaped the samples, for those who look at them: of most settings, what is no default."""
    usual = dataclasses.asdict(SampleConfig())
    changed = {
        name: value
        for name, value in dataclasses.asdict(config.sample).items()
        if value != usual[name] and name != "num_outputs"
    }
    always = {"temperature": config.sample.temperature, "strategy": config.sample.strategy}
    return {"seed": config.seed, **always, **changed}


def _strategy(settings: SampleConfig) -> Strategy:
    return Strategy(
        settings.strategy,
        settings.temperature,
        settings.top_n,
        settings.guess_share,
        settings.top_p,
    )


def _decoded(decode: Any, example: EncodedExample, text: str | None, *, is_music: bool) -> Sample:
    if not is_music:
        return Sample(text=text)
    try:
        sequence = decode(example)
    except ValueError:
        return Sample(reason=NO_SENSE)
    return Sample(sequence, text) if sequence.notes else Sample(reason=NO_NOTES)


def _file_of(sample: Sample) -> bytes:
    """A text as a file: a tune gets the header that it was sampled without."""
    text = cast(str, sample.text)
    if sample.sequence is None:
        return (text + "\n").encode()
    qpm = sample.sequence.tempos[0].qpm if sample.sequence.tempos else 120.0
    body = "\n".join(line for line in text.splitlines() if line.strip())
    return f"X:1\nM:4/4\nL:1/16\nQ:1/4={qpm:g}\nK:C\n{body}\n".encode()


def _cell(sample: Sample, written: dict[str, str]) -> page.Cell:
    if sample.sequence is None:
        return page.Cell(next(iter(written), ""), sample.reason.replace("_", " "))
    return page.Cell(list(written)[-1], page.piano_roll(sample.sequence))


def _affect(settings: SampleConfig) -> str:
    """What the source text says of the key."""
    if not settings.key:
        return ""
    key = parse_key(settings.key)
    return f"{key.words}: {key.affect}" if key.affect else key.words


def model_name(info: bundle.BundleInfo) -> str:
    """What a bundle's samples are filed under, as `Config.model_name`."""
    encoding = info.feeding["encoding"]
    return info.model if encoding == own_encoding(info.model) else f"{info.model}.{encoding}"
