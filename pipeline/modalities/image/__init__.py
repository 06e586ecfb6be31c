"""Pictures: decoded from PNG, JPEG, WebP and SVG, kept as RGB on white of a bounded size."""
