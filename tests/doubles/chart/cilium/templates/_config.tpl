{{/* cilium-config: which value becomes which key. Without the namespace it is also what the checksums are of. */}}
{{- define "double.config" -}}
identity-allocation-mode: crd
debug: {{ .Values.debug.enabled | quote }}
cluster-name: {{ .Values.cluster.name | quote }}
cluster-id: {{ .Values.cluster.id | quote }}
enable-ipv4: {{ .Values.ipv4.enabled | quote }}
enable-ipv6: {{ .Values.ipv6.enabled | quote }}
datapath-mode: {{ .Values.bpf.datapathMode | quote }}
routing-mode: {{ .Values.routingMode | default "tunnel" | quote }}
tunnel-protocol: {{ .Values.tunnelProtocol | default "vxlan" | quote }}
{{- with .Values.tunnelPort }}
tunnel-port: {{ . | quote }}
{{- end }}
{{- with .Values.MTU }}
mtu: {{ . | quote }}
{{- end }}
auto-direct-node-routes: {{ .Values.autoDirectNodeRoutes | quote }}
direct-routing-skip-unreachable: {{ .Values.directRoutingSkipUnreachable | quote }}
{{- with .Values.ipv4NativeRoutingCIDR }}
ipv4-native-routing-cidr: {{ . | quote }}
{{- end }}
{{- with .Values.ipv6NativeRoutingCIDR }}
ipv6-native-routing-cidr: {{ . | quote }}
{{- end }}
{{- if hasKey .Values "devices" }}
devices: {{ join " " .Values.devices | quote }}
{{- end }}
kube-proxy-replacement: {{ include "double.kubeProxyReplacement" . | quote }}
{{- if kindIs "invalid" .Values.enableIPv4Masquerade }}
enable-ipv4-masquerade: "true"
{{- else }}
enable-ipv4-masquerade: {{ .Values.enableIPv4Masquerade | quote }}
{{- end }}
{{- if not (kindIs "invalid" .Values.bpf.masquerade) }}
enable-bpf-masquerade: {{ .Values.bpf.masquerade | quote }}
{{- end }}
install-no-conntrack-iptables-rules: {{ .Values.installNoConntrackIptablesRules | quote }}
bpf-lb-acceleration: {{ .Values.loadBalancer.acceleration | quote }}
{{- with .Values.loadBalancer.mode }}
bpf-lb-mode: {{ . | quote }}
{{- end }}
{{- with .Values.loadBalancer.dsrDispatch }}
bpf-lb-dsr-dispatch: {{ . | quote }}
{{- end }}
ipam: {{ .Values.ipam.mode | quote }}
{{- if eq .Values.ipam.mode "cluster-pool" }}
cluster-pool-ipv4-cidr: {{ .Values.ipam.operator.clusterPoolIPv4PodCIDRList | join " " | quote }}
cluster-pool-ipv4-mask-size: {{ .Values.ipam.operator.clusterPoolIPv4MaskSize | quote }}
{{- end }}
default-lb-service-ipam: {{ .Values.defaultLBServiceIPAM | quote }}
enable-lb-ipam: {{ .Values.enableLBIPAM | quote }}
enable-health-checking: {{ .Values.healthChecking | quote }}
enable-endpoint-health-checking: {{ .Values.endpointHealthChecking.enabled | quote }}
write-cni-conf-when-ready: /host/etc/cni/net.d/05-cilium.conflist
cni-exclusive: {{ .Values.cni.exclusive | quote }}
{{- if .Values.prometheus.enabled }}
prometheus-serve-addr: ":{{ .Values.prometheus.port }}"
{{- end }}
{{- if .Values.operator.prometheus.enabled }}
operator-prometheus-serve-addr: ":{{ .Values.operator.prometheus.port }}"
{{- end }}
enable-hubble: {{ .Values.hubble.enabled | quote }}
{{- if .Values.hubble.enabled }}
hubble-socket-path: /var/run/cilium/hubble.sock
hubble-listen-address: {{ .Values.hubble.listenAddress | quote }}
{{- with .Values.hubble.metrics }}
{{- if .enabled }}
hubble-metrics-server: ":{{ .port }}"
hubble-metrics: {{ .enabled | join " " | quote }}
enable-hubble-open-metrics: {{ .enableOpenMetrics | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.l2announcements }}
{{- if .enabled }}
enable-l2-announcements: "true"
{{- with .leaseDuration }}
l2-announcements-lease-duration: {{ . | quote }}
{{- end }}
{{- with .leaseRenewDeadline }}
l2-announcements-renew-deadline: {{ . | quote }}
{{- end }}
{{- with .leaseRetryPeriod }}
l2-announcements-retry-period: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.bgpControlPlane }}
{{- if .enabled }}
enable-bgp-control-plane: "true"
bgp-secrets-namespace: {{ .secretsNamespace.name | quote }}
enable-bgp-control-plane-status-report: {{ .statusReport.enabled | quote }}
{{- end }}
{{- end }}
{{- with .Values.k8sClientRateLimit }}
{{- with .qps }}
k8s-client-qps: {{ . | quote }}
{{- end }}
{{- with .burst }}
k8s-client-burst: {{ . | quote }}
{{- end }}
{{- with .operator.qps }}
operator-k8s-client-qps: {{ . | quote }}
{{- end }}
{{- with .operator.burst }}
operator-k8s-client-burst: {{ . | quote }}
{{- end }}
{{- end }}
{{- range $key, $value := .Values.extraConfig }}
{{ $key }}: {{ $value | quote }}
{{- end }}
{{- end }}
