"""Rooms of the reader: formats, limits and decoders. Runs inside the child only; ``inference.reader`` is its door."""
