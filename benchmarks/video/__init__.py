"""Films: what their pictures cost beside a bare loop and peers, and what one more costs."""
