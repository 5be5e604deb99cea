"""Bodies in Kubernetes' protobuf: kubectl 1.33 sends them from its ``create`` commands and ``auth``.

https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding; the numbers of the fields are
those of the generated.proto files of k8s.io/api and k8s.io/apimachinery v0.33. What the table does not know
is refused, never dropped.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from apiserver.errors import unsupported_media_type

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"

# message: number, * for repeated, % for a map, name, and the type of what is no string: =int, =bool, =bytes,
# another message.
_MESSAGES = """
ObjectMeta: 1name 2generateName 3namespace 4selfLink 5uid 6resourceVersion 7generation=int
 8creationTimestamp=Time 9deletionTimestamp=Time 10deletionGracePeriodSeconds=int 11%labels 12%annotations
 13*ownerReferences=OwnerReference 14*finalizers
OwnerReference: 1kind 3name 4uid 5apiVersion 6controller=bool 7blockOwnerDeletion=bool
ConfigMap: 1metadata=ObjectMeta 2%data 3%binaryData=bytes 4immutable=bool
Secret: 1metadata=ObjectMeta 2%data=bytes 3type 4%stringData 5immutable=bool
Namespace: 1metadata=ObjectMeta 2spec=NamespaceSpec 3status=NamespaceStatus
NamespaceSpec: 1*finalizers
NamespaceStatus: 1phase
ServiceAccount: 1metadata=ObjectMeta 2*secrets=ObjectReference 3*imagePullSecrets=LocalObjectReference
 4automountServiceAccountToken=bool
ObjectReference: 1kind 2namespace 3name 4uid 5apiVersion 6resourceVersion 7fieldPath
LocalObjectReference: 1name
Service: 1metadata=ObjectMeta 2spec=ServiceSpec 3status=ServiceStatus
ServiceSpec: 1*ports=ServicePort 2%selector 3clusterIP 4type 5*externalIPs 7sessionAffinity 8loadBalancerIP
 9*loadBalancerSourceRanges 10externalName 11externalTrafficPolicy 12healthCheckNodePort=int
 13publishNotReadyAddresses=bool 17ipFamilyPolicy 18*clusterIPs 19*ipFamilies
 20allocateLoadBalancerNodePorts=bool 21loadBalancerClass 22internalTrafficPolicy 23trafficDistribution
ServicePort: 1name 2protocol 3port=int 4targetPort=IntOrString 5nodePort=int 6appProtocol
ServiceStatus: 1loadBalancer=Empty
Empty:
Deployment: 1metadata=ObjectMeta 2spec=DeploymentSpec 3status=Ignored
DeploymentSpec: 1replicas=count 2selector=LabelSelector 3template=PodTemplateSpec
 4strategy=DeploymentStrategy 5minReadySeconds=int 6revisionHistoryLimit=int 7paused=bool
 9progressDeadlineSeconds=int
DeploymentStrategy: 1type
LabelSelector: 1%matchLabels 2*matchExpressions=LabelSelectorRequirement
LabelSelectorRequirement: 1key 2operator 3*values
PodTemplateSpec: 1metadata=ObjectMeta 2spec=PodSpec
PodSpec: 2*containers=Container 3restartPolicy 6dnsPolicy 8serviceAccountName 9serviceAccount 10nodeName
 11hostNetwork=bool 12hostPID=bool 13hostIPC=bool 14securityContext=Empty 16hostname 17subdomain
 19schedulerName 24priorityClassName
Container: 1name 2image 3*command 4*args 5workingDir 6*ports=ContainerPort 7*env=EnvVar 8resources=Empty
 13terminationMessagePath 14imagePullPolicy 16stdin=bool 17stdinOnce=bool 18tty=bool
 20terminationMessagePolicy
ContainerPort: 1name 2hostPort=int 3containerPort=int 4protocol 5hostIP
EnvVar: 1name 2value
Job: 1metadata=ObjectMeta 2spec=JobSpec 3status=Ignored
JobSpec: 1parallelism=int 2completions=int 6template=PodTemplateSpec 7backoffLimit=int 9completionMode
Role: 1metadata=ObjectMeta 2*rules=PolicyRule
ClusterRole: 1metadata=ObjectMeta 2*rules=PolicyRule
PolicyRule: 1*verbs 2*apiGroups 3*resources 4*resourceNames 5*nonResourceURLs
RoleBinding: 1metadata=ObjectMeta 2*subjects=Subject 3roleRef=RoleRef
ClusterRoleBinding: 1metadata=ObjectMeta 2*subjects=Subject 3roleRef=RoleRef
Subject: 1kind 2apiGroup 3name 4namespace
RoleRef: 1apiGroup 2kind 3name
PriorityClass: 1metadata=ObjectMeta 2value=count 3globalDefault=bool 4description 5preemptionPolicy
PodDisruptionBudget: 1metadata=ObjectMeta 2spec=PodDisruptionBudgetSpec 3status=Ignored
PodDisruptionBudgetSpec: 1minAvailable=IntOrString 2selector=LabelSelector 3maxUnavailable=IntOrString
 4unhealthyPodEvictionPolicy
