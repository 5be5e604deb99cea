"""The lab, stage by stage: ``pyinfra inventory/lab.py deploy.py``."""

from pyinfra import local

local.include("tasks/preflight.py")
local.include("tasks/base.py")
local.include("tasks/network.py")
local.include("tasks/router.py")
local.include("tasks/containerd.py")
local.include("tasks/kubernetes.py")
local.include("tasks/control_plane.py")
local.include("tasks/workers.py")
local.include("tasks/cilium.py")
local.include("tasks/pod_routes.py")
local.include("tasks/load_balancer.py")
local.include("tasks/workloads.py")
local.include("tasks/addons.py")
