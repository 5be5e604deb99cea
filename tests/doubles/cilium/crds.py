"""The CustomResourceDefinitions that Cilium's operator makes when it starts: names, columns, small schemas.

Unlike the real ones they say nothing of what a field means; what is no field is pruned all the same.
"""

from __future__ import annotations

import re
from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
BOOL: Schema = {"type": "boolean"}
INT: Schema = {"type": "integer"}
ANY: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
AGE = ("Age", ".metadata.creationTimestamp", "date")


def obj(required: str = "", **properties: Schema) -> Schema:
    found: Schema = {"type": "object", "properties": properties}
    return {**found, "required": required.split()} if required else found


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def number(minimum: int, maximum: int, **more: Any) -> Schema:
    return {"type": "integer", "minimum": minimum, "maximum": maximum, **more}


def words(*choices: str) -> Schema:
    return {"type": "string", "enum": list(choices)}


SELECTOR = obj(
    matchLabels={
        "type": "object",
        "additionalProperties": {
            "type": "string",
            "maxLength": 63,
            "pattern": "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$",
        },
    },
    matchExpressions=array(
        obj(
            "key operator",
            key=TEXT,
            operator=words("In", "NotIn", "Exists", "DoesNotExist"),
            values=array(TEXT),
        )
    ),
)
CONDITIONS = obj(
    conditions=array(
        obj(
            "lastTransitionTime message reason status type",
            lastTransitionTime=TEXT,
            message=TEXT,
            observedGeneration=INT,
            reason={"type": "string", "minLength": 1},
            status=words("True", "False", "Unknown"),
            type=TEXT,
        )
    )
)
NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
ASN = number(1, 4294967295)
TRANSPORT = obj(peerPort=number(1, 65535, default=179))

POOL = obj(
    blocks=array(obj(cidr=TEXT, start=TEXT, stop=TEXT)),
    allowFirstLastIPs=words("Yes", "No"),
    disabled={**BOOL, "default": False},
    serviceSelector=SELECTOR,
)
POLICY = obj(
    externalIPs=BOOL,
    loadBalancerIPs=BOOL,
    interfaces=array(TEXT),
    nodeSelector=SELECTOR,
    serviceSelector=SELECTOR,
)
NODE = obj(
    addresses=array(obj(ip=TEXT, type=TEXT)),
    bootid=TEXT,
    encryption=obj(key=INT),
    health=obj(ipv4=TEXT, ipv6=TEXT),
    ingress=obj(ipv4=TEXT, ipv6=TEXT),
    ipam={**obj(podCIDRs=array(TEXT)), "x-kubernetes-preserve-unknown-fields": True},
    nodeidentity=INT,
)
ADVERTISEMENT = obj(
    "advertisements",
    advertisements=array(
        obj(
            "advertisementType",
            advertisementType=words("PodCIDR", "CiliumPodIPPool", "Service"),
            attributes=obj(
                communities=obj(large=array(TEXT), standard=array(TEXT), wellKnown=array(TEXT)),
                localPreference=INT,
            ),
            selector=SELECTOR,
            service=obj(
                "addresses",
                addresses=array(words("LoadBalancerIP", "ClusterIP", "ExternalIP"), minItems=1),
                aggregationLengthIPv4=number(0, 31),
                aggregationLengthIPv6=number(0, 127),
            ),
        )
    ),
)
PEER = obj(
    "name",
    name=NAME,
    autoDiscovery=obj(
        "mode", mode=TEXT, defaultGateway=obj("addressFamily", addressFamily=words("ipv4", "ipv6"))
    ),
    peerAddress={"type": "string", "pattern": "^[0-9A-Fa-f.:]+$"},
    peerASN=number(0, 4294967295, default=0),
    peerConfigRef=obj("name", name=TEXT),
)
CLUSTER_CONFIG = obj(
    "bgpInstances",
    bgpInstances=array(
        obj("name", name=NAME, localASN=ASN, localPort=number(1, 65535), peers=array(PEER)),
        minItems=1,
        maxItems=16,
    ),
    nodeSelector=SELECTOR,
)
PEER_CONFIG = obj(
    authSecretRef=TEXT,
    ebgpMultihop=number(1, 255, default=1),
    families=array(
        obj(
            "afi safi",
            advertisements=SELECTOR,
            afi=words("ipv4", "ipv6", "l2vpn", "ls", "opaque"),
            safi=words("unicast", "multicast", "mpls_label", "encapsulation", "vpls", "evpn", "mpls_vpn"),
        )
    ),
    gracefulRestart=obj("enabled", enabled=BOOL, restartTimeSeconds=number(1, 4095, default=120)),
    timers=obj(
        connectRetryTimeSeconds=number(1, 2147483647, default=120),
        holdTimeSeconds=number(3, 65535, default=90),
        keepAliveTimeSeconds=number(1, 65535, default=30),
    ),
    transport=TRANSPORT,
)
POOL_COLUMNS = (
    ("Disabled", ".spec.disabled", "boolean"),
    ("Conflicting", '.status.conditions[?(@.type=="cilium.io/PoolConflict")].status', "string"),
    ("IPs Available", '.status.conditions[?(@.type=="cilium.io/IPsAvailable")].message', "string"),
    AGE,
)
NODE_COLUMNS = (
    ("CiliumInternalIP", '.spec.addresses[?(@.type=="CiliumInternalIP")].ip', "string"),
    ("InternalIP", '.spec.addresses[?(@.type=="InternalIP")].ip', "string"),
    AGE,
)

