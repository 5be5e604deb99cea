"""kubeconfig files as kubeadm writes them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import yaml


def kubeconfig(server: str, ca_pem: str, cluster: str, user: str, credentials: dict[str, str]) -> str:
    """A kubeconfig of one user; ``credentials`` is that user's entry, such as {"token": …}."""
    context = f"{user}@{cluster}"
    place: dict[str, Any] = {"server": server}
    if ca_pem:
        place["certificate-authority-data"] = encoded(ca_pem)
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster, "cluster": place}],
            "contexts": [{"name": context, "context": {"cluster": cluster, "user": user}}],
            "current-context": context,
            "preferences": {},
            "users": [{"name": user, "user": credentials}],
        }
    )


def encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


def decoded(data: str) -> str:
    return b64decode(data).decode()


def current(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The cluster and the user of a kubeconfig's current context."""
    config = yaml.safe_load(text)
    contexts = {entry["name"]: entry["context"] for entry in config["contexts"]}
    context = contexts[config["current-context"]]
    clusters = {entry["name"]: entry["cluster"] for entry in config["clusters"]}
    users = {entry["name"]: entry.get("user") or {} for entry in config.get("users") or []}
    return clusters[context["cluster"]], users.get(context.get("user"), {})
