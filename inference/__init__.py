"""Answers a photograph: can it be graded, which grade, and where did the network look."""
