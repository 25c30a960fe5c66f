"""The installed plug-in in a real GIMP 3."""
