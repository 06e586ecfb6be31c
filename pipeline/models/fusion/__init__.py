"""Ways to join what the towers say, one file each.

A fusion module has `Options` and `class Fusion`. It imports torch only when a Fusion is made, so
that options are checked cheaply:

- `Fusion(sets, width, options)`: `sets` tokens of `width` numbers come in;
- `width`: how many numbers of a row go out to the heads;
- `layers`: a torch module that holds whatever is to be trained;
- `fuse(tokens, present)`: float (n, sets, width) and bool (n, sets) to float (n, self.width);
- `shares(tokens, present)`, if it has weights: how much each set counts, float (n, sets).

Annotations state the shapes, for tests to check; `hidden={self.width}` is a name and its size.

A row's result is finite for any subset of present sets, the empty one too, and does not depend on
the tokens of absent ones. A function `check(sets, width, options)`, if there is one, raises
ValueError for what the fusion cannot do.

A module whose level is the decision has `class Decision` in place of `Fusion`; the network then has
a head a set and task, which learns by its own loss:

- `Decision(sets, classes, options)`: `classes` counts those of each task;
- `layers`: a torch module that holds whatever is to be trained, on the heads' answers as they are;
- `decide(task, logits, present)`: the number of a task, float (n, sets, classes) and bool (n, sets)
  to log-probabilities (n, classes), finite for any subset, and independent of absent sets' logits;
- `shares(task, present)`, if it has weights: float (n, sets).

A module with `EARLY = True` joins sets before any tower: see `early`.
"""
