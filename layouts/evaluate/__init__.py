"""The page that says how good a model is, and leads from every number to the images behind it."""
