"""Scan, connect, stream; and a virtual wearable."""
