"""What is looked at: architecture descriptions, the bundled networks, and weights on disk."""
