"""Pictures and reports of what the pipeline built."""
