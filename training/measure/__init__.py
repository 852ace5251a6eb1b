"""Says how good a grader is, with intervals, as pages that a person reads."""
