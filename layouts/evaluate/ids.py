"""Every component id of the page that evaluates, in one place."""

MATRIX = "matrix"
CONFIDENCE = "confidence"
RELIABILITY = "reliability"
THRESHOLDS = "thresholds"
