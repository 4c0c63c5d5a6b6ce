"""The Beam stages as a user starts them: runners, kills, restarts, messages."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corpus import reports
from tests import makers
from tests.fake_gcs import serve

ROOT = Path(__file__).parents[1]
STAGES = ("ingest", "genres", "subsets", "examples")
ARTISTS = {f"Band {i}": 4 for i in range(12)}


def start(module: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    process = start(module, *arguments, **environment)
    out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess([module], process.returncode, out, err)


def settings(corpus: Path, data: Path, *more: str) -> list[str]:
    """The --set flags of a run over the corpus."""
    values = [
        f"data={data}",
        f"ingest.source={corpus / 'scores'}",
        "ingest.files_per_shard=6",
        f"genres.table={corpus / 'table.jsonl'}",
        "subsets.genres=rock,disco",
        "subsets.tracks_per_shard=6",
        *more,
    ]
    return [part for value in values for part in ("--set", value)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    source = makers.write_source(root / "scores", ARTISTS)
    (source / "Band 0" / "broken.mid").write_bytes(b"MThd")
    genres = {a: ["rock", "disco"] if i % 2 else ["rock"] for i, a in enumerate(ARTISTS)}
    makers.write_table(root / "table.jsonl", genres)
    return root


def hashes(data: Path) -> dict[str, str]:
    """SHA-256 of everything but the reports, which hold seconds."""
    return {
        str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(data.rglob("*"))
        if path.is_file() and path.name != "_report.json"
    }


@pytest.fixture(scope="module")
def undisturbed(corpus: Path) -> Path:
    """A run on the local runner."""
    data = corpus / "undisturbed"
    for stage in STAGES:
        result = run(f"pipelines.{stage}", *settings(corpus, data))
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        assert " -> " in result.stdout
    return data


def test_a_second_run_skips(corpus: Path, undisturbed: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in undisturbed.rglob("*")}
    for stage in STAGES:
        result = run(f"pipelines.{stage}", *settings(corpus, undisturbed))
        assert "already done" in result.stdout
    assert before == {p: p.stat().st_mtime_ns for p in undisturbed.rglob("*")}


def test_worker_processes_write_the_same_bytes(corpus: Path, undisturbed: Path) -> None:
    data = corpus / "multiprocess"
    for stage in STAGES:
        result = run(f"pipelines.{stage}", *settings(corpus, data, "beam.runner=multiprocess"))
        assert result.returncode == 0, result.stderr
    assert hashes(data) == hashes(undisturbed)


def kill_at_the_first_shard(stage: str, arguments: list[str], folder: Path) -> None:
    """Starts a stage and kills it, with its workers, when its first shard appears."""
    process = start(f"pipelines.{stage}", *arguments)
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        if list(folder.rglob("*.tfrecord")):
            break
        time.sleep(0.002)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def group_is_alive(group: int) -> bool:
    """Whether any process of a group still runs; dead ones that nobody waited for do not count."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, process_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(process_group) == group and state != "Z":
            return True
    return False


def test_worker_processes_end_with_the_run_that_is_killed(corpus: Path) -> None:
    data = corpus / "orphans"
    process = start("pipelines.ingest", *settings(corpus, data, "beam.runner=multiprocess"))
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and not list(data.rglob("*.tfrecord")):
        time.sleep(0.002)
    process.kill()
    process.communicate()
    while time.monotonic() < deadline and group_is_alive(process.pid):
        time.sleep(0.05)
    assert not group_is_alive(process.pid)


def test_an_error_in_a_worker_process_is_one_line(corpus: Path, undisturbed: Path) -> None:
    data = corpus / "worker-error"
    shutil.copytree(undisturbed, data)
    next((data / "notesequences").glob("*.tfrecord")).unlink()
    more = ("force=true", "beam.runner=multiprocess")
    result = run("pipelines.subsets", *settings(corpus, data, *more))
    assert result.returncode == 2
    assert "No such file" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("stage", ["ingest", "examples"])
