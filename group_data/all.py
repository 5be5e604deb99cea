"""Settings of the whole lab: pyinfra gives them to every host, and `--data key=value` overrides one.

Plain values only. What each may be is checked by ciliumlab/settings.py, where a new one is declared too.
"""

# pyinfra's own: every operation runs as root, whoever the SSH user is.
_sudo = True

# The time zone of every machine, as in /usr/share/zoneinfo.
timezone = "Asia/Seoul"

# How pods of different nodes reach one another: "native" (routed as they are), or in a tunnel, "vxlan" or
# "geneve". It decides the kernel modules of the nodes.
datapath = "native"

# How nodes reach the pods of other segments in native mode: not at all ("none", as in the reference lab), by
# routes that a deploy puts on the router ("static"), or by routes that nodes announce to it ("bgp").
pod_routes = "none"

# With pod_routes = "bgp": the autonomous systems, and whether LoadBalancer addresses are announced too.
bgp_asns = {"router": 65000, "nodes": 65001}
bgp_load_balancer_ips = False

# Whether nodes answer ARP for LoadBalancer addresses, so that their segment reaches them.
l2_announcements = False

# Cilium's version, one of those whose digest stands in `charts` below.
cilium_version = "1.18.0"

# Values for Cilium's chart, merged into the computed ones and judged with them: {"MTU": 1400}.
cilium_extra_values = {}

# The example workloads: webpod, curl-pod, netshoot-web and netshoot-web2.
workloads = False

# What comes on top: Hubble's web page on node port 30003, a default storage class, Prometheus and Grafana on
# node ports 30001 and 30002, and metrics-server.
hubble_ui = True
local_path_provisioner = False
monitoring = False
metrics_server = False

# How long pods that were changed may take to become ready, in seconds.
rollout_timeout = 600

# Whether a deploy whose sources cannot be reached fails ("required"), or leaves the cluster out and says so
# ("auto").
cluster = "required"

# Kubernetes' version. A cluster that runs is moved to another one by tasks/upgrade.py, and by nothing else.
kubernetes_version = "1.33.2"

# Whether workloads run on the control plane too, as in the reference lab.
schedule_on_control_plane = True

# containerd as "containerd.io" of Docker's repository, in this version, or as the distribution's own package,
# "containerd", in the version that it has.
containerd_package = "containerd.io"
containerd_version = "1.7.27"

# How long to wait, in seconds, while another package manager is at work on a host, such as the unattended
# upgrade of one just booted. Then the run fails there and says who that is.
apt_lock_timeout = 600

# How long to wait, in seconds, while another run is at work on a host, from whatever controller. Then this
# run ends, names that one, and has changed nothing.
lock_timeout = 600

# The base URL of a mirror of all sources below (docs/mirror.md); empty for the sources themselves.
mirror = ""

# What tasks that take something away are to take: remove_node.py a node, restore.py a snapshot; and the lab's
# name, without which reset.py and restore.py do nothing.
node = ""
snapshot = ""
confirm = ""

# Where things come from. Each is checked against what stands here before it is used; where a checksum was
# read is said beside it, and a program without a published one is not here. Placeholders: {version},
# {kubernetes_version}, {containerd_version}, {cilium_version}, {minor} (of Kubernetes), {distribution},
# {codename}, {arch}.
# How a mirror takes the place of all of them: docs/mirror.md.

# Fingerprints: Kubernetes' as gpg shows its Release.key in kubernetes/kubernetes#128609; Docker's as in its
# own documentation, engine/install/ubuntu.md of docker/docker.github.io at 667c3d25.
apt_repositories = {
    "kubernetes": {
        "url": "https://pkgs.k8s.io/core:/stable:/v{minor}/deb/",
        "suite": "/",
        "components": [],
        "key": "https://pkgs.k8s.io/core:/stable:/v{minor}/deb/Release.key",
        "fingerprint": "DE15B14486CD377B9E876E1A234654DA9A296436",
        # What a mirror takes of it, with all that these need of the same repository.
        "packages": [
            "kubelet={kubernetes_version}",
            "kubeadm={kubernetes_version}",
            "kubectl={kubernetes_version}",
        ],
    },
    "docker": {
        "url": "https://download.docker.com/linux/{distribution}",
        "suite": "{codename}",
        "components": ["stable"],
        "key": "https://download.docker.com/linux/{distribution}/gpg",
        "fingerprint": "9DC858229FC7DD38854AE2D88D81803C0EBFCD88",
        "packages": ["containerd.io={containerd_version}"],
    },
}

