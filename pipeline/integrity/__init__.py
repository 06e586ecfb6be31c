"""Reading every byte that the project holds, and mending what is not as it was written."""