def test_kill_and_start_again_gives_the_same_bytes(
    corpus: Path, undisturbed: Path, stage: str
) -> None:
    data = corpus / f"killed-{stage}"
    arguments = settings(corpus, data)
    folder = {"ingest": "notesequences", "examples": "examples/attention_rnn"}[stage]
    for earlier in STAGES[: STAGES.index(stage)]:
        assert run(f"pipelines.{earlier}", *arguments).returncode == 0
    for _ in range(5):  # A machine may be so quick that the stage ends before the kill.
        shutil.rmtree(data / folder, ignore_errors=True)
        kill_at_the_first_shard(stage, arguments, data / folder)
        if not (data / folder / "_report.json").exists():
            break
    assert not (data / folder / "_report.json").exists(), "it was too quick to be killed"
    # What a run of an older version, or of more shards, may have left.
    (data / folder / "train-00007-of-00099.tfrecord").write_bytes(b"stale")
    (data / folder / ".x.00ff.partial").write_bytes(b"half")
    for later in STAGES[STAGES.index(stage) :]:
        assert run(f"pipelines.{later}", *arguments).returncode == 0
    assert hashes(data) == hashes(undisturbed)
    assert not list(data.rglob("*.partial"))


@pytest.mark.parametrize(
    ("stage", "more", "part"),
    [
        ("ingest", ["ingest.source=/no/such/folder"], "/no/such/folder"),
        ("ingest", ["ingest.sorce=x"], "ingest.source"),
        ("ingest", ["data=README.md"], "cannot write to README.md"),
        ("ingest", ["beam.runner=spark"], "known: local, multiprocess, dataflow"),
        ("genres", ["genres.table=/no/table.jsonl"], "/no/table.jsonl"),
        ("genres", ["genres.providers=oracle"], "known: table"),
        ("subsets", ["subsets.genres=rokc"], "nearest: rock"),
        ("subsets", ["subsets.genres="], "Most common here: rock"),
        ("examples", ["examples.encoding=x"], "known: basic_rnn"),
    ],
)
def test_what_a_user_gets_wrong_is_one_line(
    corpus: Path, undisturbed: Path, stage: str, more: list[str], part: str
) -> None:
    result = run(f"pipelines.{stage}", *settings(corpus, undisturbed, *more))
    assert result.returncode == 2
    assert part in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert hashes(undisturbed)


def test_a_shard_that_vanished_is_one_line(corpus: Path, undisturbed: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(undisturbed, data)
    next((data / "notesequences").glob("*.tfrecord")).unlink()
    result = run("pipelines.subsets", *settings(corpus, data, "force=true"))
    assert result.returncode == 2
    assert "No such file" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_folder_of_unreadable_files_fails_with_counts(tmp_path: Path) -> None:
    (tmp_path / "scores" / "A").mkdir(parents=True)
    (tmp_path / "scores" / "A" / "x.mid").write_bytes(b"")
    result = run("pipelines.ingest", *settings(tmp_path, tmp_path / "data"))
    assert result.returncode == 2
    assert "1 scores: 1 empty_file" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_broken_inputs_are_accounted_for(tmp_path: Path) -> None:
    (tmp_path / "scores").symlink_to(makers.GOLDEN / "broken_inputs")
    result = run("pipelines.ingest", *settings(tmp_path, tmp_path / "data"))
    assert result.returncode == 0, result.stderr
    report = reports.read(str(tmp_path / "data" / "notesequences"))
    assert report is not None
    assert (report.inputs, report.outputs) == (18, 11)


@pytest.mark.parametrize("stage", STAGES)
def test_a_job_template_is_built_without_a_network(tmp_path: Path, stage: str) -> None:
    pytest.importorskip("google.cloud.storage", reason="needs the gcp extra")
    template = tmp_path / "template.json"
    with serve() as (url, uploads):
        result = run(
            f"pipelines.{stage}",
            "--set", "beam.runner=dataflow", "--set", f"data={tmp_path / 'none'}", "--",
            "--project=p", "--region=us-central1", "--temp_location=gs://b/tmp", "--no_auth",
            f"--dataflow_endpoint={url}", f"--template_location={template}",
            STORAGE_EMULATOR_HOST=url,
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert json.loads(template.read_text())["environment"]["sdkPipelineOptions"]
    graph = b"".join(uploads)
    for step in ("Plan", "Work", "Finish"):
        assert f"{stage.title()}/{step}".encode() in graph
