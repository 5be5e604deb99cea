"""`kubeadm join`: of a worker, or of a further control-plane node."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from common import kubeconfig as kubeconfigs
from common.api import Api, ApiError, Unreachable
from common.documents import seconds
from common.host import at, fault, version, write
from common.host import seconds as as_long_as
from kubeadm import certs, cluster, kubelet, manifests, members, preflight, waiting
from kubeadm.configuration import CONTROL_PLANE_TAINT, Configuration, minor
from kubeadm.phases import Failed, Phase, run, say

BOOTSTRAP = "/etc/kubernetes/bootstrap-kubelet.conf"
KUBECONFIG = "/etc/kubernetes/kubelet.conf"
PODS = "/api/v1/namespaces/kube-system/pods"
ETCD = "kubeadm.kubernetes.io/etcd.advertise-client-urls"
ETCD_SECONDS = 40

WORKER_DONE = """
This node has joined the cluster:
* Certificate signing request was sent to apiserver and a response was received.
* The Kubelet was informed of the new secure connection details.

Run 'kubectl get nodes' on the control-plane to see this node join the cluster.
"""
CONTROL_PLANE_DONE = """
This node has joined the cluster and a new control plane instance was created:

* Certificate signing request was sent to apiserver and approval was received.
* The Kubelet was informed of the new secure connection details.
* Control plane label and taint were applied to the new node.
* The Kubernetes control plane instances scaled up.
* A new etcd member was added to the local/stacked etcd cluster.

To start administering your cluster from this node, you need to run the following as a regular user:

\tmkdir -p $HOME/.kube
\tsudo cp -i /etc/kubernetes/admin.conf $HOME/.kube/config
\tsudo chown $(id -u):$(id -g) $HOME/.kube/config

