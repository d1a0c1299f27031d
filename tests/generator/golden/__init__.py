"""The output for mini.yaml, as a package."""
