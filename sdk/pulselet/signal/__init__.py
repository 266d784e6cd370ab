"""Causal stages and the pipeline they make: one definition, three executions."""
