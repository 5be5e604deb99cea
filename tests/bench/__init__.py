"""Figures of speed, measured: `make bench`. Nothing here is part of `make test`."""
