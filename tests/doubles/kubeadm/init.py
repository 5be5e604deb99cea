"""`kubeadm init`"""

from __future__ import annotations

from collections.abc import Sequence

from common.api import Api, Unreachable
from kubeadm import addons, certs, cluster, kubelet, manifests, preflight, tokens, waiting
from kubeadm.configuration import Configuration
from kubeadm.defaults import kubelet_configuration
from kubeadm.phases import Failed, Phase, run, say

DONE = """
Your Kubernetes control-plane has initialized successfully!

To start using your cluster, you need to run the following as a regular user:

  mkdir -p $HOME/.kube
  sudo cp -i /etc/kubernetes/admin.conf $HOME/.kube/config
  sudo chown $(id -u):$(id -g) $HOME/.kube/config

Alternatively, if you are the root user, you can run:

  export KUBECONFIG=/etc/kubernetes/admin.conf

You should now deploy a pod network to the cluster.
Run "kubectl apply -f [podnetwork].yaml" with one of the options listed at:
  https://kubernetes.io/docs/concepts/cluster-administration/addons/
"""
WITHHELD = "<value withheld>"


def _bound() -> bool | None:
    try:
        cluster.allow_administrators()
    except Unreachable:
        return None
    return True


def init(configuration: Configuration, options: dict[str, object], skipped: Sequence[str]) -> None:
    """Make a control plane on this machine; ``options`` are the switches of the command line."""
    upload, quiet = bool(options.get("upload-certs")), bool(options.get("skip-token-print"))
    node, of_cluster = configuration.node, configuration.cluster
    ignored = [*(node["nodeRegistration"].get("ignorePreflightErrors") or []), *_listed(options)]
    of_kubelet = kubelet_configuration(configuration.kubelet, of_cluster)
    key = str(options.get("certificate-key") or node.get("certificateKey") or "")

    def admin() -> Api:
        return Api.of(cluster.ADMIN)

    def check() -> None:
        say("[preflight] Running pre-flight checks")
        preflight.enforce(preflight.of_init(configuration), ignored)
        say("[preflight] Pulling images required for setting up a Kubernetes cluster")
        say("[preflight] This might take a minute or two, depending on the speed of your internet connection")
        say("[preflight] You can also perform this action beforehand using 'kubeadm config images pull'")
        preflight.enforce(preflight.of_images(configuration), ignored)

    def certificates() -> None:
        certs.authorities()
        certs.leaves(configuration)

    def etcd() -> None:
        say(f'[etcd] Creating static Pod manifest for local etcd in "{manifests.FOLDER}"')
        manifests.write_manifest(configuration, "etcd")

    def control_plane() -> None:
        say(f'[control-plane] Using manifest folder "{manifests.FOLDER}"')
        for component in manifests.CONTROL_PLANE:
            say(f'[control-plane] Creating static Pod manifest for "{component}"')
            manifests.write_manifest(configuration, component)

    def start_kubelet() -> None:
        kubelet.stop()
        kubelet.write_environment(configuration, taint=True)
        kubelet.write_configuration(of_kubelet, configuration.socket)
        kubelet.start()

    def wait() -> None:
        say(
            "[wait-control-plane] Waiting for the kubelet to boot up the control plane as static Pods from "
            f'directory "{manifests.FOLDER}"'
        )
        waiting.for_kubelet(configuration)
        waiting.for_control_plane(configuration)
        # The endpoint may be a load balancer, which learns a moment later that the API server is well.
        if waiting.until(_bound, 60) is None:
            cluster.allow_administrators()

    def upload_configuration() -> None:
        cluster.upload_configuration(admin(), configuration, of_kubelet)
        if waiting.until(lambda: admin().find(f"/api/v1/nodes/{configuration.name}"), 60) is None:
            raise Failed(
                f'error patching Node "{configuration.name}": nodes "{configuration.name}" not found'
            )
        cluster.annotate_socket(admin(), configuration)

    def upload_certs() -> None:
        if not upload:
            say("[upload-certs] Skipping phase. Please see --upload-certs")
            return
        upload_certificates(
            key or cluster.new_certificate_key(), not options.get("skip-certificate-key-print")
        )

    def bootstrap() -> None:
        api = admin()
        for token in node["bootstrapTokens"]:
            say(f"[bootstrap-token] Using token: {WITHHELD if quiet else token['token']}")
        say("[bootstrap-token] Configuring bootstrap tokens, cluster-info ConfigMap, RBAC Roles")
        for token in node["bootstrapTokens"]:
            api.put(tokens.SECRETS, tokens.secret_of(token))
        cluster.allow_joining(api)
        cluster.cluster_info(api, configuration)

    def join_command() -> None:
        say(DONE)
        token = WITHHELD if quiet else node["bootstrapTokens"][0]["token"]
        if of_cluster.get("controlPlaneEndpoint"):
            say(
                "You can now join any number of control-plane nodes running the following command on "
                "each as root:\n"
            )
            say(_command(configuration, token) + " \\\n\t--control-plane\n")
        say("Then you can join any number of worker nodes by running the following on each as root:\n")
        say(_command(configuration, token))

    say(f"[init] Using Kubernetes version: {configuration.kubernetes_version}")
    phases: list[Phase] = [
        ("preflight", check),
        ("certs", certificates),
        ("kubeconfig", lambda: certs.kubeconfigs(configuration, list(certs.KUBECONFIGS))),
        ("etcd", etcd),
        ("control-plane", control_plane),
        ("kubelet-start", start_kubelet),
        ("wait-control-plane", wait),
        ("upload-config", upload_configuration),
        ("upload-certs", upload_certs),
        ("mark-control-plane", lambda: cluster.mark_control_plane(admin(), configuration)),
        ("bootstrap-token", bootstrap),
        ("kubelet-finalize", kubelet.use_rotated_certificate),
        ("addon/coredns", lambda: addons.dns_addon(admin(), of_cluster)),
        ("addon/kube-proxy", lambda: addons.proxy_addon(admin(), of_cluster)),
        ("show-join-command", join_command),
    ]
    run("init", phases, [*(node.get("skipPhases") or []), *skipped])


def upload_certificates(key: str, shown: bool) -> None:
    cluster.upload_certificates(Api.of(cluster.ADMIN), key)
    if shown:
        say("[upload-certs] Using certificate key:")
        say(key)


def _command(configuration: Configuration, token: str) -> str:
    endpoint = configuration.server.removeprefix("https://")
    return f"kubeadm join {endpoint} --token {token} \\\n\t--discovery-token-ca-cert-hash {certs.ca_hash()} "


def _listed(options: dict[str, object]) -> list[str]:
    said = str(options.get("ignore-preflight-errors") or "")
    return [name.strip() for name in said.split(",") if name.strip()]
