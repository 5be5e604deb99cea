"""Operations of ciliumlab's in a deploy of one's own: ``pyinfra --dry --diff @local deploy.py``."""

from ciliumlab.operations import helm, netplan

URL = "https://github.com/kubernetes-sigs/metrics-server/releases/download/metrics-server-helm-chart-{0}/{1}"
SHA256 = "084e6edb680cf4e2acc30bd496568c53fdf663cbacf6e17876b25785c35b7a13"
CHART = {"version": "3.13.1", "url": URL.format("3.13.1", "metrics-server-3.13.1.tgz"), "sha256": SHA256}
STORAGE = netplan.ethernets({"eth3": {"addresses": ["10.20.0.5/24"]}})
VALUES = {"args": ["--kubelet-insecure-tls"]}

netplan.configuration(name="The storage network is in force", file="70-storage", document=STORAGE)
helm.release("metrics-server", "kube-system", CHART, VALUES, name="metrics-server has rolled out")
