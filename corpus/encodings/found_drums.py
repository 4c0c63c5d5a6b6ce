"""Placeholder of the lead's, until helper A writes this file."""

from corpus.encodings.piece import Piece


def with_found_drums(piece: Piece) -> Piece:
    return piece
