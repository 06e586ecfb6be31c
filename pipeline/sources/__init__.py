"""Kinds of origin: a module here has `Options` and `scan(folder, options)`, named by its file.

`scan` looks at one batch (data/raw/<source>/<batch>) and says what samples it holds; it reads
names and tables, and opens no asset. A source that can fetch itself also has `FetchOptions` and
`fetch(folder, options)`, which puts a whole batch below data/raw/<source>, or nothing, and says
whether it did: False where the batch stands there already.
"""