# Release archives. "programs" are members of the archive and the names that they get in /usr/local/bin.
archives = {
    # The newest minor that still knows Kubernetes 1.33 (helm.sh/docs/v3/topics/version_skew: the version
    # that it was built with, here 1.36, and three before). Checksums: release notes of v3.21.4.
    "helm": {
        "version": "3.21.4",
        "programs": {"linux-{arch}/helm": "helm"},
        "amd64": {
            "url": "https://get.helm.sh/helm-v{version}-linux-amd64.tar.gz",
            "sha256": "61f88ab166748cb19604d7884cb100ae9ccb13804ddeb98e08af167eacbb6a14",
        },
        "arm64": {
            "url": "https://get.helm.sh/helm-v{version}-linux-arm64.tar.gz",
            "sha256": "b54c04b4e0b2540bbdc08c17a121dab70e9a2ed0de5705528fec68a5fd3b85a7",
        },
    },
    # kubernetes-sigs/kubespray at 46dbdd39, roles/kubespray_defaults/vars/main/checksums.yml,
    # ciliumcli_binary_checksums.
    "cilium": {
        "version": "0.18.9",
        "programs": {"cilium": "cilium"},
        "amd64": {
            "url": "https://github.com/cilium/cilium-cli/releases/download/v{version}/cilium-linux-amd64.tar.gz",
            "sha256": "15978aaf82373b0682aa87ab217848b3fb6e3cd80adad365d34696fe92543923",
        },
        "arm64": {
            "url": "https://github.com/cilium/cilium-cli/releases/download/v{version}/cilium-linux-arm64.tar.gz",
            "sha256": "eaa2b3570d3737592ec912505a247173e25fc7bca92d16b32d72b3aca94a743f",
        },
    },
    # The Arch User Repository's hubble-bin 1.18.5-1, PKGBUILD.
    "hubble": {
        "version": "1.18.5",
        "programs": {"hubble": "hubble"},
        "amd64": {
            "url": "https://github.com/cilium/hubble/releases/download/v{version}/hubble-linux-amd64.tar.gz",
            "sha256": "dcdd9add826e3bee5bb11a1ffece92cb64c1eacad564d2545f8bab4245d17dd8",
        },
        "arm64": {
            "url": "https://github.com/cilium/hubble/releases/download/v{version}/hubble-linux-arm64.tar.gz",
            "sha256": "d92a873b44517d2901b10381ac679b8f325f4a59fbdd5a1619c1fe5a4b97bdf0",
        },
    },
    # derailed/homebrew-k9s at c6a70d26, Formula/k9s.rb, written by the project's own release.
    "k9s": {
        "version": "0.50.16",
        "programs": {"k9s": "k9s"},
        "amd64": {
            "url": "https://github.com/derailed/k9s/releases/download/v{version}/k9s_Linux_amd64.tar.gz",
            "sha256": "bda09dc030a08987fe2b3bed678b15b52f23d6705e872d561932d4ca07db7818",
        },
        "arm64": {
            "url": "https://github.com/derailed/k9s/releases/download/v{version}/k9s_Linux_arm64.tar.gz",
            "sha256": "7f3b414bc5e6b584fbcb97f9f4f5b2c67a51cdffcbccb95adcadbaeab904e98e",
        },
    },
    # kubernetes-sigs/krew-index at c1ba859c, plugins/ctx.yaml and ns.yaml; shell scripts, for all machines.
    "kubectx": {
        "version": "0.11.0",
        "programs": {"kubectx-{version}/kubectx": "kubectx", "kubectx-{version}/kubens": "kubens"},
        "amd64": {
            "url": "https://github.com/ahmetb/kubectx/archive/v{version}.tar.gz",
            "sha256": "1c8eb6b30c0067f89e5b2f9480865b0e3229a221fadddb644ce192d663c63907",
        },
        "arm64": {
            "url": "https://github.com/ahmetb/kubectx/archive/v{version}.tar.gz",
            "sha256": "1c8eb6b30c0067f89e5b2f9480865b0e3229a221fadddb644ce192d663c63907",
        },
    },
    # Homebrew's formula, as in zalt50/homebrew-core (a fork) at 104d2733, Formula/k/kube-ps1.rb. No program,
    # but a file for shells to read.
    "kube-ps1": {
        "version": "1.0.0",
        "programs": {"kube-ps1-{version}/kube-ps1.sh": "kube-ps1.sh"},
        "amd64": {
            "url": "https://github.com/jonmosco/kube-ps1/archive/refs/tags/v{version}.tar.gz",
            "sha256": "af44982ad27e492d3ade2d03223c944523070b0462839a9260df7483692c1bb0",
        },
        "arm64": {
            "url": "https://github.com/jonmosco/kube-ps1/archive/refs/tags/v{version}.tar.gz",
            "sha256": "af44982ad27e492d3ade2d03223c944523070b0462839a9260df7483692c1bb0",
        },
    },
    # For snapshots, in the version of Kubernetes 1.33's etcd. kubespray as above, etcd_binary_checksums.
    "etcd": {
        "version": "3.5.21",
        "programs": {
            "etcd-v{version}-linux-{arch}/etcdctl": "etcdctl",
            "etcd-v{version}-linux-{arch}/etcdutl": "etcdutl",
        },
        "amd64": {
            "url": "https://github.com/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-linux-amd64.tar.gz",
            "sha256": "adddda4b06718e68671ffabff2f8cee48488ba61ad82900e639d108f2148501c",
        },
        "arm64": {
            "url": "https://github.com/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-linux-arm64.tar.gz",
            "sha256": "95bf6918623a097c0385b96f139d90248614485e781ec9bee4768dbb6c79c53f",
        },
    },
}

