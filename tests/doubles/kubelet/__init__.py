"""A double of kubelet: its node, its certificates, and its pods as local processes instead of containers."""
