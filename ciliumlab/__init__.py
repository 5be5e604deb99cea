"""A Cilium networking lab declared as data, provisioned by pyinfra, proven by testinfra."""
