"""Kinds of target that can be learned, one file each.

A kind is a module of pure functions:

- `classes(values, order)`: names of the classes, in the order of the probabilities;
- `encode(values, classes)`: cells of a table → an array (see `targets`);
- `layer(width, classes)`: the head, a torch module (n, width) → logits (n, outputs);
- `loss(logits, targets, smoothing, focal)`: of each example, (n,) or (n, labels), whatever stands
  where the target is missing, as long as its gradient is finite;
- `answer(logits)`: probabilities (n, classes), or values (n, 1);
- `decide(answer, thresholds)`: NumPy, an index (n,), labels (n, labels) or a value (n,);
- `say(decision, classes)`: a decision, or a truth, as text;
- `fit_thresholds(answer, truth)`: on validation, of a kind that has thresholds;
- `figures(truth, answer, decision)`: what is measured of the kind, beyond what is of all classes;
- `MONITORED`: the figure that early stopping wants high;
- `FITTED`: the fields of `Reading` that it has.
"""
