"""What a network is worth: how often it is right, on what it fails, and whether two of them compute the same."""
