"""Networks that read one feature set, one file a kind.

A module has `Options` (a TowerOptions), `IDS` and `class Tower`. It imports torch only when a Tower
is made, so that options are checked cheaply:

- `IDS`: whether it takes ids of words; what it takes otherwise comes standardised;
- `check(shape, options)`: raises ValueError, saying what the kind takes, if it isn't of that shape;
- `Tower(shape, options)`: for rows of shape (D,) or (frames, bands);
- `layers`: a torch module that holds whatever is to be trained;
- `read(values, lengths)`: float (n, *shape), in which frames from lengths (n,) on are zeros, to
  float (n, options.width).

A kind may have `pool(mean, deviation)`, which changes the statistics (bands,) that its values are
standardised by, and one of ids has `fit(ids, count)`: it is told once which ids there are in
training, and how often. A row's token depends on that row alone and is finite, for length 0 too.
"""
