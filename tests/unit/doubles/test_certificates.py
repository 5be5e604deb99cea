"""Certificates as kubeadm makes them, tokens that end, and what a joining node believes."""

from __future__ import annotations

import re
import stat
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from common import jws, x509
from common.kubeconfig import current, kubeconfig
from controllers.manager import over
from kubeadm import certs, cluster, tokens
from kubeadm.defaults import for_init, token_defaults
from kubeadm.phases import Failed

TOKEN = "abcdef.0123456789abcdef"
DOCUMENTS = """
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: 192.168.10.100}
nodeRegistration: {name: k8s-ctr}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.33.2
controlPlaneEndpoint: 192.168.10.200:6443
networking: {podSubnet: 172.20.0.0/16, serviceSubnet: 10.96.0.0/16}
apiServer: {certSANs: [Lab.Example]}
"""


@pytest.fixture
def authority(tmp_path):
    certificate, key = tmp_path / "some.crt", tmp_path / "some.key"
    x509.new_ca(certificate, key, "kubernetes")
    return certificate, key


def test_the_layout_is_that_of_kubeadm(root) -> None:
    configuration = for_init(DOCUMENTS)
    certs.authorities()
    certs.leaves(configuration)
    certs.kubeconfigs(configuration, list(certs.KUBECONFIGS))
    pki = root / "etc/kubernetes/pki"
    assert {str(path.relative_to(pki)) for path in pki.rglob("*") if path.is_file()} == {
        "ca.crt",
        "ca.key",
        "front-proxy-ca.crt",
        "front-proxy-ca.key",
        "etcd/ca.crt",
        "etcd/ca.key",
        "sa.key",
        "sa.pub",
        "apiserver.crt",
        "apiserver.key",
        "apiserver-kubelet-client.crt",
        "apiserver-kubelet-client.key",
        "front-proxy-client.crt",
        "front-proxy-client.key",
        "etcd/server.crt",
        "etcd/server.key",
        "etcd/peer.crt",
        "etcd/peer.key",
        "etcd/healthcheck-client.crt",
        "etcd/healthcheck-client.key",
        "apiserver-etcd-client.crt",
        "apiserver-etcd-client.key",
    }
    secret = [*pki.rglob("*.key"), *(root / "etc/kubernetes").glob("*.conf")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", pki / "apiserver.crt"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in (
        "DNS:k8s-ctr",
        "DNS:kubernetes.default.svc.cluster.local",
        "DNS:lab.example",
        "IP Address:10.96.0.1",
        "IP Address:192.168.10.100",
        "IP Address:192.168.10.200",
    ):
        assert name in text
    place, user = current((root / "etc/kubernetes/admin.conf").read_text())
    assert place["server"] == "https://192.168.10.200:6443"
    subject = x509.subject(__import__("base64").b64decode(user["client-certificate-data"]).decode())
    assert subject == {"O": ["kubeadm:cluster-admins"], "CN": ["kubernetes-admin"]}
    for name, ca in (("apiserver", "ca"), ("etcd/peer", "etcd/ca"), ("front-proxy-client", "front-proxy-ca")):
        command = ["openssl", "verify", "-CAfile", pki / f"{ca}.crt", pki / f"{name}.crt"]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0, name


def test_the_hash_of_a_ca_is_that_of_openssl(authority) -> None:
    certificate, _ = authority
    command = (
        f"openssl x509 -pubkey -in {certificate} | openssl rsa -pubin -outform der 2>/dev/null | "
        "openssl dgst -sha256 -hex | sed 's/^.* //'"
    )
    said = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout.strip()
    assert x509.spki_hash(certificate.read_text()) == f"sha256:{said}"


def information(authority, token: str = TOKEN) -> dict[str, object]:
    text = kubeconfig("https://192.168.10.100:6443", authority[0].read_text(), "", "", {})
    identity, secret = token.split(".")
    return {"data": {"kubeconfig": text, f"jws-kubeconfig-{identity}": jws.signature(text, identity, secret)}}


def test_a_joining_node_believes_the_pinned_authority(authority) -> None:
    pin = x509.spki_hash(authority[0].read_text())
    found = cluster.verify_cluster_info(
        information(authority), TOKEN, [f"sha256:{'0' * 64}", pin.upper().replace("SHA", "sha")]
    )
    assert found == authority[0].read_text()


@pytest.mark.parametrize(
    ("pin", "said"),
    [
        (f"sha256:{'0' * 64}", r'none of the public keys "sha256:[0-9a-f]{64}" are pinned'),
        ("sha256:00", "invalid discovery token CA certificate hash"),
        ("md5:00", "invalid discovery token CA certificate hash"),
    ],
)
def test_it_believes_no_other(authority, pin: str, said: str) -> None:
    with pytest.raises(Failed, match=said):
        cluster.verify_cluster_info(information(authority), TOKEN, [pin])


def test_it_believes_only_what_its_token_has_signed(authority) -> None:
    with pytest.raises(Failed, match="failed to verify JWS signature"):
        cluster.verify_cluster_info(information(authority, "abcdef.aaaaaaaaaaaaaaaa"), TOKEN, [])
    with pytest.raises(Failed, match="there is no kubeconfig key"):
        cluster.verify_cluster_info({"data": {}}, TOKEN, [])


def test_a_signature_is_a_detached_one() -> None:
    assert re.fullmatch(r"[\w-]+\.\.[\w-]+", jws.signature("text", "abcdef", "0123456789abcdef"))


def test_tokens_end_by_themselves() -> None:
    made = tokens.fields_of(tokens.secret_of(token_defaults({"ttl": "1h"})))
    end = datetime.fromisoformat(made["expiration"].replace("Z", "+00:00"))
    assert timedelta(minutes=59) < end - datetime.now(UTC) <= timedelta(hours=1)
    assert not tokens.expired(made) and not over(made)
    assert tokens.remaining(made) == "59m"
    past = {**made, "expiration": "2020-01-01T00:00:00Z"}
    assert tokens.expired(past) and over(past)
    assert tokens.remaining(past) == "<invalid>"
    for_ever = tokens.fields_of(tokens.secret_of(token_defaults({"ttl": "0s"})))
    assert "expiration" not in for_ever and not over(for_ever)


def test_the_list_of_tokens_has_kubeadms_columns() -> None:
    made = tokens.fields_of(tokens.secret_of(token_defaults({"token": TOKEN, "description": "join"})))
    head, row = tokens.table([made]).splitlines()
    assert head.split() == ["TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA", "GROUPS"]
    assert row.split()[0] == TOKEN
    assert "authentication,signing" in row


def test_sealed_certificates_open_with_their_key_only() -> None:
    key = cluster.new_certificate_key()
    sealed = x509.seal(b"secret", key)
    assert b"secret" not in sealed
    assert x509.unseal(sealed, key) == b"secret"
    with pytest.raises(x509.Tampered):
        x509.unseal(sealed, cluster.new_certificate_key())
    with pytest.raises(x509.Tampered):
        x509.unseal(bytes([sealed[0] ^ 1]) + sealed[1:], key)
