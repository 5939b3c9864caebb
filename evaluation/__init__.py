"""How good a model is: what it answers to labelled images, and what can be said of that."""
