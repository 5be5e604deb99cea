"""What the doubles of kubeadm, kubelet and the controllers share. Standard library, PyYAML and openssl(1)."""
