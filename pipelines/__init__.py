"""The stages as Beam pipelines. All of the work is in `corpus`; this is the wiring."""
