"""`kubeadm upgrade plan`, `apply` and `node`"""

from __future__ import annotations

import socket

from common import x509
from common.api import Api, ApiError, Unreachable
from common.documents import Document
from common.host import at, version
from common.kubeconfig import current
from kubeadm import addons, cluster, kubelet, manifests, policy, preflight
from kubeadm.configuration import CRI_SOCKET, Configuration
from kubeadm.manifests import CONTROL_PLANE
from kubeadm.phases import Failed, run, say
from kubeadm.static_pods import replace_static_pods

READ = (
    '[upgrade] Reading configuration from the "kubeadm-config" ConfigMap in namespace "kube-system"...',
    "[upgrade] Use 'kubeadm init phase upload-config kubeadm --config your-config-file' to re-upload it.",
)
NOT_CONTROL_PLANE = "Skipping phase. Not a control plane node."
KUBELET_CONF = "/etc/kubernetes/kubelet.conf"


def own_configuration(api: Api) -> Configuration:
    """This node's part, as the cluster and the node's files have it."""
    name = _node_name()
    try:
        node = api.get(f"/api/v1/nodes/{name}")
    except ApiError as error:
        raise Failed(f"[upgrade/init config] FATAL: failed to get node registration: {error}") from None
    annotations = node["metadata"].get("annotations") or {}
    registration = {
        "name": name,
        "criSocket": annotations.get("kubeadm.alpha.kubernetes.io/cri-socket", CRI_SOCKET),
        "taints": node["spec"].get("taints") or [],
        "imagePullPolicy": "IfNotPresent",
    }
    document: Document = {"nodeRegistration": registration}
    running = manifests.existing("kube-apiserver")
    if running:
        place = running["metadata"]["annotations"][
            "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"
        ]
        address, _, port = place.rpartition(":")
        document["localAPIEndpoint"] = {"advertiseAddress": address, "bindPort": int(port)}
    return Configuration(document, cluster.cluster_configuration(api))


def _node_name() -> str:
    """The node's name is who kubelet is to the API server."""
    try:
        _, user = current(at(KUBELET_CONF).read_text())
        pem = at(user["client-certificate"]).read_text()
    except (OSError, KeyError):
        return socket.gethostname()
    return x509.subject(pem)["CN"][0].removeprefix("system:node:")


def versions(api: Api) -> tuple[str, dict[str, str]]:
    """The version that the API server runs, and each node's kubelet's."""
    nodes = api.items("/api/v1/nodes")
    kubelets = {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}
    return str(api.get("/version")["gitVersion"]).split("+")[0], kubelets


def healthy(api: Api) -> None:
    """The cluster's health as an upgrade wants it."""
    say("[upgrade] Running cluster health checks")
    for node in api.items("/api/v1/nodes"):
        labels = node["metadata"].get("labels") or {}
        conditions = {c["type"]: c["status"] for c in node["status"].get("conditions") or []}
        if "node-role.kubernetes.io/control-plane" in labels and conditions.get("Ready") != "True":
            raise Failed(
                "[upgrade/health] FATAL: [preflight] Some fatal errors occurred:\n\t[ERROR "
                "ControlPlaneNodesReady]: "
                f"there are NotReady control-planes in the cluster: "
                f"[{node['metadata']['name']}]\n[preflight] If you "
                "know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`"
            )
    missing = [name for name in CONTROL_PLANE if manifests.existing(name) is None]
    if missing:
        raise Failed(f"[upgrade/health] FATAL: static Pod manifests are missing: {missing}")


def plan(wanted: str) -> None:
    api = _admin()
    say("[preflight] Running pre-flight checks.")
    for line in READ:
        say(line.replace("[upgrade]", "[upgrade/config]"))
    healthy(api)
    running, kubelets = versions(api)
    ours = version("kubeadm")
    target = wanted or ours
    say("[upgrade] Fetching available versions to upgrade to")
    say(f"[upgrade/versions] Cluster version: {running.lstrip('v')}")
    say(f"[upgrade/versions] kubeadm version: {ours}")
    say(f"[upgrade/versions] Target version: {target}")
    if policy.parse(target) <= policy.parse(running):
        say("\nAwesome, you're up-to-date! Enjoy!\n")
        return
    refused = policy.refusal(target, running, ours, kubelets.values())
    if refused:
        raise Failed(refused)
    series = f"v{'.'.join(map(str, policy.parse(target)[:2]))} series"
    say(
        "\nComponents that must be upgraded manually after you have upgraded the control plane with "
        "'kubeadm upgrade apply':"
    )
    say("COMPONENT   NODE      CURRENT   TARGET")
    for name, kubelet_version in sorted(kubelets.items()):
        say(f"kubelet     {name}   {kubelet_version}   {target}")
    say(f"\nUpgrade to the latest version in the {series}:\n")
    say("COMPONENT                 NODE      CURRENT    TARGET")
    for component in CONTROL_PLANE:
        say(f"{component:<25} {_node_name()}   {running}    {target}")
    say(
        f"\nYou can now apply the upgrade by executing the following command:\n\n\tkubeadm upgrade "
        f"apply {target}\n"
    )


def _admin() -> Api:
    if not cluster.is_control_plane():
        raise Failed(
            f'couldn\'t create a Kubernetes client from file "{cluster.ADMIN}": failed to load admin '
            f"kubeconfig: open "
            f"{cluster.ADMIN}: no such file or directory"
        )
    try:
        api = Api.of(cluster.ADMIN)
        api.get("/version")
    except (OSError, Unreachable) as error:
        raise Failed(f"[upgrade/init config] FATAL: failed to get config map: {error}") from None
    return api


