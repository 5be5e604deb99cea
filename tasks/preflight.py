"""What stands against a deploy, all of it said before anything is changed on any host."""

from pyinfra.context import host

from ciliumlab.operations import preflight
from ciliumlab.preflight import wanted

preflight.checked(
    name="The host is fit for its part",
    wants=wanted(host.data.dict(), host.groups),
)

preflight.passed(name="Every host is fit for its part")
