"""The floor everybody stands on: rows, files and words. It knows no network, no pixels and no web."""
