"""The commands of `ai-inpaint`, one a module. Importing them costs nothing but click."""
