"""Verification: whether two samples are of the same person, as a likelihood ratio.

A trial holds a person, known by enrolled samples, against a probe. A system scores it by likeness;
scores are calibrated to log-likelihood ratios, fused, and measured on people whom neither the
system nor its calibration has seen.
"""
