"""Statistics of data and models that keep coming: contract, drift, expected quality, gate, blame.

Pure functions over tables and arrays; what runs every night calls them and keeps their records.
"""
