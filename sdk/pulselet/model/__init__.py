"""Tiny nets: build, train, quantise, evaluate."""
