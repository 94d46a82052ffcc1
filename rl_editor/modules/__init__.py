"""LightningModules, datamodules and callbacks: thin; with the recipes, tasks and run folders they are trained by."""
