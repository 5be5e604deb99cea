"""Stand-ins for kube-controller-manager and kube-scheduler: what a lab needs of them, and no more."""