charts = {
    # One digest for each version that may be chosen: cilium/charts at 009b5e95, index.yaml.
    "cilium": {
        "version": "{cilium_version}",
        "url": "https://helm.cilium.io/cilium-{version}.tgz",
        "sha256": {
            "1.17.9": "025a18e9003b423856f3a51b43cb6616aa8481482396983e94e1d8fa10d72a22",
            "1.18.0": "7f9557f24b944ab06a0a661a1be236eedf0966341deb6ecd326209d6ab116a85",
            "1.18.1": "36aa882be2a35ac69f708f6e62e1e1f975ff48c561ce079d35ad35718284af22",
            "1.18.2": "39b62a72f0892dd16548bd08ee97d5db2e975f7c1f57155578a144186e22992f",
            "1.18.3": "ab93b9f4bb186374f87850b154f634568ec9baab4ada0d4077ecb2a710e83067",
            "1.18.4": "c361ca567b319af64b82736ab4c5927a201b1f5dbae4e909c7aeaabce0571299",
            "1.18.5": "7eaf545fe0b152da6c33f93621e4c965ec04bdee37003b5da35041e9680f3244",
            "1.18.6": "fb2af7f257395f5f9e5c2144febabf2b49b883f222345247ba107e36edb8794b",
            "1.18.7": "f0cce3eedd24cee6c4f7e4b261e702828455bd51c7efa4c89dcda2959795641a",
            "1.18.8": "cf5683a56b6d11f43e01ffe5d0bc5d69f6ac9bbe50cac45cf21eec3e1597afde",
            "1.18.9": "7a05af4d6cf7803072b7c48940f078efe66eeffcf14bb7e270a15c16c951fc9d",
            "1.18.10": "4d0754637fa6fd43878da4f611431fd796b9a9ced6152a34c30ca7b84451173d",
            "1.18.11": "85ea267d7fb4a7f95fe0775ebad3919658905fb78627541a55e96478c33a8473",
            "1.18.12": "5923f9d9fcb11bc4692ad52353cc791b935d96e09ba0c535c5a8b88ea8a37572",
            "1.19.6": "21c43cf53841f9ab0375047d95aa4c64051ea52bbd2c679416e6408f5f1c9179",
        },
    },
    # kubernetes-sigs/metrics-server, branch gh-pages at c6db65ff, index.yaml.
    "metrics-server": {
        "version": "3.13.1",
        "url": "https://github.com/kubernetes-sigs/metrics-server/releases/download/"
        "metrics-server-helm-chart-{version}/metrics-server-{version}.tgz",
        "sha256": "084e6edb680cf4e2acc30bd496568c53fdf663cbacf6e17876b25785c35b7a13",
    },
}

manifests = {
    # SHA-256 of deploy/local-path-storage.yaml in rancher/local-path-provisioner at the tag, 7b1dad8f.
    "local-path-provisioner": {
        "version": "0.0.31",
        "url": "https://raw.githubusercontent.com/rancher/local-path-provisioner/v{version}/deploy/"
        "local-path-storage.yaml",
        "sha256": "bed8d03e3e07e03d3dd3e4e2150ea6eb03f8753bd317bfeb1bfa49e9b432f78d",
    },
}

