"""The ruler: a judgement of anybody's edit from sound alone."""
