"""A photograph, a mask drawn over it, and the first fill: see `__main__`."""
