"""The feature store: ordinary Parquet, laid out so that it can be mapped without decoding."""
