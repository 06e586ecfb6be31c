"""Kinds of origin: a module here has `Options` and `scan(folder, options)`, named by its file.

`scan` looks at one batch and says what samples it holds; it reads names and tables, and opens no
asset. Wherever the batch lies, `folder.listing.files` maps paths to sizes, and `folder.read(path)`
gives a small file's bytes, or refuses a large one (pipeline/raw/folders.py). A source that can
fetch itself also has `FetchOptions`, with a `version` that names the batch, and
`fetch(folder, options)`, which puts a whole batch at data/raw/<source>/<version>, or nothing, and
says whether it did: False where the batch stands there already.
"""
