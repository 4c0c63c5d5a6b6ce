"""The list of takedowns."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import deny
from corpus.deny import DenyList

DATA = b"MThd not mine"
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()


def write(folder: Path, text: str | bytes) -> str:
    path = folder / deny.DEFAULT
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize("hexdigest", [SHA256, MD5])
@pytest.mark.parametrize(
    "line",
    [
        "{}",
        " {} ",
        "{}\tthe owner wrote on 2026-01-02",
        "# why\r\n{} # because\r\n\r\n",
        "\ufeff{}",
    ],
)
def test_a_line_names_bytes(tmp_path: Path, hexdigest: str, line: str) -> None:
    for spelled in (hexdigest, hexdigest.upper()):
        write(tmp_path, line.format(spelled))
        listed = deny.load(str(tmp_path))
        assert listed.names(DATA)
        assert hexdigest in listed
        assert not listed.names(DATA + b" ")
        assert bool(listed)


def test_no_list_names_nothing(tmp_path: Path) -> None:
    for listed in (deny.load(str(tmp_path)), DenyList()):
        assert not listed
        assert not listed.names(DATA)
        assert listed.digest() == ""
    write(tmp_path, "# nothing yet\n\n")
    assert not deny.load(str(tmp_path))


def test_the_list_that_is_given_is_taken(tmp_path: Path) -> None:
    write(tmp_path, MD5)
    other = tmp_path / "other.txt"
    other.write_text(SHA256)
    assert MD5 not in deny.load(str(tmp_path), str(other))
    with pytest.raises(ValueError, match=r"takedowns '.*none\.txt' is not there"):
        deny.load(str(tmp_path), str(tmp_path / "none.txt"))
    with pytest.raises(ValueError, match="cannot read the list of takedowns"):
        deny.load(str(tmp_path), str(tmp_path))


@pytest.mark.parametrize(
    "line",
    [SHA256[:-1], SHA256 + "0", MD5 + "g", "http://example.org/a.mid", b"\xed\xb3\xbf",
     SHA256.encode("utf-16")],
)  # fmt: skip
def test_a_line_that_is_no_hash_is_named(tmp_path: Path, line: str | bytes) -> None:
    text = line if isinstance(line, bytes) else line.encode()
    path = write(tmp_path, f"{MD5}\n".encode() + text)
    with pytest.raises(ValueError, match=r"deny\.txt, line 2: .* 64 or 32 hexadecimal digits"):
        deny.load(str(tmp_path))
    assert Path(path).exists()


def test_a_list_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deny, "_MAX_BYTES", 10)
    write(tmp_path, MD5)
    with pytest.raises(ValueError, match="is over"):
        deny.load(str(tmp_path))


@given(st.sets(st.binary(max_size=5)), st.binary(max_size=5))
def test_a_list_is_its_hashes_in_any_order(denied: set[bytes], other: bytes) -> None:
    hashes = [hashlib.sha256(data).hexdigest() for data in denied]
    listed = DenyList(frozenset(hashes))
    assert listed.names(other) == (other in denied)
    assert listed.digest() == DenyList(frozenset(hashes[::-1])).digest()
    more = DenyList(frozenset([*hashes, "0" * 64]))
    assert more.digest() != listed.digest()
