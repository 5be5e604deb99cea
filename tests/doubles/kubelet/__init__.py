"""A double of kubelet: its node, static pods (as local processes) and certificates, no containers."""
