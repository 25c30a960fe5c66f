"""Folders of pictures: what `ai-inpaint batch` does.

`folder` finds the pictures with their masks and originals, `work` fills one of them, `processes` and
`cluster` are the two ways to have it done many times, `journal` remembers what is done, `report` tells it,
and `runs` puts these together.
"""
