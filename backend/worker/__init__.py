"""A worker: one process, one device, the models it has loaded; `python -m backend.worker`.

`process` is the process and its signs of life, `compute` turns a request into a reply, `model_cache`
keeps the models.
"""
