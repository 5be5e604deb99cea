"""Bootstrap tokens: secrets of kube-system that end by themselves (the controller manager deletes them)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

from common.api import Api, ApiError, Object
from common.documents import Document
from common.documents import seconds as duration
from kubeadm.phases import Failed

SECRETS = "/api/v1/namespaces/kube-system/secrets"
KIND = "bootstrap.kubernetes.io/token"


def secret_of(token: Document) -> Object:
    """The secret that keeps a BootstrapToken; a ttl of 0 never ends."""
    identity, secret = token["token"].split(".")
    fields = {"token-id": identity, "token-secret": secret}
    if token.get("description"):
        fields["description"] = token["description"]
    expires = token.get("expires")
    if not expires and duration(token.get("ttl") or "0s"):
        moment = datetime.now(UTC) + timedelta(seconds=duration(token["ttl"]))
        expires = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    if expires:
        fields["expiration"] = expires
    fields |= {f"usage-bootstrap-{usage}": "true" for usage in token.get("usages") or []}
    if token.get("groups"):
        fields["auth-extra-groups"] = ",".join(token["groups"])
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"bootstrap-token-{identity}", "namespace": "kube-system"},
        "type": KIND,
        "data": {name: b64encode(value.encode()).decode() for name, value in fields.items()},
    }


def fields_of(secret: Object) -> dict[str, str]:
    return {name: b64decode(value).decode() for name, value in (secret.get("data") or {}).items()}


def create(api: Api, token: Document) -> None:
    secret = secret_of(token)
    name = secret["metadata"]["name"]
    if api.find(f"{SECRETS}/{name}"):
        raise Failed(f'a token with id "{token["token"].split(".")[0]}" already exists')
    api.create(SECRETS, secret)


def listed(api: Api) -> list[dict[str, str]]:
    """The fields of every bootstrap token, by id."""
    found = [fields_of(secret) for secret in api.items(SECRETS) if secret.get("type") == KIND]
    return sorted(found, key=lambda fields: fields["token-id"])


def expired(fields: dict[str, str]) -> bool:
    """Whether a token's time is over. One whose end cannot be read has ended."""
    if "expiration" not in fields:
        return False
    try:
        end = datetime.fromisoformat(fields["expiration"].replace("Z", "+00:00"))
    except ValueError:
        return True
    return end <= datetime.now(UTC)


def delete(api: Api, name: str) -> None:
    """Delete a token by its id or in full."""
    identity = name.split(".")[0]
    try:
        api.call("DELETE", f"{SECRETS}/bootstrap-token-{identity}")
    except ApiError as error:
        raise Failed(f'failed to delete bootstrap token "{identity}": {error}') from None


def table(tokens: list[dict[str, str]]) -> str:
    """As `kubeadm token list` prints them."""
    rows = [["TOKEN", "TTL", "EXPIRES", "USAGES", "DESCRIPTION", "EXTRA GROUPS"]]
    for fields in tokens:
        usages = [
            name for name in ("authentication", "signing") if fields.get(f"usage-bootstrap-{name}") == "true"
        ]
        rows.append(
            [
                f"{fields['token-id']}.{fields['token-secret']}",
                remaining(fields),
                fields.get("expiration", "<never>"),
                ",".join(usages) or "<none>",
                fields.get("description") or "<none>",
                fields.get("auth-extra-groups") or "<none>",
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def remaining(fields: dict[str, str]) -> str:
    """How long a token is still good for, in Kubernetes' short form."""
    if "expiration" not in fields:
        return "<forever>"
    if expired(fields):
        return "<invalid>"
    end = datetime.fromisoformat(fields["expiration"].replace("Z", "+00:00"))
    left = int((end - datetime.now(UTC)).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if left >= 2 * size or (left >= size and unit == "h"):
            return f"{left // size}{unit}"
    return f"{left}s"
