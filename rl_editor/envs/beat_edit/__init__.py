"""Beat editing as an environment: rules, instances, reward, picture."""
