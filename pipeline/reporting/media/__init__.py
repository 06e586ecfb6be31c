"""How each modality is shown on a page: one module a modality, with the same function.

`show(content, options) -> Shown`, deterministic: equal content gives equal bytes.
"""
