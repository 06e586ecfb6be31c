"""Other ways to do the same work; each module is run as `python -m benchmarks.peers.X RAW OUT N`.

RAW is a batch (see `benchmarks.corpus`), OUT a folder in which <modality>/….parquet come to stand,
with the columns `digest` and `vector` at least, and N the number of processes. Those that call the
project's kernels also write the cleaned content, as the project does.
"""
