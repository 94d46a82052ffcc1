"""From sound to a Track: beats, features, activity, landings."""
