"""Real editors on a virtual screen."""
