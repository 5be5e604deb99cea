"""A snapshot of etcd, kept on the first control-plane node in /var/backups/etcd."""

from pyinfra.context import host

from ciliumlab.operations import etcd

if host.name == host.data.control_plane[0]:
    etcd.saved(name="A snapshot of etcd is kept", label=host.data.lab)
