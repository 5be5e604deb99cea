"""The keys of Cilium's chart by minor version, a tree with a level for each blank.

Made by tests/unit/plan/chart_keys.py from values.yaml, values.schema.json and the templates of the charts
1.17.9, 1.18.0, 1.18.12, 1.19.6 (cilium/charts at 009b5e95): names and types of keys, nothing else.
A line is a key, its JSON types ("object": it takes any keys), and the minors that have it where not all do.
"""

MINORS = ["1.17", "1.18", "1.19"]

KEYS = """\
MTU integer
affinity object
agent boolean
agentNotReadyTaintKey string
aksbyocni
 enabled boolean
alibabacloud
 enabled boolean
 nodeSpec
  securityGroupTags array 1.19
  securityGroups array 1.19
  vSwitchTags array 1.19
  vSwitches array 1.19
annotateK8sNode boolean
annotations object
apiRateLimit null|string
authentication
 enabled boolean
 gcInterval string
 mutual
  connectTimeout string
  port integer
  spire
   adminSocketPath string
   agentSocketPath string
   annotations object
   connectionTimeout string
   enabled boolean
   install
    agent
     affinity object
     annotations object
     image
      digest string
      override null|string
      pullPolicy string
      repository string
      tag string
      useDigest boolean
     labels object
     nodeSelector object
     podSecurityContext object
     priorityClassName string
     resources object
     securityContext object
     serviceAccount
      create boolean
      name string
     skipKubeletVerification boolean
     tolerations array
    enabled boolean
    existingNamespace boolean
    initImage
     digest string
     override null|string
     pullPolicy string
     repository string
     tag string
     useDigest boolean
    namespace string
    server
     affinity object
     annotations object
     ca
      keyType string
      subject
       commonName string
       country string
       organization string
     dataStorage
      accessMode string
      enabled boolean
      size string
      storageClass null|string
     image
      digest string
      override null|string
      pullPolicy string
      repository string
      tag string
      useDigest boolean
     initContainers array
     labels object
     nodeSelector object
     podSecurityContext object
     priorityClassName string
     resources object
     securityContext object
     service
      annotations object
      labels object
      type string
     serviceAccount
      create boolean
      name string
     tolerations array
   serverAddress null|string
   trustDomain string
 queueSize integer
 rotatedIdentitiesQueueSize integer
autoDirectNodeRoutes boolean|string
azure
 clientID any
 clientSecret any
 enabled boolean
 nodeSpec
  azureInterfaceName string 1.19
 resourceGroup any
 subscriptionID any
 tenantID any
 usePrimaryAddress any
 userAssignedIdentityID any
bandwidthManager
 bbr boolean
 bbrHostNamespaceOnly boolean 1.18 1.19
 enabled boolean
bgpControlPlane
 enabled boolean
 legacyOriginAttribute
  enabled boolean 1.18 1.19
 routerIDAllocation
  ipPool string 1.18 1.19
  mode string 1.18 1.19
 secretsNamespace
  create boolean
  name string
 statusReport
  enabled boolean
bpf
 authMapMax integer|null
 autoMount
  enabled boolean
 ctAccounting boolean
 ctAnyMax integer|null
 ctTcpMax integer|null
 datapathMode string
 disableExternalIPMitigation boolean
 distributedLRU
  enabled boolean
 enableTCX boolean
 events
  default
   burstLimit integer|null
   rateLimit integer|null
  drop
   enabled boolean
  policyVerdict
   enabled boolean
  trace
   enabled boolean
 hostLegacyRouting boolean|null
 lbAlgorithmAnnotation boolean
 lbExternalClusterIP boolean
 lbMapMax integer|null
 lbModeAnnotation boolean
 lbSourceRangeAllTypes boolean
 mapDynamicSizeRatio null|number|string
 masquerade boolean|null
 monitorAggregation string
 monitorFlags string
 monitorInterval string
 monitorTraceIPOption integer|null 1.19
 natMax integer|null
 neighMax integer|null
 nodeMapMax integer|null
 policyMapMax integer|null
 policyMapPressureMetricsThreshold null|number 1.19
 policyStatsMapMax integer|null 1.18 1.19
 preallocateMaps boolean
 root string
 tproxy boolean|null
 vlanBypass array|null
bpfClockProbe boolean
certgen
 affinity object
 annotations
  cronJob object
  job object
 cronJob
  failedJobsHistoryLimit integer 1.19
  successfulJobsHistoryLimit integer 1.19
 extraVolumeMounts array
 extraVolumes array
 generateCA boolean
 image
  digest string
  override null|string
  pullPolicy string
  repository string
  tag string
  useDigest boolean
 nodeSelector object
 podLabels object
 priorityClassName string
 resources object 1.18 1.19
 tolerations array
 ttlSecondsAfterFinished integer 1.17 1.18
 ttlSecondsAfterFinished integer|null 1.19
cgroup
 autoMount
  enabled boolean
  resources object
 hostRoot string
ciliumEndpointSlice
 enabled boolean
 rateLimits array
 sliceMode any 1.17
cleanBpfState boolean
cleanState boolean
cluster
 id integer
 name string
clusterHealthPort any
clustermesh
 annotations object
 apiserver
  affinity object
  etcd
   init
    extraArgs array
    extraEnv array
    resources object
   lifecycle object
   resources object
   securityContext object
   storageMedium any
  extraArgs array
  extraEnv array
  extraVolumeMounts array
  extraVolumes array
  healthPort integer
  image
   digest string
   override null|string
   pullPolicy string
   repository string
   tag string
   useDigest boolean
  kvstoremesh
   enabled boolean
   extraArgs array
   extraEnv array
   extraVolumeMounts array
   healthPort integer
   kvstoreMode string 1.18 1.19
   lifecycle object
   readinessProbe object
   resources object
   securityContext object
  lifecycle object
  metrics
   enabled boolean
   etcd
    enabled boolean
    mode string
    port integer
   kvstoremesh
    enabled boolean
    port integer
   port integer
   serviceMonitor
    annotations object
    enabled boolean
    etcd
     interval string
     metricRelabelings array|null
     relabelings array|null
     scrapeTimeout null|string 1.18 1.19
    interval string
    kvstoremesh
     interval string
     metricRelabelings array|null
     relabelings array|null
     scrapeTimeout null|string 1.18 1.19
    labels object
    metricRelabelings array|null
    namespace any
    relabelings array|null
    scrapeTimeout null|string 1.18 1.19
  nodeSelector object
  podAnnotations object
  podDisruptionBudget
   enabled boolean
   maxUnavailable integer|null|string
   minAvailable integer|null|string
   unhealthyPodEvictionPolicy null|string 1.18 1.19
  podLabels object
  podSecurityContext object
  priorityClassName string
  readinessProbe object
  replicas integer
  resources object
  securityContext object
  service
   annotations object
   enableSessionAffinity any
   externalTrafficPolicy any
   externallyCreated boolean 1.19
   internalTrafficPolicy any
   labels object
   loadBalancerClass null|string
   loadBalancerIP null|string
   loadBalancerSourceRanges array
   nodePort integer
   type string
  terminationGracePeriodSeconds integer
  tls
   admin
    cert string
    key string
   authMode string
   auto
    certManagerIssuerRef object
    certValidityDuration integer
    enabled boolean
    method string
    schedule any
   client
    cert string 1.17 1.18
    key string 1.17 1.18
   enableSecrets boolean
   remote
    cert string
    key string
   server
    cert string
    extraDnsNames array
    extraIpAddresses array
    key string
  tolerations array
  topologySpreadConstraints array
  updateStrategy object
 cacheTTL string 1.19
 config
  clusters array 1.17 1.18
  clusters array|object 1.19
  domain string
  enabled boolean
 enableEndpointSliceSynchronization boolean
 enableMCSAPISupport boolean
 maxConnectedClusters integer
 mcsapi
  corednsAutoConfigure
   affinity object 1.19
   annotations object 1.19
   coredns
    clusterDomain string 1.19
    clustersetDomain string 1.19
    configMapName string 1.19
    deploymentName string 1.19
    namespace string 1.19
    serviceAccountName string 1.19
   enabled boolean 1.19
   extraArgs array 1.19
   extraVolumeMounts array 1.19
   extraVolumes array 1.19
   nodeSelector object 1.19
   podLabels object 1.19
   priorityClassName string 1.19
   resources object 1.19
   tolerations array 1.19
   ttlSecondsAfterFinished integer 1.19
  enabled boolean 1.19
  installCRDs boolean 1.19
 policyDefaultLocalCluster boolean 1.18 1.19
 useAPIServer boolean
cni
 binPath string
 chainingMode null|string
 chainingTarget null|string
 confFileMountPath string
 confPath string
 configMap any 1.17
 configMap string 1.18 1.19
 configMapKey string
 customConf boolean
 enableRouteMTUForCNIChaining boolean
 exclusive boolean
 externalRouting any
 hostConfDirMountPath string
 install boolean
 iptablesRemoveAWSRules boolean 1.18 1.19
 logFile string
 readCniConf any
 resources object
 uninstall boolean
commonLabels null|object
configDriftDetection
 driftChecker boolean 1.18 1.19
 enabled boolean 1.18 1.19
 ignoredKeys array 1.18 1.19
connectivityProbeFrequencyRatio null|number 1.18 1.19
conntrackGCInterval string
conntrackGCMaxInterval string
crdWaitTimeout string
customCalls
 enabled boolean 1.17 1.18
daemon
 allowedConfigOverrides null|string
 blockedConfigOverrides null|string
 configSources null|string
 enableSourceIPVerification boolean|null
 runPath string
dashboards
 annotations object
 enabled boolean
 label string
 labelValue string
 namespace null|string
debug
 enabled boolean
 metricsSamplingInterval null|string 1.18 1.19
 verbose null|string
defaultLBServiceIPAM string
devices any
directRoutingSkipUnreachable boolean
disableEndpointCRD boolean
disableEnvoyVersionCheck any
disableIptablesFeederRules any
dnsPolicy string
dnsPolicyUnloadOnShutdown any
dnsProxy
 dnsRejectResponseCode string
 enableDnsCompression boolean
 enableTransparentMode any
 endpointMaxIpPerHostname integer
 idleConnectionGracePeriod string
 maxDeferredConnectionDeletes integer
 minTtl integer
 preAllocateIdentities boolean 1.18 1.19
 preCache string
 proxyPort integer
 proxyResponseMaxDelay string
 socketLingerTimeout integer
egressGateway
 enabled boolean
 maxPolicyEntries any
 reconciliationTriggerInterval string
egressMasqueradeInterfaces any
enableCiliumEndpointSlice boolean 1.17
enableCriticalPriorityClass boolean
enableIPv4BIGTCP boolean
enableIPv4Masquerade boolean 1.17
enableIPv4Masquerade boolean|null 1.18 1.19
enableIPv6BIGTCP boolean
enableIPv6Masquerade boolean
enableIdentityMark any
enableInternalTrafficPolicy boolean
enableK8sEndpointSlice any 1.17 1.18
enableK8sTerminatingEndpoint boolean 1.17
enableLBIPAM boolean
enableMasqueradeRouteSource boolean
enableNoServiceEndpointsRoutable boolean 1.19
enableNonDefaultDenyPolicies boolean
enableRuntimeDeviceDetection boolean 1.17
enableXTSocketFallback boolean
encryption
 enabled boolean
 ipsec
  encryptedOverlay boolean
  interface string
  keyFile string
  keyRotationDuration string
  keyWatcher boolean
  mountPath string
  secretName string
 nodeEncryption boolean
 strictMode
  allowRemoteNodeIdentities boolean
  cidr string
  egress
   allowRemoteNodeIdentities boolean 1.19
   cidr string 1.19
   enabled boolean 1.19
  enabled boolean
  ingress
   enabled boolean 1.19
 type string
 wireguard
  persistentKeepalive string
 ztunnel
  affinity object 1.19
  annotations object 1.19
  caAddress string 1.19
  extraEnv array 1.19
  extraVolumeMounts array 1.19
  extraVolumes array 1.19
  healthPort integer 1.19
  image
   digest null|string 1.19
   override null|string 1.19
   pullPolicy string 1.19
   repository string 1.19
   tag string 1.19
   useDigest boolean 1.19
  nodeSelector object 1.19
  podAnnotations object 1.19
  podLabels object 1.19
  priorityClassName null|string 1.19
  readinessProbe
   failureThreshold integer 1.19
   initialDelaySeconds integer 1.19
   periodSeconds integer 1.19
  resources object 1.19
  secrets
   bootstrapRootCert null|string 1.19
  terminationGracePeriodSeconds integer 1.19
  tolerations array 1.19
  updateStrategy object 1.19
endpointHealthChecking
 enabled boolean
endpointLockdownOnMapOverflow boolean
endpointPolicyUpdateTimeoutDuration any 1.18 1.19
endpointRoutes
 enabled boolean|string
eni
 awsEnablePrefixDelegation boolean
 awsReleaseExcessIPs boolean
 ec2APIEndpoint string
 enabled boolean
 eniTags object
 gcInterval string
 gcTags object
 iamRole string
 instanceTagsFilter array
 nodeSpec
  deleteOnTermination boolean|null 1.19
  disablePrefixDelegation boolean 1.19
  excludeInterfaceTags array 1.19
  firstInterfaceIndex integer|null 1.19
  securityGroupTags array 1.19
  securityGroups array 1.19
  subnetIDs array 1.19
  subnetTags array 1.19
  usePrimaryAddress boolean 1.19
 subnetIDsFilter array
 subnetTagsFilter array
 updateEC2AdapterLimitViaAPI boolean 1.17
envoy
 affinity object
 annotations object
 baseID integer
 bootstrapConfigMap null|string
 clusterMaxConnections integer 1.19
 clusterMaxRequests integer 1.19
 connectTimeoutSeconds integer
 debug
  admin
   enabled boolean
   port integer
 dnsPolicy null|string
 enabled boolean|null
 extraArgs array
 extraContainers array
 extraEnv array
 extraHostPathMounts array
 extraVolumeMounts array
 extraVolumes array
 healthPort integer
 httpRetryCount integer
 httpUpstreamLingerTimeout any 1.18 1.19
 idleTimeoutDurationSeconds integer
 image
  digest string
  override null|string
  pullPolicy string
  repository string
  tag string
  useDigest boolean
 initContainers array 1.19
 initialFetchTimeoutSeconds integer
 livenessProbe
  enabled boolean 1.18 1.19
  failureThreshold integer
  periodSeconds integer
 log
  accessLogBufferSize integer|null
  defaultLevel any
  format null|string
  format_json null|object
  path string
 maxConcurrentRetries integer
 maxConnectionDurationSeconds integer
 maxGlobalDownstreamConnections integer 1.19
 maxRequestsPerConnection integer
 nodeSelector object
 podAnnotations object
 podLabels object
 podSecurityContext object
 policyRestoreTimeoutDuration null|string
 priorityClassName null|string
 prometheus
  enabled boolean
  port string
  serviceMonitor
   annotations object
   enabled boolean
   interval string
   labels object
   metricRelabelings array|null
   namespace any
   relabelings array
   scrapeTimeout null|string 1.18 1.19
 readinessProbe
  failureThreshold integer
  periodSeconds integer
 resources object
 rollOutPods boolean
 securityContext object
 startupProbe
  enabled boolean 1.18 1.19
  failureThreshold integer
  periodSeconds integer
 streamIdleTimeoutDurationSeconds integer 1.18 1.19
 terminationGracePeriodSeconds integer
 tolerations array
 updateStrategy object
 useOriginalSourceAddress boolean 1.19
 xffNumTrustedHopsL7PolicyEgress integer
 xffNumTrustedHopsL7PolicyIngress integer
envoyConfig
 enabled boolean
 retryInterval string
 secretsNamespace
  create boolean
  name string
etcd
 enabled boolean
 endpoints array
 ssl boolean
externalWorkloads
 enabled boolean 1.17
extraArgs array
extraConfig object
extraContainers array
extraEnv array
extraHostPathMounts array
extraInitContainers array
extraVolumeMounts array
extraVolumes array
forceDeviceDetection boolean
fragmentTracking any
gatewayAPI
 enableAlpn boolean
 enableAppProtocol boolean
 enableProxyProtocol boolean
 enabled boolean
 externalTrafficPolicy string
 gatewayClass
  create string
 hostNetwork
  enabled boolean
  nodes
   matchLabels object
 secretsNamespace
  create boolean
  name string
  sync boolean
 xffNumTrustedHops integer
gke
 enabled boolean
healthCheckICMPFailureThreshold integer
healthChecking boolean
healthPort integer
highScaleIPcache
 enabled boolean 1.17
hostFirewall
 enabled boolean
hostPort
 enabled boolean 1.17
hostServices any
hubble
 annotations object
 dropEventEmitter
  enabled boolean
  interval string
  reasons array
 enabled boolean
 eventBufferCapacity any
 eventQueueSize any
 export
  aggregationInterval any 1.19
  dynamic
   config
    configMapName string
    content array
    createConfigMap boolean
   enabled boolean
  fileCompress any 1.18 1.19
  fileMaxBackups integer 1.17
  fileMaxBackups any 1.18 1.19
  fileMaxSizeMb integer 1.17
  fileMaxSizeMb any 1.18 1.19
  static
   aggregationInterval string 1.19
   allowList array
   denyList array
   enabled boolean
   fieldAggregate array 1.19
   fieldMask array
   fileCompress boolean 1.18 1.19
   fileMaxBackups integer 1.18 1.19
   fileMaxSizeMb integer 1.18 1.19
   filePath string
 listenAddress string
 lostEventSendInterval any 1.19
 metrics
  dashboards
   annotations object
   enabled boolean
   label string
   labelValue string
   namespace null|string
  dynamic
   config
    configMapName string
    content array
    createConfigMap boolean
   enabled boolean
  enableOpenMetrics boolean
  enabled array|null
  port integer
  serviceAnnotations object
  serviceMonitor
   annotations object
   enabled boolean
   interval string
   jobLabel string
   labels object
   metricRelabelings array|null
   relabelings array
   scrapeTimeout null|string 1.18 1.19
   tlsConfig object
  tls
   enabled boolean
   server
    cert string
    existingSecret string
    extraDnsNames array
    extraIpAddresses array
    key string
    mtls
     enabled boolean
     key string
     name any
     useSecret boolean
 networkPolicyCorrelation
  enabled boolean 1.18 1.19
 peerService
  clusterDomain string
  servicePort any
  targetPort integer
 preferIpv6 boolean
 redact
  enabled boolean
  http
   headers
    allow array
    deny array
   urlQuery boolean
   userInfo boolean
  kafka
   apiKey boolean
 relay
  affinity object
  annotations object
  dialTimeout null|string 1.17
  enabled boolean
  extraEnv array
  extraVolumeMounts array
  extraVolumes array
  gops
   enabled boolean
   port integer
  image
   digest string
   override null|string
   pullPolicy string
   repository string
   tag string
   useDigest boolean
  listenHost string
  listenPort string
  logOptions
   format null|string 1.18 1.19
   level null|string 1.18 1.19
  nodeSelector object
  podAnnotations object
  podDisruptionBudget
   enabled boolean
   maxUnavailable integer|null|string
   minAvailable integer|null|string
   unhealthyPodEvictionPolicy null|string 1.18 1.19
  podLabels object
  podSecurityContext object
  pprof
   address string
   blockProfileRate integer 1.19
   enabled boolean
   mutexProfileFraction integer 1.19
   port integer
  priorityClassName string
  prometheus
   enabled boolean
   port integer
   serviceMonitor
    annotations object
    enabled boolean
    interval string
    labels object
    metricRelabelings array|null
    namespace any
    relabelings array|null
    scrapeTimeout null|string 1.18 1.19
  replicas integer
  resources object
  retryTimeout null|string
  rollOutPods boolean
  securityContext object
  service
   nodePort integer
   type string
  servicePort any
  sortBufferDrainTimeout null|string
  sortBufferLenMax integer|null
  terminationGracePeriodSeconds integer
  tls
   client
    cert string
    existingSecret string
    key string
   server
    cert string
    enabled boolean
    existingSecret string
    extraDnsNames array
    extraIpAddresses array
    key string
    mtls boolean
    relayName string
  tolerations array
  topologySpreadConstraints array
  updateStrategy object
 skipUnknownCGroupIDs boolean|null
 socketPath string
 tls
  auto
   certManagerIssuerRef object
   certValidityDuration integer
   enabled boolean
   method string
   schedule string
  enabled boolean
  server
   cert string
   existingSecret string
   extraDnsNames array
   extraIpAddresses array
   key string
 ui
  affinity object
  annotations object
  backend
   extraEnv array
   extraVolumeMounts array
   extraVolumes array
   image
    digest string
    override null|string
    pullPolicy string
    repository string
    tag string
    useDigest boolean
   livenessProbe
    enabled boolean
   readinessProbe
    enabled boolean
   resources object
   securityContext object
  baseUrl string
  enabled boolean
  frontend
   extraEnv array
   extraVolumeMounts array
   extraVolumes array
   image
    digest string
    override null|string
    pullPolicy string
    repository string
    tag string
    useDigest boolean
   resources object
   securityContext object
   server
    ipv6
     enabled boolean
  ingress
   annotations object
   className string
   enabled boolean
   hosts array
   labels object
   tls array
  labels object
  nodeSelector object
  podAnnotations object
  podDisruptionBudget
   enabled boolean
   maxUnavailable integer|null|string
   minAvailable integer|null|string
   unhealthyPodEvictionPolicy null|string 1.18 1.19
  podLabels object
  priorityClassName string
  replicas integer
  rollOutPods boolean
  securityContext object
  service
   annotations object
   labels object 1.18 1.19
   nodePort integer
   type string
  standalone
   enabled boolean
   tls
    certsVolume object
  tls
   client
    cert string
    existingSecret string
    key string
  tmpVolume object 1.19
  tolerations array
  topologySpreadConstraints array
  updateStrategy object
identityAllocationMode string
identityChangeGracePeriod string
identityManagementMode any 1.18 1.19
image
 digest string
 override null|string
 pullPolicy string
 repository string
 tag string
 useDigest boolean
imagePullSecrets array
ingressController
 default boolean
 defaultSecretName null|string
 defaultSecretNamespace null|string
 enableProxyProtocol boolean
 enabled boolean
 enforceHttps boolean
 hostNetwork
  enabled boolean
  nodes
   matchLabels object
  sharedListenerPort integer
 ingressLBAnnotationPrefixes array
 loadbalancerMode string
 secretsNamespace
  create boolean
  name string
  sync boolean
 service
  allocateLoadBalancerNodePorts boolean|null
  annotations object
  externalTrafficPolicy string
  insecureNodePort integer|null
  labels object
  loadBalancerClass null|string
  loadBalancerIP null|string
  name string
  secureNodePort integer|null
  type string
initResources object
installNoConntrackIptablesRules boolean
ipMasqAgent
 config any
 enabled boolean
ipam
 ciliumNodeUpdateRate string
 installUplinkRoutesForDelegatedIPAM boolean
 mode string
 multiPoolPreAllocation string
 nodeSpec
  ipamMaxAllocate integer|null 1.19
  ipamMinAllocate integer|null 1.19
  ipamPreAllocate integer|null 1.19
  ipamStaticIPTags array 1.19
 operator
  autoCreateCiliumPodIPPools object
  clusterPoolIPv4MaskSize integer
  clusterPoolIPv4PodCIDRList array|string
  clusterPoolIPv6MaskSize integer
  clusterPoolIPv6PodCIDRList array|string
  externalAPILimitBurstSize integer|null
  externalAPILimitQPS null|number
iptablesLockTimeout any
iptablesRandomFully boolean
ipv4
 enabled boolean
ipv4NativeRoutingCIDR string
ipv6
 enabled boolean
ipv6NativeRoutingCIDR string
k8s
 apiServerURLs any 1.18 1.19
 requireIPv4PodCIDR boolean
 requireIPv6PodCIDR boolean
 serviceProxyName any
k8sClientExponentialBackoff
 backoffBaseSeconds integer 1.18 1.19
 backoffMaxDurationSeconds integer 1.18 1.19
 enabled boolean 1.18 1.19
k8sClientRateLimit
 burst integer|null
 operator
  burst integer|null
  qps integer|null
 qps integer|null
k8sNetworkPolicy
 enabled boolean
k8sServiceHost string
k8sServiceHostRef
 key null|string 1.18 1.19
 name null|string 1.18 1.19
k8sServiceLookupConfigMapName null|string
k8sServiceLookupNamespace null|string
k8sServicePort integer|string
keepDeprecatedLabels boolean
keepDeprecatedProbes boolean
kubeConfigPath string
kubeProxyReplacement any 1.17
kubeProxyReplacement boolean|string 1.18 1.19
kubeProxyReplacementHealthzBindAddr string
l2NeighDiscovery
 enabled boolean
 refreshPeriod string 1.17
l2announcements
 enabled boolean
 leaseDuration any
 leaseRenewDeadline any
 leaseRetryPeriod any
l2podAnnouncements
 enabled boolean
 interface string 1.17 1.18
 interfacePattern any 1.18
 interfacePattern string 1.19
l7Proxy boolean
labels any
livenessProbe
 failureThreshold integer
 periodSeconds integer
 requireK8sConnectivity boolean
loadBalancer
 acceleration string
 algorithm any
 dsrDispatch any
 experimental boolean 1.17
 l7
  algorithm string
  backend string
  ports array
 mode any
 protocolDifferentiation
  enabled any 1.17 1.18
 serviceTopology any 1.17 1.18
 serviceTopology boolean 1.19
 standalone any 1.17 1.18
localRedirectPolicies
 addressMatcherCIDRs array|null 1.18 1.19
 enabled boolean 1.18 1.19
localRedirectPolicy boolean
logOptions any
logSystemLoad boolean
maglev
 hashSeed any
 tableSize any
monitor
 enabled boolean
 eventTypes any
 resources object
name string
namespaceOverride null|string
nat
 mapStatsEntries integer
 mapStatsInterval string
nat46x64Gateway
 enabled boolean
nodeIPAM
 enabled boolean
nodeLabels any 1.18 1.19
nodePort
 addresses array|null|string
 autoProtectPortRange boolean
 bindProtection boolean
 directRoutingDevice any
 enableHealthCheck boolean
 enableHealthCheckLoadBalancerIP boolean
 enabled boolean 1.17 1.18
 range any
nodeSelector object
nodeSelectorLabels boolean
nodeinit
 affinity object
 annotations object
 bootstrapFile string
 enabled boolean
 extraEnv array
 extraVolumeMounts array
 extraVolumes array
 image
  digest string
  override null|string
  pullPolicy string
  repository string
  tag string
  useDigest boolean
 nodeSelector object
 podAnnotations object
 podLabels object
 podSecurityContext object
 prestop
  postScript string
  preScript string
 priorityClassName string
 resources object
 revertReconfigureKubelet any
 securityContext object
 startup
  postScript string
  preScript string
 tolerations array
 updateStrategy object
 waitForCloudInit boolean 1.19
nonIdempotentAnnotations any 1.19
operator
 affinity object
 annotations object
 dashboards
  annotations object
  enabled boolean
  label string
  labelValue string
  namespace null|string
 dnsPolicy string
 enabled boolean
 endpointGCInterval string
 extraArgs array
 extraEnv array
 extraHostPathMounts array
 extraVolumeMounts array
 extraVolumes array
 hostNetwork boolean
 identityGCInterval string
 identityHeartbeatTimeout string
 image
  alibabacloudDigest string
  awsDigest string
  azureDigest string
  genericDigest string
  override null|string
  pullPolicy string
  repository string
  suffix string
  tag string
  useDigest boolean
 nodeGCInterval string
 nodeSelector object
 podAnnotations object
 podDisruptionBudget
  enabled boolean
  maxUnavailable integer|null|string
  minAvailable integer|null|string
  unhealthyPodEvictionPolicy null|string 1.18 1.19
 podLabels object
 podSecurityContext object
 pprof
  address string
  blockProfileRate integer 1.19
  enabled boolean
  mutexProfileFraction integer 1.19
  port integer
 priorityClassName string
 prometheus
  enabled boolean
  metricsService boolean
  port integer
  serviceMonitor
   annotations object
   enabled boolean
   interval string
   jobLabel string
   labels object
   metricRelabelings array|null
   namespace any
   relabelings array|null
   scrapeTimeout null|string 1.18 1.19
  tls
   enabled boolean 1.19
   server
    existingSecret string 1.19
    mtls
     enabled boolean 1.19
 removeNodeTaints boolean
 replicas integer
 resources object
 rollOutPods boolean
 securityContext object
 setNodeNetworkStatus boolean
 setNodeTaints boolean|null
 skipCRDCreation boolean
 tolerations array 1.17
 tolerations array|null 1.18 1.19
 topologySpreadConstraints array
 unmanagedPodWatcher
  intervalSeconds integer
  restart boolean
  selector null|string 1.19
 updateStrategy object
pmtuDiscovery
 enabled boolean
 packetizationLayerPMTUDMode string 1.19
podAnnotations object
podLabels object
podSecurityContext object
policyAuditMode any
policyCIDRMatchMode array|null|string
policyDenyResponse string 1.19
policyEnforcementMode string
pprof
 address string
 blockProfileRate integer 1.19
 enabled boolean
 mutexProfileFraction integer 1.19
 port integer
preflight
 affinity object
 annotations object
 enabled boolean
 envoy
  image
   digest string 1.18 1.19
   override null|string 1.18 1.19
   pullPolicy string 1.18 1.19
   repository string 1.18 1.19
   tag string 1.18 1.19
   useDigest boolean 1.18 1.19
 extraEnv array
 extraVolumeMounts array
 extraVolumes array
 image
  digest string
  override null|string
  pullPolicy string
  repository string
  tag string
  useDigest boolean
 nodeSelector object
 podAnnotations object
 podDisruptionBudget
  enabled boolean
  maxUnavailable integer|null|string
  minAvailable integer|null|string
  unhealthyPodEvictionPolicy null|string 1.18 1.19
 podLabels object
 podSecurityContext object
 priorityClassName string
 readinessProbe
  initialDelaySeconds integer
  periodSeconds integer
 resources object
 securityContext object
 terminationGracePeriodSeconds integer
 tofqdnsPreCache string
 tolerations array
 updateStrategy object
 validateCNPs boolean
priorityClassName string
prometheus
 controllerGroupMetrics array
 enabled boolean
 metrics array|null
 metricsService boolean
 port integer
 serviceMonitor
  annotations object
  enabled boolean
  interval string
  jobLabel string
  labels object
  metricRelabelings array|null
  namespace any
  relabelings array
  scrapeTimeout null|string 1.18 1.19
  trustCRDsExist boolean
rbac
 create boolean
readinessProbe
 failureThreshold integer
 periodSeconds integer
resourceQuotas
 cilium
  hard
   pods string
 enabled boolean
 operator
  hard
   pods string
resources object
rollOutCiliumPods boolean
routingMode string
scheduling
 mode any
sctp
 enabled boolean
secretsNamespaceAnnotations object 1.18 1.19
secretsNamespaceLabels object 1.19
securityContext object
serviceAccounts
 cilium
  annotations object
  automount boolean
  create boolean
  name string
 clustermeshApiserver
  annotations object
  automount boolean
  create boolean
  name string
 clustermeshcertgen
  annotations object
  automount boolean
  create boolean
  name string
 corednsMCSAPI
  annotations object 1.19
  automount boolean 1.19
  create boolean 1.19
  name string 1.19
 envoy
  annotations object
  automount boolean
  create boolean
  name string
 hubblecertgen
  annotations object
  automount boolean
  create boolean
  name string
 nodeinit
  annotations object
  automount boolean
  create boolean
  enabled boolean
  name string
 operator
  annotations object
  automount boolean
  create boolean
  name string
 preflight
  annotations object
  automount boolean
  create boolean
  name string
 relay
  annotations object
  automount boolean
  create boolean
  name string
 ui
  annotations object
  automount boolean
  create boolean
  name string
 ztunnel
  annotations object 1.19
  automount boolean 1.19
  create boolean 1.19
  name string 1.19
serviceNoBackendResponse string
sessionAffinity any 1.17 1.18
sleepAfterInit boolean
socketLB
 enabled boolean
 hostNamespaceOnly any
 terminatePodConnections any
 tracing any
standaloneDnsProxy
 annotations object 1.19
 automountServiceAccountToken boolean 1.19
 debug boolean 1.19
 enabled boolean 1.19
 image
  digest string 1.19
  override null|string 1.19
  pullPolicy string 1.19
  repository string 1.19
  tag string 1.19
  useDigest boolean 1.19
 nodeSelector object 1.19
 rollOutPods boolean 1.19
 serverPort integer 1.19
 tolerations array 1.19
 updateStrategy object 1.19
startupProbe
 failureThreshold integer
 periodSeconds integer
svcSourceRangeCheck boolean 1.17 1.18
synchronizeK8sNodes boolean
sysctlfix
 enabled boolean
terminationGracePeriodSeconds integer
tls
 ca
  cert string
  certValidityDuration integer
  key string
 caBundle
  content any
  enabled boolean
  key string
  name string
  useSecret boolean
 readSecretsOnlyFromSecretsNamespace boolean|null
 secretSync
  enabled boolean|null
 secretsBackend null|string
 secretsNamespace
  create boolean
  name string
tmpVolume object 1.19
tolerations array
tunnelPort integer
tunnelProtocol string
tunnelSourcePortRange string
underlayProtocol string 1.18 1.19
updateStrategy object
upgradeCompatibility null|string
vtep
 cidr string
 enabled boolean
 endpoint string
 mac string
 mask string
waitForKubeProxy boolean
wellKnownIdentities
 enabled boolean
"""