SelfSubjectAccessReview: 1metadata=ObjectMeta 2spec=SelfSubjectAccessReviewSpec 3status=Ignored
SelfSubjectAccessReviewSpec: 1resourceAttributes=ResourceAttributes
 2nonResourceAttributes=NonResourceAttributes
ResourceAttributes: 1namespace 2verb 3group 4version 5resource 6subresource 7name
NonResourceAttributes: 1path 2verb
SelfSubjectReview: 1metadata=ObjectMeta 2status=Ignored
CertificateSigningRequest: 1metadata=ObjectMeta 2spec=CertificateSigningRequestSpec
 3status=CertificateSigningRequestStatus
CertificateSigningRequestSpec: 1request=bytes 2username 3uid 4*groups 5*usages 7signerName
 8expirationSeconds=int
CertificateSigningRequestStatus: 1*conditions=CertificateSigningRequestCondition 2certificate=bytes
CertificateSigningRequestCondition: 1type 2reason 3message 4lastUpdateTime=Time 5lastTransitionTime=Time
 6status
Eviction: 1metadata=ObjectMeta 2deleteOptions=DeleteOptions
DeleteOptions: 1gracePeriodSeconds=count 2preconditions=Preconditions 3orphanDependents=bool
 4propagationPolicy 5*dryRun
Preconditions: 1uid 2resourceVersion
"""


def _fields() -> dict[str, dict[int, tuple[str, str, str]]]:
    """Message to number to (name, "" or "*" or "%", type)."""
    messages: dict[str, dict[int, tuple[str, str, str]]] = {}
    for line in _MESSAGES.replace("\n ", " ").strip().split("\n"):
        message, _, fields = line.partition(":")
        messages[message] = {}
        for entry in fields.split():
            digits = entry[: len(entry) - len(entry.lstrip("0123456789"))]
            rest, _, kind = entry[len(digits) :].partition("=")
            messages[message][int(digits)] = (rest.lstrip("*%"), rest[0] if rest[0] in "*%" else "", kind)
    return messages


_FIELDS = _fields()


def decoded(body: bytes) -> dict[str, Any]:
    """The object within the envelope runtime.Unknown; 415 for a kind or a field that is not in the table."""
    if not body.startswith(_MAGIC):
        raise _unknown("a body without Kubernetes' prefix")
    envelope = dict(_wire(body[len(_MAGIC) :]))
    what = {number: value.decode() for number, value in _wire(envelope[1])}
    kind = what.get(2, "")
    return {"apiVersion": what.get(1, ""), "kind": kind, **_message(kind, envelope.get(2, b""))}


def _unknown(what: str) -> Exception:
    return unsupported_media_type(f"{MEDIA_TYPE}: {what}", ["application/json", "application/yaml"])


def _message(message: str, content: bytes) -> dict[str, Any]:
    if message == "Ignored":
        return {}
    if message not in _FIELDS:
        raise _unknown(message)
    found: dict[str, Any] = {}
    for number, raw in _wire(content):
        if number not in _FIELDS[message]:
            raise _unknown(f"{message}, field {number}")
        name, shape, kind = _FIELDS[message][number]
        if shape == "%":
            entry = dict(_wire(raw))
            found.setdefault(name, {})[entry.get(1, b"").decode()] = _value(kind, entry.get(2, b""))
        elif shape == "*":
            found.setdefault(name, []).append(_value(kind, raw))
        else:
            value = _value(kind, raw)
            # Go writes what is not set, too, as what is empty; JSON leaves it out.
            if value not in ("", {}, None, False) and (value != 0 or kind == "count"):
                found[name] = value
    return found


def _value(kind: str, raw: Any) -> Any:
    if kind == "":
        return raw.decode()
    if kind in ("int", "count"):
        return raw - (1 << 64) if raw >> 63 else raw
    if kind == "bool":
        return bool(raw)
    if kind == "bytes":
        return b64encode(raw).decode()
    if kind == "Time":
        seconds = dict(_wire(raw)).get(1)
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None
    if kind == "IntOrString":
        parts = dict(_wire(raw))
        return parts.get(3, b"").decode() if parts.get(1) else _value("int", parts.get(2, 0))
    return _message(kind, raw)


def _wire(content: bytes) -> Iterator[tuple[int, Any]]:
    """Fields of a message: number with an integer or the bytes of what has a length."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = content[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while at < len(content):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        elif tag & 7 == 2:
            length = varint()
            at += length
            yield tag >> 3, content[at - length : at]
        else:
            raise _unknown(f"wire type {tag & 7}")
