"""Fits and measures the gate that refuses what cannot be graded."""
