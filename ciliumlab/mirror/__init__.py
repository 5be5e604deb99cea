"""A mirror: a folder that holds everything a lab downloads, and is served over HTTP (docs/mirror.md)."""
