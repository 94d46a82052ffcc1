"""Takes: jams made of songs, with their exact truth."""
