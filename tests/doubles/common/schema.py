"""The shapes of the configuration documents, by the Go structs that decode them.

kubeadm: https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/
kubelet: https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ (the first level; the levels
below only where a mapping or a list is wanted)
"""

from __future__ import annotations

from typing import Any


class Struct:
    """A mapping with known fields; ``name`` is that of the Go struct, for errors."""

    def __init__(self, name: str, /, **fields: Any) -> None:
        self.name, self.fields = name, fields


class Scalar:
    """One Go type; ``python`` are the types that a YAML value of it has."""

    def __init__(self, go: str, *python: type) -> None:
        self.go, self.python = go, python


class Map:
    """A mapping with keys of any name."""

    def __init__(self, of: Any) -> None:
        self.of = of


ANY = object()
TEXT, BOOL, DURATION = Scalar("string", str), Scalar("bool", bool), Scalar("v1.Duration", str)
INT32, INT64, FLOAT = Scalar("int32", int), Scalar("int64", int), Scalar("float64", int, float)


def _each(names: str, kind: Any) -> dict[str, Any]:
    return dict.fromkeys(names.split(), kind)


_ARG = Struct("Arg", name=TEXT, value=TEXT)
_ENV = Struct("EnvVar", name=TEXT, value=TEXT, valueFrom=ANY)
_VOLUME = Struct("HostPathMount", name=TEXT, hostPath=TEXT, mountPath=TEXT, readOnly=BOOL, pathType=TEXT)
_COMPONENT = {"extraArgs": [_ARG], "extraVolumes": [_VOLUME], "extraEnvs": [_ENV]}
_IMAGE = {"imageRepository": TEXT, "imageTag": TEXT}
_TAINT = Struct("Taint", key=TEXT, value=TEXT, effect=TEXT, timeAdded=TEXT)
_ENDPOINT = Struct("APIEndpoint", advertiseAddress=TEXT, bindPort=INT32)
_PATCHES = Struct("Patches", directory=TEXT)
_TIMEOUTS = Struct(
    "Timeouts",
    **_each(
        """
        controlPlaneComponentHealthCheck kubeletHealthCheck kubernetesAPICall etcdAPICall
        tlsBootstrap discovery upgradeManifests
        """,
        DURATION,
    ),
)
_REGISTRATION = Struct(
    "NodeRegistrationOptions",
    name=TEXT, criSocket=TEXT, taints=[_TAINT], kubeletExtraArgs=[_ARG], ignorePreflightErrors=[TEXT],
    imagePullPolicy=TEXT, imagePullSerial=BOOL,
)  # fmt: skip
_TOKEN = Struct(
    "BootstrapToken",
    token=TEXT, description=TEXT, ttl=DURATION, expires=TEXT, usages=[TEXT], groups=[TEXT],
)  # fmt: skip
_META = {"apiVersion": TEXT, "kind": TEXT}
_UPGRADE = {
    "certificateRenewal": BOOL, "dryRun": BOOL, "etcdUpgrade": BOOL, "ignorePreflightErrors": [TEXT],
    "patches": _PATCHES, "skipPhases": [TEXT], "imagePullPolicy": TEXT, "imagePullSerial": BOOL,
}  # fmt: skip
_PLAN = {
    "kubernetesVersion": TEXT, "allowExperimentalUpgrades": BOOL, "allowRCUpgrades": BOOL, "dryRun": BOOL,
    "ignorePreflightErrors": [TEXT], "printConfig": BOOL,
}  # fmt: skip

_KUBELET: dict[str, Any] = {
    **_each(
        """
        staticPodPath staticPodURL address tlsCertFile tlsPrivateKeyFile tlsMinVersion
        healthzBindAddress clusterDomain kubeletCgroups systemCgroups cgroupRoot
        cgroupDriver hairpinMode cpuManagerPolicy memoryManagerPolicy topologyManagerPolicy
        topologyManagerScope podCIDR resolvConf configMapAndSecretChangeDetectionStrategy
        systemReservedCgroup kubeReservedCgroup volumePluginDir containerLogMaxSize providerID
        containerRuntimeEndpoint imageServiceEndpoint podLogsDir
        reservedSystemCPUs imagePullCredentialsVerificationPolicy
        """,
        TEXT,
    ),
    **_each(
        """
        syncFrequency fileCheckFrequency httpCheckFrequency streamingConnectionIdleTimeout
        imageMaximumGCAge nodeStatusUpdateFrequency nodeStatusReportFrequency volumeStatsAggPeriod
        cpuManagerReconcilePeriod runtimeRequestTimeout cpuCFSQuotaPeriod
        evictionPressureTransitionPeriod shutdownGracePeriod shutdownGracePeriodCriticalPods
        containerLogMonitorInterval imageMinimumGCAge
        """,
        DURATION,
    ),
    **_each(
        """
        port readOnlyPort registryPullQPS registryBurst eventRecordQPS eventBurst healthzPort
        oomScoreAdj nodeLeaseDurationSeconds imageGCHighThresholdPercent imageGCLowThresholdPercent
        maxPods podsPerCore podPidsLimit maxOpenFiles kubeAPIQPS kubeAPIBurst
        evictionMaxPodGracePeriod nodeStatusMaxImages containerLogMaxFiles containerLogMaxWorkers
        maxParallelImagePulls iptablesMasqueradeBit iptablesDropBit
        """,
        INT64,
    ),
    **_each(
        """
        enableServer rotateCertificates serverTLSBootstrap enableDebuggingHandlers failSwapOn
        cgroupsPerQOS enableControllerAttachDetach makeIPTablesUtilChains serializeImagePulls
        protectKernelDefaults enableProfilingHandler enableDebugFlagsHandler seccompDefault
        registerNode localStorageCapacityIsolation enableSystemLogHandler enableSystemLogQuery
        enableContentionProfiling cpuCFSQuota mergeDefaultEvictionSettings failCgroupV1 singleProcessOOMKill
        """,
        BOOL,
    ),
    **_each(
        """
        clusterDNS tlsCipherSuites enforceNodeAllocatable allowedUnsafeSysctls
        """,
        [TEXT],
    ),
    **_each(
        """
        evictionHard evictionSoft evictionSoftGracePeriod evictionMinimumReclaim systemReserved
        kubeReserved cpuManagerPolicyOptions topologyManagerPolicyOptions qosReserved
        """,
        Map(TEXT),
    ),
    "featureGates": Map(BOOL),
    "registerWithTaints": [_TAINT],
    **_each(
        """
        authentication authorization memorySwap logging tracing crashLoopBackOff userNamespaces
        """,
        Map(ANY),
    ),
    "shutdownGracePeriodByPodPriority": [ANY],
    "reservedMemory": [ANY],
}  # fmt: skip