Run 'kubectl get nodes' to see this node join the cluster.
"""


def join(configuration: Configuration, options: dict[str, object], skipped: Sequence[str]) -> None:
    node = configuration.node
    said = str(options.get("ignore-preflight-errors") or "").split(",")
    ignored = [*(node["nodeRegistration"].get("ignorePreflightErrors") or []), *filter(None, said)]
    discovery = node["discovery"]["bootstrapToken"]
    token, endpoint = discovery["token"], discovery["apiServerEndpoint"]
    found: dict[str, str] = {}

    def bootstrap() -> Api:
        return Api(f"https://{endpoint}", found["ca"], token=token)

    def check() -> None:
        say("[preflight] Running pre-flight checks")
        preflight.enforce(preflight.of_join(configuration), ignored)
        found["ca"] = discover(configuration, endpoint, token)
        say(
            '[preflight] Reading configuration from the "kubeadm-config" ConfigMap in namespace '
            '"kube-system"...'
        )
        say(
            "[preflight] Use 'kubeadm init phase upload-config kubeadm --config your-config-file' to "
            "re-upload it."
        )
        configuration.cluster = cluster.cluster_configuration(bootstrap())
        if not configuration.is_control_plane:
            return
        if not configuration.cluster.get("controlPlaneEndpoint"):
            raise Failed(
                "\nOne or more conditions for hosting a new control plane instance is not "
                "satisfied.\n\nunable to add "
                "a new control plane instance to a cluster that doesn't have a stable "
                "controlPlaneEndpoint address\n\n"
                "Please ensure that:\n* The cluster has a stable controlPlaneEndpoint address.\n* The "
                "certificates "
                "that must be shared among control plane instances are provided.\n"
            )
        say("[preflight] Running pre-flight checks before initializing the new control plane instance")
        preflight.enforce(preflight.of_control_plane(configuration), ignored)
        say("[preflight] Pulling images required for setting up a Kubernetes cluster")
        preflight.enforce(preflight.of_images(configuration), ignored)

    def download() -> None:
        key = node["controlPlane"].get("certificateKey")
        if key:
            cluster.download_certificates(bootstrap(), key)
        missing = [name for name in certs.SHARED if not certs.pki(name).exists()]
        if missing:
            raise Failed(
                f"failure loading certificate for CA: couldn't load the certificate file "
                f"{certs.PKI}/{missing[0]}: open {certs.PKI}/{missing[0]}: no such file or directory"
            )

    def certificates() -> None:
        say(f'[certs] Using certificateDir folder "{certs.PKI}"')
        certs.leaves(configuration)
        say('[certs] Valid certificates and keys now exist in "/etc/kubernetes/pki"')
        say('[certs] Using the existing "sa" key')

    def control_plane() -> None:
        say(f'[control-plane] Using manifest folder "{manifests.FOLDER}"')
        for component in manifests.CONTROL_PLANE:
            say(f'[control-plane] Creating static Pod manifest for "{component}"')
            manifests.write_manifest(configuration, component)

    def start_kubelet() -> None:
        refuse_known_node(bootstrap(), configuration.name)
        # ControlPlaneKubeletLocalMode: kubelet of a control-plane node speaks to its own API server.
        local = (
            f"{configuration.address}:{configuration.endpoint['bindPort']}"
            if configuration.is_control_plane
            else endpoint
        )
        text = kubeconfigs.kubeconfig(
            f"https://{local}",
            found["ca"],
            configuration.cluster["clusterName"],
            "tls-bootstrap-token-user",
            {"token": token},
        )
        write(BOOTSTRAP, text)
        if not at(node["caCertPath"]).exists():
            write(node["caCertPath"], found["ca"], 0o644)
        settings = cluster.kubelet_configuration(bootstrap())
        kubelet.stop()
        kubelet.write_configuration(settings, configuration.socket)
        kubelet.write_environment(configuration, taint=not configuration.is_control_plane)
        kubelet.start()
        waiting.for_kubelet(configuration)

    etcd_limit = seconds(configuration.timeout("etcdAPICall"))

    def check_etcd() -> None:
        say("[check-etcd] Checking that the etcd cluster is healthy")
        members.check_health(_other_etcds(bootstrap(), configuration), etcd_limit)

    def etcd() -> None:
        others = _other_etcds(bootstrap(), configuration)
        known = members.add(others, configuration.name, configuration.address, etcd_limit)
        say("[etcd] Announced new etcd member joining to the existing etcd cluster")
        say('[etcd] Creating static Pod manifest for "etcd"')
        manifests.write_manifest(configuration, "etcd", members=known)
        members.promote(others, configuration.address, etcd_limit)
        say("[etcd] Waiting for the new etcd member to join the cluster. This can take up to 40s")
        members.check_health([*others, configuration.address], ETCD_SECONDS)

    def wait_bootstrap() -> None:
        say("[kubelet-start] Waiting for the kubelet to perform the TLS Bootstrap")
        limit = as_long_as("join-times-out", seconds(configuration.timeout("tlsBootstrap")))
        usable = lambda: None if fault("join-times-out") is not None or not _usable(KUBECONFIG) else True  # noqa: E731
        if not waiting.until(usable, limit):
            raise Failed("timed out waiting for the condition")
        at(BOOTSTRAP).unlink(missing_ok=True)
        own = Api.of(KUBECONFIG)
        limit = seconds(configuration.timeout("kubernetesAPICall"))
        if waiting.until(lambda: _registered(own, configuration.name), limit) is None:
            raise Failed(f'error uploading crisocket: nodes "{configuration.name}" not found')
        cluster.annotate_socket(own, configuration)

    def mark() -> None:
        node["nodeRegistration"].setdefault("taints", [CONTROL_PLANE_TAINT])
        cluster.mark_control_plane(Api.of(cluster.ADMIN), configuration)

    files = ["admin.conf", "controller-manager.conf", "scheduler.conf"]
    phases: list[Phase] = [("preflight", check)]
    if configuration.is_control_plane:
        phases += [
            ("control-plane-prepare/download-certs", download),
            ("control-plane-prepare/certs", certificates),
            ("control-plane-prepare/kubeconfig", lambda: certs.kubeconfigs(configuration, files)),
            ("control-plane-prepare/control-plane", control_plane),
            ("check-etcd", check_etcd),
            ("kubelet-start", start_kubelet),
            ("etcd-join", etcd),
            ("kubelet-wait-bootstrap", wait_bootstrap),
            ("control-plane-join/mark-control-plane", mark),
            ("wait-control-plane", lambda: waiting.for_control_plane(configuration)),
        ]
    else:
        phases += [("kubelet-start", start_kubelet), ("kubelet-wait-bootstrap", wait_bootstrap)]
    run("join", phases, [*(node.get("skipPhases") or []), *skipped])
    say(CONTROL_PLANE_DONE if configuration.is_control_plane else WORKER_DONE)


def discover(configuration: Configuration, endpoint: str, token: str) -> str:
    """The cluster's authority (PEM), trusted because the token signed it, and because of the pins, if any."""
    discovery = configuration.node["discovery"]["bootstrapToken"]
    identity = token.split(".")[0]
    limit = as_long_as("discovery-is-in-vain", seconds(configuration.timeout("discovery")))
    refusals = [""]

    def ask(ca: str | None) -> dict[str, object] | None:
        try:
            found = Api(f"https://{endpoint}", ca).get(
                "/api/v1/namespaces/kube-public/configmaps/cluster-info"
            )
        except (ApiError, Unreachable) as error:
            refusals.append(f"failed to request the cluster-info ConfigMap: {error}")
            return None
        if f"jws-kubeconfig-{identity}" not in (found.get("data") or {}):
            refusals.append(
                f'could not find a JWS signature in the cluster-info ConfigMap for token ID "{identity}"'
            )
            return None
        return found

    def asked(ca: str | None) -> dict[str, object]:
        found = waiting.until(lambda: ask(ca), limit, every=1)
        if found is None:
            raise Failed(f"couldn't validate the identity of the API Server: {refusals[-1]}")
        return found

    pins = discovery.get("caCertHashes") or []
    try:
        first = asked(None)
        ca = cluster.verify_cluster_info(first, token, pins)
        if pins and asked(ca)["data"]["kubeconfig"] != first["data"]["kubeconfig"]:  # type: ignore[index]
            raise Failed(
                "the second kubeconfig from the cluster-info ConfigMap (using validated TLS) was "
                "different from the first"
            )
    except Failed as error:
        said = str(error)
        prefix = "couldn't validate the identity of the API Server: "
        raise Failed(said if said.startswith(prefix) else prefix + said) from None
    return ca


