"""The page that disturbs images more and more, and shows how long models stay right, and on what they fail first."""
