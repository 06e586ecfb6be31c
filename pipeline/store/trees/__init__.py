"""Where a store's files are: in the work tree, or at a revision."""
