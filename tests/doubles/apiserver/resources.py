"""Which resources there are, and where etcd keeps them.

Keys are kube-apiserver's: /registry/<resource>/<namespace>/<name> for what is built in, with a few older
names, and /registry/<group>/<resource>/… for custom resources.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from apiserver.etcd import Etcd

# group/version, resource, kind, namespaced or cluster, short names, categories, subresources ("-" for none)
_BUILT_IN = """
v1 bindings Binding n - - -
v1 componentstatuses ComponentStatus c cs - -
v1 configmaps ConfigMap n cm - -
v1 endpoints Endpoints n ep - -
v1 events Event n ev - -
v1 limitranges LimitRange n limits - -
v1 namespaces Namespace c ns - status,finalize
v1 nodes Node c no - status
v1 persistentvolumeclaims PersistentVolumeClaim n pvc - status
v1 persistentvolumes PersistentVolume c pv - status
v1 pods Pod n po all status,eviction,binding
v1 podtemplates PodTemplate n - - -
v1 replicationcontrollers ReplicationController n rc all status,scale
v1 resourcequotas ResourceQuota n quota - status
v1 secrets Secret n - - -
v1 serviceaccounts ServiceAccount n sa - token
v1 services Service n svc all status
{admission} mutatingwebhookconfigurations MutatingWebhookConfiguration c - api-extensions -
{admission} validatingadmissionpolicies ValidatingAdmissionPolicy c - api-extensions status
{admission} validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding c - api-extensions -
{admission} validatingwebhookconfigurations ValidatingWebhookConfiguration c - api-extensions -
apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition c crd,crds api-extensions status
apiregistration.k8s.io/v1 apiservices APIService c - api-extensions status
apps/v1 controllerrevisions ControllerRevision n - - -
apps/v1 daemonsets DaemonSet n ds all status
apps/v1 deployments Deployment n deploy all status,scale
apps/v1 replicasets ReplicaSet n rs all status,scale
apps/v1 statefulsets StatefulSet n sts all status,scale
authentication.k8s.io/v1 selfsubjectreviews SelfSubjectReview c - - -
authorization.k8s.io/v1 localsubjectaccessreviews LocalSubjectAccessReview n - - -
authorization.k8s.io/v1 selfsubjectaccessreviews SelfSubjectAccessReview c - - -
authorization.k8s.io/v1 subjectaccessreviews SubjectAccessReview c - - -
autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler n hpa all status
batch/v1 cronjobs CronJob n cj all status
batch/v1 jobs Job n - all status
certificates.k8s.io/v1 certificatesigningrequests CertificateSigningRequest c csr - status,approval
coordination.k8s.io/v1 leases Lease n - - -
discovery.k8s.io/v1 endpointslices EndpointSlice n - - -
events.k8s.io/v1 events Event n ev - -
networking.k8s.io/v1 ingressclasses IngressClass c - - -
networking.k8s.io/v1 ingresses Ingress n ing - status
networking.k8s.io/v1 networkpolicies NetworkPolicy n netpol - -
node.k8s.io/v1 runtimeclasses RuntimeClass c - - -
policy/v1 poddisruptionbudgets PodDisruptionBudget n pdb - status
rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding c - - -
rbac.authorization.k8s.io/v1 clusterroles ClusterRole c - - -
rbac.authorization.k8s.io/v1 rolebindings RoleBinding n - - -
rbac.authorization.k8s.io/v1 roles Role n - - -
scheduling.k8s.io/v1 priorityclasses PriorityClass c pc - -
storage.k8s.io/v1 csidrivers CSIDriver c - - -
storage.k8s.io/v1 csinodes CSINode c - - -
storage.k8s.io/v1 csistoragecapacities CSIStorageCapacity n - - -
storage.k8s.io/v1 storageclasses StorageClass c sc - -
storage.k8s.io/v1 volumeattachments VolumeAttachment c - - status
"""

# Asked by POST and never stored.
REVIEWS = frozenset(
    ["selfsubjectreviews", "localsubjectaccessreviews", "selfsubjectaccessreviews", "subjectaccessreviews"]
)
_OLD_KEYS = {
    "nodes": "minions",
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "replicationcontrollers": "controllers",
    "ingresses": "ingress",
    "customresourcedefinitions": "apiextensions.k8s.io/customresourcedefinitions",
    "apiservices": "apiregistration.k8s.io/apiservices",
}
CRDS = "/registry/apiextensions.k8s.io/customresourcedefinitions/"
_ALL_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True)
class Resource:
    """A resource of one API version. ``schema`` and ``columns`` are only a custom one's."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    short_names: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    subresources: list[str] = field(default_factory=list)
    singular: str = ""
    custom: bool = False
    list_kind: str = ""
    schema: dict[str, Any] | None = None
    columns: list[dict[str, Any]] = field(default_factory=list)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def prefix(self) -> str:
        if self.custom:
            return f"/registry/{self.group}/{self.plural}/"
        return f"/registry/{_OLD_KEYS.get(self.plural, self.plural)}/"

    def key(self, namespace: str, name: str) -> str:
        return f"{self.prefix}{namespace}/{name}" if self.namespaced else f"{self.prefix}{name}"

    def below(self, namespace: str) -> str:
        """The prefix of a namespace's objects; of all, where ``namespace`` is empty."""
        return f"{self.prefix}{namespace}/" if namespace else self.prefix

    def discovered(self) -> list[dict[str, Any]]:
        """Itself and its subresources as an APIResourceList has them."""
        plain = {
            "name": self.plural,
            "singularName": self.singular or self.kind.lower(),
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": ["create"] if self.plural in REVIEWS | {"bindings"} else _ALL_VERBS,
        }
        if self.short_names:
            plain["shortNames"] = self.short_names
        if self.categories:
            plain["categories"] = self.categories
        return [plain, *(self._subresource(name) for name in self.subresources)]

    def _subresource(self, name: str) -> dict[str, Any]:
        answer = {
            "name": f"{self.plural}/{name}",
            "singularName": "",
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": ["get", "patch", "update"],
        }
        if name == "scale":
            answer |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        if name == "eviction":
            answer |= {"group": "policy", "version": "v1", "kind": "Eviction", "verbs": ["create"]}
        if name == "token":
            answer |= {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest"}
            answer |= {"verbs": ["create"]}
        if name == "binding":
            answer |= {"kind": "Binding", "verbs": ["create"]}
        return answer


def _names(text: str) -> list[str]:
    return [] if text == "-" else text.split(",")


def _built_in() -> list[Resource]:
    found = []
    for line in _BUILT_IN.split("\n"):
        if line:
            gv, plural, kind, scope, short, categories, subresources = line.format(
                admission="admissionregistration.k8s.io/v1"
            ).split()
            group, _, version = gv.rpartition("/")
            names = (_names(short), _names(categories), _names(subresources))
            found.append(Resource(group, version, plural, kind, scope == "n", *names))
    return found


BUILT_IN = _built_in()
_BY_NAME = {(resource.group, resource.version, resource.plural): resource for resource in BUILT_IN}


def built_in(plural: str, group: str = "") -> Resource:
    """The built-in resource of this name."""
    return next(r for r in BUILT_IN if r.plural == plural and r.group == group)


def of_definition(crd: dict[str, Any]) -> list[Resource]:
    """The resources that a CustomResourceDefinition asks for, one a served version."""
    spec = crd["spec"]
    names = spec["names"]
    return [
        Resource(
            spec["group"],
            version["name"],
            names["plural"],
            names["kind"],
            spec.get("scope") == "Namespaced",
            names.get("shortNames", []),
            names.get("categories", []),
            sorted(version.get("subresources", {})),
            singular=names.get("singular", ""),
            custom=True,
            list_kind=names.get("listKind", ""),
            schema=version.get("schema", {}).get("openAPIV3Schema"),
            columns=version.get("additionalPrinterColumns", []),
        )
        for version in spec["versions"]
        if version.get("served")
    ]


class Registry:
    """All resources. What is custom is read anew each time: another API server may have added it just now."""

    def __init__(self, etcd: Etcd) -> None:
        self._etcd = etcd

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        known = _BY_NAME.get((group, version, plural))
        if known or "." not in group or group.endswith(".k8s.io"):
            return known
        return self._first(lambda r: (r.group, r.version, r.plural) == (group, version, plural))

    def custom(self) -> list[Resource]:
        stored, _ = self._etcd.list(CRDS)
        definitions = [json.loads(each.value) for each in stored]
        return [
            resource
            for crd in definitions
            if "deletionTimestamp" not in crd["metadata"]
            for resource in of_definition(crd)
        ]

    def all(self) -> list[Resource]:
        return [*BUILT_IN, *self.custom()]

    def _first(self, wanted: Callable[[Resource], bool]) -> Resource | None:
        return next(filter(wanted, self.custom()), None)
