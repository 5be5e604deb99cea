"""Shell functions that wait for workloads, and say why they are not there."""

from __future__ import annotations

from ciliumlab.facts.kubernetes import ADMIN, KUBECTL
from ciliumlab.facts.workloads import KINDS

# Without a limit for a single request, which here would end the watch that it waits by.
_WAIT = f"kubectl --kubeconfig {ADMIN} rollout status"

# A line a workload: kind, namespace, name, labels of its pods. One that is updated by hand has no rollout.
_WORKLOADS = (
    "{{range .items}}"
    '{{$strategy := ""}}{{with .spec.updateStrategy}}{{$strategy = .type}}{{end}}'
    '{{$release := ""}}{{with .metadata.annotations}}'
    '{{$release = printf "%v/%v" (index . "meta.helm.sh/release-namespace")'
    ' (index . "meta.helm.sh/release-name")}}{{end}}'
    '{{if and (ne $strategy "OnDelete") MINE}}'
    "{{.kind}} {{.metadata.namespace}} {{.metadata.name}} "
    '{{range $key, $value := .spec.selector.matchLabels}}{{$key}}={{$value}},{{end}}{{"\\n"}}{{end}}{{end}}'
)

# A line a reason; a container that runs, and whose probe fails, has none but in an event.
_REASONS = (
    '{{range .items}}{{$pod := printf "%s/%s" .metadata.namespace .metadata.name}}'
    "{{with .spec.nodeName}}{{$pod = printf `%s on %s` $pod .}}{{end}}"
    '{{range .status.conditions}}{{if and (eq .type "PodScheduled") (eq .status "False")}}'
    '{{$pod}}: {{.reason}}: {{.message}}{{"\\n"}}{{end}}{{end}}'
    "CONTAINERS(.status.initContainerStatuses)CONTAINERS(.status.containerStatuses)"
    "{{end}}"
)
_CONTAINERS = (
    "{{range LIST}}{{if not .ready}}{{$name := .name}}{{with .state}}"
    "{{with .waiting}}{{$pod}}: {{$name}} waits: {{.reason}}{{with .message}}: {{.}}{{end}}"
    '{{"\\n"}}{{end}}'
    '{{if .running}}{{$pod}}: {{$name}} runs and is not ready{{"\\n"}}{{end}}'
    "{{with .terminated}}{{$pod}}: {{$name}} has ended: ENDED{{end}}{{end}}"
    "{{with .lastState}}{{with .terminated}}{{$pod}}: {{$name}} had ended: ENDED{{end}}{{end}}"
    "{{end}}{{end}}"
)
_ENDED = '{{.reason}}, exit code {{.exitCode}}{{with .message}}: {{.}}{{end}}{{"\\n"}}'

_UNREADY = (
    '{{range .items}}{{$ready := false}}{{range .status.conditions}}{{if and (eq .type "Ready")'
    ' (eq .status "True")}}{{$ready = true}}{{end}}{{end}}'
    '{{if not $ready}}{{.metadata.name}}{{"\\n"}}{{end}}{{end}}'
)
_EVENTS = (
    "{{range .items}}{{.metadata.namespace}}/{{.involvedObject.name}}: {{.reason}}: {{.message}}"
    '{{"\\n"}}{{end}}'
)

# Of how many pods the events are asked for, and how many of each.
_PODS, _LINES = 5, 2


def functions(selector: str, release: str = "") -> str:
    """Shell functions for workloads with these labels, in all namespaces; ``release``: of this release of
    Helm's alone, "kube-system/cilium".

    ``rolled_out`` succeeds once they have all rolled out, and fails at the time ``$end`` (Unix seconds).
    ``reasons`` prints on standard error which have not, and why pods of theirs are not ready.
    """
    mine = f'(eq $release "{release}")' if release else "true"
    return f"""\
workloads() {{
    {KUBECTL} get {KINDS} --all-namespaces --selector '{selector}' \\
        --output go-template='{_WORKLOADS.replace("MINE", mine)}'
}}
rolled_out() {{
    found=$(workloads) && echo "$found" | while read -r kind space object labels; do
        [ -n "$kind" ] || continue
        left=$((end - $(date +%s)))
        {_WAIT} "$kind/$object" --namespace "$space" --timeout "$((left > 1 ? left : 1))s" || exit 1
    done
}}
reasons() {{
    workloads | while read -r kind space object labels; do
        {_WAIT} "$kind/$object" --namespace "$space" --watch=false | grep -v "successfully rolled out" |
            sed "s|^|$kind $space/$object: |"
        pods="{KUBECTL} get pods --namespace $space --selector ${{labels%,}}"
        $pods --output go-template='{_reasons()}'
        for pod in $($pods --output go-template='{_UNREADY}' | head -n {_PODS}); do
            {KUBECTL} get events --namespace "$space" --sort-by .lastTimestamp \\
                --field-selector "type=Warning,involvedObject.name=$pod" \\
                --output go-template='{_EVENTS}' | tail -n {_LINES}
        done
    done >&2
}}"""


def _reasons() -> str:
    text = _REASONS
    for status in ("initContainerStatuses", "containerStatuses"):
        containers = _CONTAINERS.replace("LIST", f".status.{status}").replace("ENDED", _ENDED)
        text = text.replace(f"CONTAINERS(.status.{status})", containers)
    return text
