"""The one engine that all nodes and commands share."""
