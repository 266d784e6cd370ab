"""Export a pipeline and a net as C that proves itself."""
