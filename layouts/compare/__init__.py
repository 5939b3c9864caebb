"""The page that sets two to four networks side by side on one drawing."""
