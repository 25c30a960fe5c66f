"""Training: holes, losses, data, and one trainer for every network."""
