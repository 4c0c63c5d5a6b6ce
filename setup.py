"""The distribution genremill: four packages with plain names, listed one by one."""

from setuptools import find_packages, setup

INSTALL = [
    "apache-beam==2.77.0",
    "beautifulsoup4==4.15.0",
    "duckdb==2.0.0",
    "google-crc32c==1.9.0",
    "lxml==6.1.3",
    "note-seq==0.0.5",
    "numba==0.68.1",
    "numpy==2.4.6",
    "pandas==3.1.1",
    "pretty_midi==0.2.11.post0",
    "protego==0.7.0",
    "protobuf==6.33.6",
    "pyarrow==25.0.1",
    "rapidfuzz==3.14.6",
    "rensa==0.5.0",
    "requests==2.34.2",
    "spotipy==2.26.0",
    "tenacity==9.1.4",
    "tqdm==4.70.1",
    "warcio==1.8.1",
]
EXTRAS = {
    "demo": ["music21==10.5.1"],
    "train": ["torch==2.13.0", "safetensors==0.8.0", "scikit-learn==1.9.1", "tensorboard==2.21.0"],
    "viz": ["scikit-learn==1.9.1", "matplotlib==3.11.2", "plotly==7.1.0", "scipy==1.17.1"],
    "bench": ["symusic==0.6.0"],
    "miditok": ["miditok==3.1.0", "symusic==0.6.0"],
    "gcp": ["apache-beam[gcp]==2.77.0"],
    "dev": [
        "hypothesis==6.170.15",
        "lxml-stubs==0.5.1",
        "mypy==2.4.1",
        "pandas-stubs==3.1.0.261029",
        "playwright==1.65.2",
        "pytest==9.2.0",
        "pytest-xdist==3.8.0",
        "ruff==0.17.5",
        "types-protobuf==7.35.1.20260906",
        "types-requests==2.33.0.20261030",
        "types-tqdm==4.70.0.20261106",
    ],
}

setup(
    name="genremill",
    version="0.2.0",
    description="Genre-labelled MIDI training corpora, and a model for each genre",
    license="Apache-2.0",
    python_requires=">=3.11,<3.12",
    packages=find_packages(
        include=["corpus", "corpus.*", "pipelines", "viz", "trainers", "trainers.*"]
    ),
    package_data={"corpus": ["*.toml"], "corpus.sources": ["*.csv", "*.toml"], "viz": ["static/*"]},
    install_requires=INSTALL,
    extras_require=EXTRAS,
)
