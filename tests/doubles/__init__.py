"""Stand-ins for the programs that the test network cannot have, packed and served as the real ones are.

`python -m tests.doubles.build DIR` makes a mirror of them. They are strict where the real ones are, and each
says in `--version` that it is a test double. On a host they live in /usr/lib/kubernetes-double; beside what
the real ones keep, their state is in /var/lib/kubernetes-double, and the files in
/etc/kubernetes-double/faults make them fail.
"""