# Kind, short names, versions (the first is stored), schema of spec and of status, required, columns.
_KINDS: tuple[tuple[str, str, str, Schema, Schema | None, str, tuple[tuple[str, str, str], ...]], ...] = (
    ("CiliumNode", "cn ciliumn", "v2", NODE, ANY, "spec", NODE_COLUMNS),
    ("CiliumLoadBalancerIPPool", "ippools ippool lbippool lbippools", "v2 v2alpha1", POOL, CONDITIONS, "spec",
     POOL_COLUMNS),
    ("CiliumL2AnnouncementPolicy", "l2announcement", "v2alpha1", POLICY, CONDITIONS, "", (AGE,)),
    ("CiliumBGPClusterConfig", "cbgpcluster", "v2 v2alpha1", CLUSTER_CONFIG, CONDITIONS, "spec", (AGE,)),
    ("CiliumBGPPeerConfig", "cbgppeer", "v2 v2alpha1", PEER_CONFIG, CONDITIONS, "spec", (AGE,)),
    ("CiliumBGPAdvertisement", "cbgpadvert", "v2 v2alpha1", ADVERTISEMENT, None, "spec", (AGE,)),
    ("CiliumBGPNodeConfig", "cbgpnode", "v2 v2alpha1", ANY, ANY, "spec", (AGE,)),
    ("CiliumBGPNodeConfigOverride", "cbgpnodeoverride", "v2 v2alpha1", ANY, None, "spec", (AGE,)),
    ("CiliumEndpoint", "cep ciliumep", "v2", ANY, ANY, "", (AGE,)),
    ("CiliumIdentity", "ciliumid", "v2", ANY, None, "", (AGE,)),
)  # fmt: skip
NAMESPACED = {"CiliumEndpoint"}


def definitions() -> list[dict[str, Any]]:
    return [_definition(*kind) for kind in _KINDS]


def _definition(
    kind: str, short: str, versions: str, spec: Schema, status: Schema | None, required: str, columns: Any
) -> dict[str, Any]:
    plural = re.sub("y?$", lambda end: "ies" if end[0] else "s", kind.lower(), count=1)
    schema = obj(required, apiVersion=TEXT, kind=TEXT, metadata={"type": "object"}, spec=spec)
    if status is not None:
        schema["properties"]["status"] = status
    categories = ["cilium", "ciliumbgp"] if "BGP" in kind else ["cilium"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.cilium.io",
            "labels": {"io.cilium.k8s.crd.schema.version": "1.32.4"},
        },
        "spec": {
            "group": "cilium.io",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": short.split(),
                "categories": categories,
            },
            "scope": "Namespaced" if kind in NAMESPACED else "Cluster",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": number == 0,
                    "schema": {"openAPIV3Schema": schema},
                    "additionalPrinterColumns": [
                        {"name": name, "jsonPath": path, "type": form} for name, path, form in columns
                    ],
                    **({"subresources": {"status": {}}} if status is not None else {}),
                }
                for number, version in enumerate(versions.split())
            ],
        },
    }
