"""A double of kubeadm 1.33 and 1.34: documents, files, certificates, phases and refusals, no containers."""
