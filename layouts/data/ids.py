"""Every component id of the page of data sets that Python and JavaScript share."""

PROVIDER = "provider"
"""As on the main page: what switches between light and dark is shared."""
SCHEME = "scheme"
CHOICES = "choices"
"""What can be chosen, for the page's own script."""
