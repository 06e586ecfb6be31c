"""How each modality is shown on a page: one module per modality, with the same function.

`show(content, options) -> MediaCard`, deterministic: equal content gives equal bytes.
"""
