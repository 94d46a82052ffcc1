"""Recovery: where every stretch of a finished edit comes from, found from sound alone."""