def apply(wanted: str, options: dict[str, object]) -> None:
    wanted = wanted if wanted.startswith("v") else f"v{wanted}"
    api = _admin()
    configuration = own_configuration(api)
    ours, forced = version("kubeadm"), bool(options.get("force"))
    if not any(options.get(name) for name in ("yes", "y", "force", "f")):
        raise Failed(
            "error execution phase preflight: won't proceed; the user didn't answer (Y|y) in order to "
            "continue"
        )

    def check() -> None:
        for line in READ:
            say(line)
        say("[upgrade/preflight] Running pre-flight checks")
        healthy(api)
        say(f'[upgrade/preflight] You have chosen to upgrade the cluster version to "{wanted}"')
        try:
            policy.parse(wanted)
        except ValueError as error:
            raise Failed(str(error)) from None
        running, kubelets = versions(api)
        say(f"[upgrade/versions] Cluster version: {running}")
        say(f"[upgrade/versions] kubeadm version: {ours}")
        refused = policy.refusal(wanted, running, ours, kubelets.values(), forced)
        if refused:
            raise Failed(refused)
        configuration.cluster["kubernetesVersion"] = wanted
        say("[upgrade/preflight] Pulling images required for setting up a Kubernetes cluster")
        preflight.enforce(
            preflight.of_images(configuration), str(options.get("ignore-preflight-errors") or "").split(",")
        )

    def control_plane() -> None:
        limit = configuration.timeout("upgradeManifests")
        say(
            f"[upgrade/control-plane] Upgrading your static Pod-hosted control plane to version "
            f'"{wanted}" (timeout: '
            f"{limit})..."
        )
        replace_static_pods(configuration)
        say("[upgrade/control-plane] The control plane instance for this node was successfully upgraded!")

    def upload() -> None:
        cluster.upload_configuration(api, configuration, cluster.kubelet_configuration(api))

    run(
        "upgrade",
        [
            ("preflight", check),
            ("control-plane", control_plane),
            ("upload-config", upload),
            ("kubelet-config", lambda: renew_kubelet_configuration(api, configuration)),
            ("bootstrap-token", lambda: cluster.allow_joining(api)),
            ("addon/coredns", lambda: upgrade_addon(api, configuration, "coredns")),
            ("addon/kube-proxy", lambda: upgrade_addon(api, configuration, "kube-proxy")),
        ],
        str(options.get("skip-phases") or "").split(","),
    )
    say(f'\n[upgrade] SUCCESS! A control plane node of your cluster was upgraded to "{wanted}".\n')
    say("[upgrade] Now please proceed with upgrading the rest of the nodes by following the right order.")


def upgrade_addon(api: Api, configuration: Configuration, name: str) -> None:
    """Put an add-on of the new release, once the last control plane has been upgraded."""
    if not configuration.is_control_plane:
        say(f"[upgrade/addon] Skipping the addon/{name} phase. Not a control plane node.")
        return
    release = configuration.kubernetes_version
    behind = [
        pod["metadata"]["name"]
        for pod in api.items("/api/v1/pods?labelSelector=component%3Dkube-apiserver")
        if not str(pod["spec"]["containers"][0]["image"]).endswith(f":{release}")
    ]
    if behind:
        say(
            "[upgrade/addon] Skipping upgrade of addons because control plane instances "
            f"[{' '.join(behind)}] have not been upgraded"
        )
        return
    put = addons.dns_addon if name == "coredns" else addons.proxy_addon
    put(api, configuration.cluster)


def node(options: dict[str, object]) -> None:
    control_plane_here = cluster.is_control_plane()
    try:
        api = Api.of(cluster.ADMIN if control_plane_here else KUBELET_CONF)
        configuration = own_configuration(api)
    except (OSError, Unreachable) as error:
        raise Failed(f"couldn't get the configuration of the cluster: {error}") from None

    def check() -> None:
        for line in READ:
            say(line)
        say("[upgrade/preflight] Running pre-flight checks")
        if not control_plane_here:
            say("[upgrade/preflight] Skipping prepull. Not a control plane node.")
            return
        say("[upgrade/preflight] Pulling images required for setting up a Kubernetes cluster")
        preflight.enforce(
            preflight.of_images(configuration), str(options.get("ignore-preflight-errors") or "").split(",")
        )

    def control_plane() -> None:
        if not control_plane_here:
            say(f"[upgrade/control-plane] {NOT_CONTROL_PLANE}")
            return
        say("[upgrade/control-plane] Upgrading your Static Pod-hosted control plane instance to version "
            f'"{configuration.kubernetes_version}"...')  # fmt: skip
        replace_static_pods(configuration)
        say("[upgrade/control-plane] The control plane instance for this node was successfully upgraded!")

    run(
        "upgrade",
        [
            ("preflight", check),
            ("control-plane", control_plane),
            ("kubelet-config", lambda: renew_kubelet_configuration(api, configuration)),
            ("addon/coredns", lambda: upgrade_addon(api, configuration, "coredns")),
            ("addon/kube-proxy", lambda: upgrade_addon(api, configuration, "kube-proxy")),
        ],
        str(options.get("skip-phases") or "").split(","),
    )
    say("[upgrade] The configuration for this node was successfully upgraded!")
    say("[upgrade] Now you should go ahead and upgrade the kubelet package using your package manager.")


def renew_kubelet_configuration(api: Api, configuration: Configuration) -> None:
    settings = cluster.kubelet_configuration(api)
    kubelet.write_configuration(settings, configuration.socket)
    say("[upgrade/kubelet-config] The kubelet configuration for this node was successfully upgraded!")
