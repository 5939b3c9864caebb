"""How good a model is on whole sets of images, and what it takes to make it fail."""
