"""The page of a compressed model: what it saves, what it costs, and the certificate."""
