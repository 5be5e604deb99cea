"""Cilium's own word that it is well, and its connectivity tests; the report is kept in /var/log/ciliumlab.

pyinfra inventory/lab.py tasks/verify.py
"""

from pyinfra.context import host

from ciliumlab.operations import connectivity

if host.name == host.data.control_plane[0]:
    connectivity.tested(name="Cilium's connectivity tests pass", outside=host.data.outside)
