"""Charts as inline SVG from small pure functions.

Not matplotlib, whose pictures hold one theme, fonts as paths and a version's whims, nor plotly,
whose script outweighs the page tenfold: these take their colours from the page's CSS variables, so
that light, dark and print are one drawing; they are text, so that equal figures give equal bytes;
and they need no script.

Rows (bars, intervals) place things in per cent of their width and keep their text outside, so that
they fit any screen. Panels have a fixed view box and are laid out as a grid of equal small ones.
"""
