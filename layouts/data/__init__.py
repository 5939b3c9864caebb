"""The page of data sets: their images by class, how many there are of each, and their way into a network."""
