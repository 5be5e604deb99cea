{{- define "double.kubeProxyReplacement" -}}
{{- if hasKey .Values "kubeProxyReplacement" }}{{ toString .Values.kubeProxyReplacement }}{{ else }}false{{ end }}
{{- end }}

{{- define "double.labels" -}}
app.kubernetes.io/part-of: cilium
app.kubernetes.io/name: {{ . }}
{{- end }}

{{/* Where the API server is, as a list of environment variables. */}}
{{- define "double.server" -}}
{{- with .Values.k8sServiceHost }}
- {name: KUBERNETES_SERVICE_HOST, value: {{ quote . }}}
{{- end }}
{{- with .Values.k8sServicePort }}
- {name: KUBERNETES_SERVICE_PORT, value: {{ quote . }}}
{{- end }}
{{- end }}

{{/* Who and where a container is. */}}
{{- define "double.identity" -}}
- name: K8S_NODE_NAME
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}
- name: CILIUM_K8S_NAMESPACE
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}
{{- end }}

{{/* Takes an image's values and the chart: one without a tag is of the chart's own version. */}}
{{- define "double.image" -}}
{{ (index . 0).repository }}:{{ (index . 0).tag | default (printf "v%s" (index . 1).AppVersion) }}
{{- end }}
