"""The stages as Beam pipelines. All of the work is in `corpus`; this is the wiring."""

import logging

# Beam warns on import about cloud clients that only the dataflow runner needs.
logging.disable(logging.WARNING)
import apache_beam  # noqa: E402

logging.disable(logging.NOTSET)
assert apache_beam.__version__
