"""Bytes to frozen dataclasses and back, one file per format."""
