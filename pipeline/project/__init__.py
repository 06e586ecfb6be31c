"""From a folder of data to a project: look at it, propose params, lay the project out.

`graph.yaml`, `comparison.yaml`, `gitignore` and `dvcignore` are this repository's own, so that each
has one text.
"""
