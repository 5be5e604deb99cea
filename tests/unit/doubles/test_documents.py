"""kubeadm's and kubelet's documents: what is refused, and in which words."""

from __future__ import annotations

import pytest
import yaml
from common.documents import DocumentError, load, seconds
from kubeadm.configuration import images
from kubeadm.defaults import ValidationError, for_init, for_join, kubelet_configuration

API = "apiVersion: kubeadm.k8s.io/v1beta4\n"
CLUSTER = f"{API}kind: ClusterConfiguration\n"
INIT = f"{API}kind: InitConfiguration\nlocalAPIEndpoint: {{advertiseAddress: 192.168.10.100}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{CLUSTER}apiServer: {{certSan: [a]}}\nkubeProxy: {{}}",
            'error unmarshaling configuration schema.GroupVersionKind{Group:"kubeadm.k8s.io", '
            'Version:"v1beta4", '
            'Kind:"ClusterConfiguration"}: strict decoding error: unknown field "apiServer.certSan", '
            "unknown field "
            '"kubeProxy"',
        ),
        (
            f"{CLUSTER}kubernetesVersion: 1.33",
            "json: cannot unmarshal number into Go struct field ClusterConfiguration.kubernetesVersion "
            "of type string",
        ),
        (
            f"{INIT.replace('}', ', bindPort: x}')}",
            "json: cannot unmarshal string into Go struct field APIEndpoint.localAPIEndpoint.bindPort "
            "of type int32",
        ),
        (
            f"{CLUSTER}apiServer: {{extraArgs: {{v: '2'}}}}",
            "json: cannot unmarshal object into Go struct field APIServer.apiServer.extraArgs of type "
            "[]v1beta4.Arg",
        ),
        (
            f"{API}kind: InitConfiguration\nnodeRegistration: {{kubeletExtraArgs: [{{name: v, value: 2}}]}}",
            "json: cannot unmarshal number into Go struct field "
            "Arg.nodeRegistration.kubeletExtraArgs[0].value of "
            "type string",
        ),
        (f"{CLUSTER}proxy: {{disabled: 'yes'}}", "field Proxy.proxy.disabled of type bool"),
        (
            f"{CLUSTER}---\n{CLUSTER}",
            'invalid configuration: kind "ClusterConfiguration" is specified twice in YAML file',
        ),
        (f"{API}kind: MasterConfiguration", 'no kind "MasterConfiguration" is registered for version'),
        ("kind: ClusterConfiguration", "kind and apiVersion is mandatory information that must be specified"),
        ("apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration", "uses an old API spec"),
        (f"{CLUSTER}clusterName: a\nclusterName: b", 'key "clusterName" already set in map'),
        (f"{CLUSTER}a: [", "error converting YAML to JSON"),
        (
            f"{INIT}timeouts: {{discovery: 5}}",
            "cannot unmarshal number into Go struct field Timeouts.timeouts.discovery",
        ),
        (f"{INIT}timeouts: {{discovery: soon}}", 'time: invalid duration "soon"'),
        (
            "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nresolveConf: /x",
            'Kind:"KubeletConfiguration"}: strict decoding error: unknown field "resolveConf"',
        ),
    ],
)
def test_a_document_that_is_not_of_its_shape_is_refused(text: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load(text)
    assert said in str(caught.value)


def test_documents_of_different_kinds_belong_together(root) -> None:
    kubelet = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nresolvConf: /run/x\n"
    found = for_init(f"{INIT}---\n{CLUSTER}kubernetesVersion: 1.33.2\n---\n{kubelet}")
    assert found.kubernetes_version == "v1.33.2"
    assert found.address == "192.168.10.100"
    assert kubelet_configuration(found.kubelet, found.cluster)["resolvConf"] == "/run/x"
    assert found.node["nodeRegistration"]["taints"][0]["key"] == "node-role.kubernetes.io/control-plane"


def test_an_empty_list_of_taints_means_none(root) -> None:
    assert for_init(f"{INIT}nodeRegistration: {{taints: []}}").node["nodeRegistration"]["taints"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{INIT}certificateKey: ab", "certificate key must be 32 bytes"),
        (f"{INIT}nodeRegistration: {{name: a_b}}", "nodeRegistration.name: Invalid value"),
        (f"{INIT}nodeRegistration: {{criSocket: /run/x.sock}}", "nodeRegistration.criSocket: Invalid value"),
        (f"{CLUSTER}networking: {{podSubnet: 10.0.0.1/33}}", "networking.podSubnet: Invalid value"),
        (f"{CLUSTER}networking: {{serviceSubnet: 10.0.0.0/30}}", "is too small"),
        (f"{INIT}bootstrapTokens: [{{groups: [admins]}}]", "bootstrapTokens.groups: Invalid value"),
    ],
)
def test_what_cannot_be_is_refused(root, text: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        for_init(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{INIT}bootstrapTokens: [{{token: abc}}]", 'the bootstrap token "abc" was not of the form'),
        (f"{CLUSTER}kubernetesVersion: stable", "doesn't match patterns"),
        (
            f"{CLUSTER}kubernetesVersion: v1.31.0",
            "only supports deploying clusters with the control plane version >= 1.32.0",
        ),
        ("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration", "no InitConfiguration or"),
    ],
)
def test_what_kubeadm_cannot_work_with_is_refused(root, text: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        for_init(text)
    assert said in str(caught.value)


def joining(**token: object) -> str:
    discovery = {
        "bootstrapToken": {"token": "abcdef.0123456789abcdef", "apiServerEndpoint": "10.0.0.1:6443", **token}
    }
    return yaml.safe_dump(
        {"apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "JoinConfiguration", "discovery": discovery}
    )


def test_joining_without_a_pin_has_to_be_asked_for(root) -> None:
    with pytest.raises(ValidationError, match="without caCertHashes can be unsafe"):
        for_join(joining())
    assert for_join(joining(unsafeSkipCAVerification=True)).is_control_plane is False
    with pytest.raises(ValidationError, match="missing port"):
        for_join(joining(unsafeSkipCAVerification=True, apiServerEndpoint="10.0.0.1"))
    with pytest.raises(ValidationError, match="must be set"):
        for_join("apiVersion: kubeadm.k8s.io/v1beta4\nkind: JoinConfiguration")


def test_the_images_are_those_of_what_is_deployed(root) -> None:
    cluster = for_init(f"{CLUSTER}kubernetesVersion: v1.33.2\nproxy: {{disabled: true}}").cluster
    assert images(cluster) == [
        "registry.k8s.io/kube-apiserver:v1.33.2",
        "registry.k8s.io/kube-controller-manager:v1.33.2",
        "registry.k8s.io/kube-scheduler:v1.33.2",
        "registry.k8s.io/coredns/coredns:v1.12.0",
        "registry.k8s.io/pause:3.10",
        "registry.k8s.io/etcd:3.5.21-0",
    ]


@pytest.mark.parametrize(
    ("text", "number"), [("1h30m", 5400), ("4m0s", 240), ("500ms", 0.5), ("0", 0), ("-1s", -1)]
)
def test_durations(text: str, number: float) -> None:
    assert seconds(text) == number
