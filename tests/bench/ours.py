"""The stages of a deploy that the other ways are measured against, as deploy.py has them."""

from pyinfra import local

local.include("tasks/base.py")
local.include("tasks/network.py")
local.include("tasks/router.py")
local.include("tasks/containerd.py")
