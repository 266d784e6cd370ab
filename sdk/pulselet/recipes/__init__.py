"""Reference tasks: each composes data, pipeline, net and protocol in one short file."""
