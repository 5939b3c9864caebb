"""Making networks better: recipes, images changed at random, learning rates, and how good the result is."""
