"""Readers of public data sets; each lives in its own module and loads nothing until it is asked to."""
