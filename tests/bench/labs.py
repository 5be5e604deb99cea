"""Declarations of labs of any size, as text of a lab.yaml."""

from __future__ import annotations

import yaml

# Nodes of one segment; a /24 holds them with the router.
PER_SEGMENT = 50


def declaration(nodes: int) -> str:
    """A lab of ``nodes`` nodes, 50 on each segment, whose first is the control plane, and a pool too."""
    count = -(-nodes // PER_SEGMENT)
    networks = [f"10.{100 + index // 256}.{index % 256}" for index in range(count)]
    machines = {
        f"node{index}": {
            "role": "worker" if index else "control-plane",
            "segment": f"net{index // PER_SEGMENT}",
            "address": f"{networks[index // PER_SEGMENT]}.{10 + index % PER_SEGMENT}",
            "ssh_port": 10001 + index,
        }
        for index in range(nodes)
    }
    lab = {
        "name": "many",
        "segments": {f"net{index}": {"cidr": f"{network}.0/24"} for index, network in enumerate(networks)},
        "router": {
            "name": "router",
            "ssh_port": 10000,
            "interfaces": {
                f"eth{index + 1}": {"segment": f"net{index}", "address": f"{network}.200"}
                for index, network in enumerate(networks)
            },
            "dummies": {"loop1": "10.10.1.200/24", "loop2": "10.10.2.200/24"},
            "summary": "10.10.0.0/16",
        },
        "nodes": machines,
        "kubernetes": {
            "pod_cidr": "172.16.0.0/12",
            "pod_cidr_mask_size": 26,
            "service_cidr": "192.168.0.0/16",
        },
        "load_balancer": {
            "pools": {
                f"pool{index}": {"start": f"{network}.211", "stop": f"{network}.215"}
                for index, network in enumerate(networks)
            }
        },
    }
    return yaml.safe_dump(lab, sort_keys=False)
