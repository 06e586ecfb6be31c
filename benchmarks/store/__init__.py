"""The feature store beside other ways to keep and read vectors."""
