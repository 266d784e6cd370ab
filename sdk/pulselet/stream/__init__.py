"""Blocks, gaps and recordings."""
