"""Pictures as numpy arrays: what happens to them before and after a model.

`mask` finds the holes, `crop` what to show of the picture around them, `scale` makes it smaller and
larger, `convert` turns samples into what models see and back, `seam` matches colours at the border,
`composite` puts the result over the picture. Everything here works on the part of a picture that
matters, never on all of it.
"""
