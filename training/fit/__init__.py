"""Fits a network to photographs by a recipe: epochs, checkpoints, teachers."""
