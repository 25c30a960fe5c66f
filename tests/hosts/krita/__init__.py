"""The plugin in a real Krita."""
