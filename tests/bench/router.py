"""The stages that make a router, as deploy.py has them."""

from pyinfra import local

local.include("tasks/base.py")
local.include("tasks/network.py")
local.include("tasks/router.py")
