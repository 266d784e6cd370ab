"""Windows with labels and people, and splits that never share a person."""
