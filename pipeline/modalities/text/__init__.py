"""Text: names, captions, sentences, documents, in any language."""
