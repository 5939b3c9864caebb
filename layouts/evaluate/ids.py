"""Every component id of the page that evaluates, in one place."""

PROVIDER = "provider"
"""As on the main page: what switches between light and dark is shared."""
SCHEME = "scheme"

MATRIX = "matrix"
CONFIDENCE = "confidence"
RELIABILITY = "reliability"
THRESHOLDS = "thresholds"
FIGURES = (MATRIX, CONFIDENCE, RELIABILITY, THRESHOLDS)