# Container images that a mirror holds: kubeadm's of Kubernetes 1.33, and those of Cilium's chart. Another
# minor has another CoreDNS, pause and etcd: `kubeadm config images list` names them; another Cilium has
# another Envoy, and from time to time another Hubble UI: envoy.image and hubble.ui in its values.yaml.
# Those of metrics-server and local-path-provisioner are not here: no published digest of them was found.
images = [
    "registry.k8s.io/kube-apiserver:v{kubernetes_version}",
    "registry.k8s.io/kube-controller-manager:v{kubernetes_version}",
    "registry.k8s.io/kube-scheduler:v{kubernetes_version}",
    "registry.k8s.io/coredns/coredns:v1.12.0",
    "registry.k8s.io/pause:3.10",
    "registry.k8s.io/etcd:3.5.21-0",
    "quay.io/cilium/cilium:v{cilium_version}",
    "quay.io/cilium/operator-generic:v{cilium_version}",
    "quay.io/cilium/cilium-envoy:v1.34.4-1753677767-266d5a01d1d55bd1d60148f991b98dac0390d363",
    "quay.io/cilium/hubble-relay:v{cilium_version}",
    "quay.io/cilium/hubble-ui:v0.13.2",
    "quay.io/cilium/hubble-ui-backend:v0.13.2",
]

# The images of the example workloads. A mirror holds them too.
workload_images = {
    "whoami": "docker.io/traefik/whoami:v1.11.0",
    "netshoot": "docker.io/nicolaka/netshoot:v0.13",
}

# What an image must be, where that was published; one that is not here is taken as its registry gives it.
# Kubernetes': status.images of the nodes of a published kubeadm cluster, kubelet v1.33.2; Cilium's:
# values.yaml of the chart above, of 1.18.0. The workloads': no publisher's own list was found; many public
# repositories pin these tags to these digests, independently of one another.
image_digests = {
    "registry.k8s.io/kube-apiserver:v1.33.2": (
        "sha256:e8ae58675899e946fabe38425f2b3bfd33120b7930d05b5898de97c81a7f6137"
    ),
    "registry.k8s.io/kube-controller-manager:v1.33.2": (
        "sha256:2236e72a4be5dcc9c04600353ff8849db1557f5364947c520ff05471ae719081"
    ),
    "registry.k8s.io/kube-scheduler:v1.33.2": (
        "sha256:304c28303133be7d927973bc9bd6c83945b3735c59d283c25b63d5b9ed53bca3"
    ),
    "registry.k8s.io/coredns/coredns:v1.12.0": (
        "sha256:40384aa1f5ea6bfdc77997d243aec73da05f27aed0c5e9d65bfa98933c519d97"
    ),
    "registry.k8s.io/pause:3.10": "sha256:ee6521f290b2168b6e0935a181d4cff9be1ac3f505666ef0e3c98fae8199917a",
    "registry.k8s.io/etcd:3.5.21-0": (
        "sha256:d58c035df557080a27387d687092e3fc2b64c6d0e3162dc51453a115f847d121"
    ),
    "quay.io/cilium/cilium:v1.18.0": (
        "sha256:dfea023972d06ec183cfa3c9e7809716f85daaff042e573ef366e9ec6a0c0ab2"
    ),
    "quay.io/cilium/operator-generic:v1.18.0": (
        "sha256:398378b4507b6e9db22be2f4455d8f8e509b189470061b0f813f0fabaf944f51"
    ),
    "quay.io/cilium/cilium-envoy:v1.34.4-1753677767-266d5a01d1d55bd1d60148f991b98dac0390d363": (
        "sha256:231b5bd9682dfc648ae97f33dcdc5225c5a526194dda08124f5eded833bf02bf"
    ),
    "quay.io/cilium/hubble-relay:v1.18.0": (
        "sha256:c13679f22ed250457b7f3581189d97f035608fe13c87b51f57f8a755918e793a"
    ),
    "quay.io/cilium/hubble-ui:v0.13.2": (
        "sha256:9e37c1296b802830834cc87342a9182ccbb71ffebb711971e849221bd9d59392"
    ),
    "quay.io/cilium/hubble-ui-backend:v0.13.2": (
        "sha256:a034b7e98e6ea796ed26df8f4e71f83fc16465a19d166eff67a03b822c0bfa15"
    ),
    "docker.io/traefik/whoami:v1.11.0": (
        "sha256:200689790a0a0ea48ca45992e0450bc26ccab5307375b41c84dfc4f2475937ab"
    ),
    "docker.io/nicolaka/netshoot:v0.13": (
        "sha256:a20c2531bf35436ed3766cd6cfe89d352b050ccc4d7005ce6400adf97503da1b"
    ),
}
