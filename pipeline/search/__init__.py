"""Search a store by a picture, a sound or words, and see what was found."""
