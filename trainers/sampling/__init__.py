"""Sampling: what a sample begins with, what may follow, and how it is chosen."""
