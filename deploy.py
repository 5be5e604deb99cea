"""The lab, stage by stage: ``pyinfra inventory/lab.py deploy.py``."""

from pyinfra import local

local.include("tasks/base.py")
local.include("tasks/network.py")
local.include("tasks/router.py")
