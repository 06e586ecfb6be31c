"""A trained model as a folder or a .zip that answers wherever it is unpacked, with its cards."""
