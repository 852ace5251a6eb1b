"""Makes the bundles that inference runs: ``python -m training``."""
