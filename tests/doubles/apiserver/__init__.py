"""A stand-in for kube-apiserver that real kubectl and real Helm work against.

Started by the real one's flags (``python3 -m apiserver --secure-port=6443 …``), it keeps its objects in a
real etcd under the real keys, so that several of them over one etcd agree and ``etcdctl snapshot`` holds all.

Beside the API server's own work it does what kube-controller-manager's garbage collector and namespace
controller do (``collector.py``), because clients see it as one: a deleted owner takes its dependents along.
A pod that a kubelet has begun stays until the kubelet says that it has ended; any other is gone at once.

What it does not have: admission and conversion webhooks, CEL rules, RBAC evaluation (``access.py`` says who
may do what), service account tokens, aggregated APIs, exec and logs, schemas for ``kubectl explain``. Where
the real one answers 401 to a client certificate of another CA, the TLS handshake ends. Values in etcd are
JSON (the real one's --storage-media-type=application/json), not protobuf.
"""
