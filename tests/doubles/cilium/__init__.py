"""Stand-ins for Cilium: agent, operator, CNI plugin and command line."""
