"""Environments: the tensor contract, beat editing under it, and facades for Gymnasium and Stable-Baselines3."""
