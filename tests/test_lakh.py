"""Lakh's layouts and tables."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from corpus.sources import open_source
from tests.packing import KINDS, everything, pack, write

MD5, OTHER, TRACK = "00" + "5f" * 15, "a1" * 16, "TRAAAGR128F425B14B"


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("kind", ["folder", *KINDS])
def test_lakhs_layouts(tmp_path: Path, kind: str, inside: bool) -> None:
    tables = {
        "md5_to_paths.json": json.dumps({MD5: ["D/Dire Straits - Money.mid"]}).encode(),
        "match_scores.json": json.dumps({TRACK: {OTHER: 0.75}}).encode(),
        "unique_tracks.txt": f"{TRACK}<SEP>SOX<SEP>Cyndi  Lauper<SEP>Into The Night\n".encode(),
    }
    content = {f"0/{MD5}.mid": b"m", f"A/A/A/{TRACK}/{OTHER}.mid": b"o", f"a/{OTHER}.mid": b"o"}
    for name, data in tables.items():
        if not inside:
            write(tmp_path / name, data)
    content |= tables if inside else {}
    for name, data in content.items():
        write(tmp_path / "lmd" / name, data)
    url = str(tmp_path / "lmd")
    if kind != "folder":
        url = write(tmp_path / f"lmd_full.{kind}", pack(kind, content, "lmd_full/"))
    source = pickle.loads(pickle.dumps(open_source(url)))
    assert source.artist_and_title(f"0/{MD5}.mid") == ("Dire Straits", "Money")
    assert source.artist_and_title(f"A/A/A/{TRACK}/{OTHER}.mid") == (
        "Cyndi Lauper",
        "Into The Night",
    )
    assert source.artist_and_title(f"a/{OTHER}.mid") == ("", OTHER)
    assert source.artist_and_title(f"Some Artist/{OTHER}.mid") == ("Some Artist", OTHER)
    assert source.match_score(f"A/A/A/{TRACK}/{OTHER}.mid") == 0.75
    assert source.match_score(f"0/{MD5}.mid") is None
    assert "CC BY 4.0" in source.license_of(f"0/{MD5}.mid")
    assert everything(source) == content


BEATLES = ["Beatles/Happiness is a Warm Gun.mid", "Beatles, The/Happiness-Is-A-Warm-Gun.2.mid",
           "Beatles, The/Happiness-Is-A-Warm-Gun.mid", "Various Artists/warmgun.mid",
           "beatles/HappinessIsAWarmGun.mid", "H/Happiness-Is-A-Warm-Gun.mid"]  # fmt: skip


@pytest.mark.parametrize(
    ("originals", "expected"),
    [
        (BEATLES, ("Beatles, The", "Happiness Is A Warm Gun")),
        (["E/Exaltasamba - Megastar.mid"] * 2 + ["Pop/x.mid"], ("Exaltasamba", "Megastar")),
        (["Midis Rock/Money.mid", "www.tv.co.uk_MIDIRip/Money.mid"], ("", "Money")),
        (["A/B/Sting/Fields_of_gold.kar"], ("Sting", "Fields of gold")),
        (["Toto/x.mid", "Toto/Africa.mid", "Toto/africa.2.mid"], ("Toto", "Africa")),
        (["X/01 - Money.mid", "Roxy Music/01 - Money.mid"], ("Roxy Music", "Money")),
        (["C:\\midi\\Toto\\Africa.mid"], ("Toto", "Africa")),
        (["", "///", " - .mid"], ("", MD5)),
        ([], ("", MD5)),
    ],
)
def test_who_a_lakh_file_is(
    tmp_path: Path, originals: list[str], expected: tuple[str, str]
) -> None:
    write(tmp_path / "md5_to_paths.json", json.dumps({MD5: originals}).encode())
    assert open_source(str(tmp_path)).artist_and_title(f"0/{MD5}.mid") == expected


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("md5_to_paths.json", "[]"),
        ("md5_to_paths.json", f'{{"{MD5}": "x"}}'),
        ("md5_to_paths.json", f'{{"{MD5}": [1]}}'),
        ("md5_to_paths.json", "[" * 100_000),
        ("md5_to_paths.json", f'{{"{MD5}": ["a'),
        ("match_scores.json", f'{{"{TRACK}": {{"{MD5}": NaN}}}}'),
        ("unique_tracks.txt", "<html>"),
    ],
)
def test_a_wrong_table_is_an_error_that_names_it(tmp_path: Path, name: str, table: str) -> None:
    write(tmp_path / "A/A/A" / TRACK / f"{MD5}.mid", b"x")
    write(tmp_path / name, table.encode())
    with pytest.raises(ValueError, match=name):
        open_source(str(tmp_path)).list_files()
