"""Ways to join what the towers say, one file each.

A fusion module has `Options` and `class Fusion`. It imports torch only when a Fusion is made, so
that options are checked cheaply:

- `Fusion(sets, width, options)`: `sets` tokens of `width` numbers come in;
- `width`: how many numbers of a row go out to the heads;
- `layers`: a torch module that holds whatever is to be trained;
- `fuse(tokens, present)`: float (n, sets, width) and bool (n, sets) to float (n, self.width).

A row's result is finite for any subset of present sets, the empty one too, and does not depend on
the tokens of absent ones. A function `check(sets, width, options)`, if there is one, raises
ValueError for what the fusion cannot do.
"""
