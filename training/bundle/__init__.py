"""Makes the bundle that ships out of a fit: thresholds, whole numbers, golden pictures, card."""
