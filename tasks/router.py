"""The router between the segments, which is a web server too and never in the cluster."""

from pyinfra.context import host

from ciliumlab.operations import apt, dummies, files, sysctl, systemd
from ciliumlab.plan.packages import missing_from

if "routers" in host.groups:
    apt.installed(
        name="The router's packages are installed",
        packages=host.data.packages,
        lacking=missing_from,
    )

    sysctl.settings(
        name="The router forwards packets now and after every boot",
        values=host.data.sysctls,
        file="99-ciliumlab",
    )

    dummies.present(
        name="Dummy interfaces are there now and after every boot",
        interfaces=host.data.interfaces,
        file="61-ciliumlab-dummies",
    )

    files.present(
        name="The web page is in place",
        files={
            "/var/www/html/index.html": {
                "text": files.rendered("files/router/index.html.j2", name=host.name),
            },
        },
    )

    systemd.running(name="Apache is running", units=["apache2.service"])
