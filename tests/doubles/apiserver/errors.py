"""What goes wrong with a request, as the API's Status objects say it."""

from __future__ import annotations

from typing import Any


class StatusError(Exception):
    """An answer other than success: HTTP status, reason, message and details of a v1 Status."""

    def __init__(self, code: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details or {},
            "code": code,
        }


def success(kind: str, group: str, name: str, uid: str) -> dict[str, Any]:
    """The Status that says that an object is gone."""
    details = {"name": name, "group": group, "kind": kind, "uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized")


def no_such_path() -> StatusError:
    """Nothing is served at this path; kubectl tells it from an object that is missing."""
    return StatusError(404, "NotFound", "the server could not find the requested resource")


def not_found(resource: str, group: str, name: str) -> StatusError:
    qualified = f"{resource}.{group}" if group else resource
    details = {"name": name, "group": group, "kind": resource}
    return StatusError(404, "NotFound", f'{qualified} "{name}" not found', details)


def already_exists(resource: str, group: str, name: str) -> StatusError:
    qualified = f"{resource}.{group}" if group else resource
    details = {"name": name, "group": group, "kind": resource}
    return StatusError(409, "AlreadyExists", f'{qualified} "{name}" already exists', details)


def conflict(resource: str, group: str, name: str, why: str = "") -> StatusError:
    qualified = f"{resource}.{group}" if group else resource
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    message = f'Operation cannot be fulfilled on {qualified} "{name}": {why}'
    return StatusError(409, "Conflict", message, {"name": name, "group": group, "kind": resource})


def forbidden(resource: str, group: str, name: str, why: str) -> StatusError:
    qualified = f"{resource}.{group}" if group else resource
    named = f'{qualified} "{name}"' if name else qualified
    details = {"name": name, "group": group, "kind": resource}
    return StatusError(403, "Forbidden", f"{named} is forbidden: {why}", details)


def invalid(kind: str, group: str, name: str, *causes: tuple[str, str]) -> StatusError:
    """422: ``causes`` are pairs of a field's path and what is wrong with it."""
    said = [f"{field}: {problem}" for field, problem in causes]
    qualified = f"{kind}.{group}" if group else kind
    message = f'{qualified} "{name}" is invalid: ' + (said[0] if len(said) == 1 else f"[{', '.join(said)}]")
    listed = [{"reason": "FieldValueInvalid", "message": text, "field": field} for field, text in causes]
    return StatusError(
        422, "Invalid", message, {"name": name, "group": group, "kind": kind, "causes": listed}
    )


def gone(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def unsupported_media_type(given: str, accepted: list[str]) -> StatusError:
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(accepted)}; it was {given or 'none'}"
    )
    return StatusError(415, "UnsupportedMediaType", message)