KUBEADM, KUBELET, PROXY = (
    "kubeadm.k8s.io/v1beta4",
    "kubelet.config.k8s.io/v1beta1",
    "kubeproxy.config.k8s.io/v1alpha1",
)

KINDS: dict[tuple[str, str], Struct | None] = {
    (KUBEADM, "InitConfiguration"): Struct(
        "InitConfiguration", **_META,
        bootstrapTokens=[_TOKEN], dryRun=BOOL, nodeRegistration=_REGISTRATION, localAPIEndpoint=_ENDPOINT,
        certificateKey=TEXT, skipPhases=[TEXT], patches=_PATCHES, timeouts=_TIMEOUTS,
    ),
    (KUBEADM, "ClusterConfiguration"): Struct(
        "ClusterConfiguration", **_META,
        etcd=Struct(
            "Etcd",
            local=Struct(
                "LocalEtcd", **_IMAGE, dataDir=TEXT, extraArgs=[_ARG], extraEnvs=[_ENV],
                serverCertSANs=[TEXT], peerCertSANs=[TEXT],
            ),
            external=Struct("ExternalEtcd", endpoints=[TEXT], caFile=TEXT, certFile=TEXT, keyFile=TEXT),
        ),
        networking=Struct("Networking", serviceSubnet=TEXT, podSubnet=TEXT, dnsDomain=TEXT),
        kubernetesVersion=TEXT, controlPlaneEndpoint=TEXT,
        apiServer=Struct("APIServer", **_COMPONENT, certSANs=[TEXT]),
        controllerManager=Struct("ControlPlaneComponent", **_COMPONENT),
        scheduler=Struct("ControlPlaneComponent", **_COMPONENT),
        dns=Struct("DNS", **_IMAGE, disabled=BOOL), proxy=Struct("Proxy", disabled=BOOL),
        certificatesDir=TEXT, imageRepository=TEXT, featureGates=Map(BOOL), clusterName=TEXT,
        encryptionAlgorithm=TEXT, certificateValidityPeriod=DURATION, caCertificateValidityPeriod=DURATION,
    ),
    (KUBEADM, "JoinConfiguration"): Struct(
        "JoinConfiguration", **_META,
        dryRun=BOOL, nodeRegistration=_REGISTRATION, caCertPath=TEXT,
        discovery=Struct(
            "Discovery",
            bootstrapToken=Struct(
                "BootstrapTokenDiscovery",
                token=TEXT, apiServerEndpoint=TEXT, caCertHashes=[TEXT], unsafeSkipCAVerification=BOOL,
            ),
            file=Struct("FileDiscovery", kubeConfigPath=TEXT), tlsBootstrapToken=TEXT,
        ),
        controlPlane=Struct("JoinControlPlane", localAPIEndpoint=_ENDPOINT, certificateKey=TEXT),
        skipPhases=[TEXT], patches=_PATCHES, timeouts=_TIMEOUTS,
    ),
    (KUBEADM, "ResetConfiguration"): Struct(
        "ResetConfiguration", **_META,
        cleanupTmpDir=BOOL, certificatesDir=TEXT, criSocket=TEXT, dryRun=BOOL, force=BOOL,
        ignorePreflightErrors=[TEXT], skipPhases=[TEXT], unmountFlags=[TEXT], timeouts=_TIMEOUTS,
    ),
    (KUBEADM, "UpgradeConfiguration"): Struct(
        "UpgradeConfiguration", **_META,
        apply=Struct("UpgradeApplyConfiguration", **_UPGRADE, kubernetesVersion=TEXT, forceUpgrade=BOOL,
                     allowExperimentalUpgrades=BOOL, allowRCUpgrades=BOOL, printConfig=BOOL),
        diff=Struct("UpgradeDiffConfiguration", kubeConfig=TEXT, diffContextLines=INT64),
        node=Struct("UpgradeNodeConfiguration", **_UPGRADE),
        plan=Struct("UpgradePlanConfiguration", **_PLAN, etcdUpgrade=BOOL),
        timeouts=_TIMEOUTS,
    ),
    (KUBELET, "KubeletConfiguration"): Struct("KubeletConfiguration", **_META, **_KUBELET),
    (PROXY, "KubeProxyConfiguration"): None,
}  # fmt: skip