def refuse_known_node(api: Api, name: str) -> None:
    try:
        known = api.find(f"/api/v1/nodes/{name}")
    except ApiError as error:
        raise Failed(f'cannot get Node "{name}": {error}') from None
    for condition in ((known or {}).get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] == "True":
            raise Failed(
                f'a Node with name "{name}" and status "Ready" already exists in the cluster. You must '
                f"delete the "
                "existing Node or change the name of this new joining Node"
            )


def _usable(path: str) -> bool:
    try:
        Api.of(path)
    except (OSError, ValueError):
        return False
    return True


def _registered(api: Api, name: str) -> dict[str, object] | None:
    try:
        return api.find(f"/api/v1/nodes/{name}")
    except (ApiError, Unreachable):
        return None


def _other_etcds(api: Api, configuration: Configuration) -> list[str]:
    """The addresses of the etcds that are there already: those of the control plane's static pods."""
    admin = Api.of(cluster.ADMIN, server=api.server)
    pods = f"{PODS}?labelSelector=component%3Detcd%2Ctier%3Dcontrol-plane"

    def listed() -> list[str] | None:
        with contextlib.suppress(ApiError, Unreachable):
            urls = [(pod["metadata"].get("annotations") or {}).get(ETCD, "") for pod in admin.items(pods)]
            addresses = [str(url).removeprefix("https://").rpartition(":")[0] for url in urls]
            return [address for address in addresses if address not in ("", configuration.address)] or None
        return None

    found = waiting.until(listed, seconds(configuration.timeout("kubernetesAPICall")))
    if found is None:
        raise Failed("could not retrieve the list of etcd endpoints")
    return found


def check_version(release: str) -> None:
    """kubeadm deploys its own minor release and the one before."""
    if minor(release) < minor(version("kubeadm")) - 1:
        raise Failed(
            "this version of kubeadm only supports deploying clusters with the control plane version >= "
            f"1.{minor(version('kubeadm')) - 1}.0. Current version: {release}"
        )
