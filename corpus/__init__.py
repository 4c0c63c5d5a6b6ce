"""What a corpus is: records, paths, readers, sources, providers, splits and encodings.

Plain Python. Nothing here imports Beam, torch or a plotting library, so every
stage, notebook and test can use it.
"""

import warnings

__version__ = "0.2.0"

# pydub, which note_seq imports, warns about a missing ffmpeg that nothing here uses.
warnings.filterwarnings("ignore", message="Couldn't find ffmpeg")
