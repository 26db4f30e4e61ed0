"""Where the instances' handlers stand: the same operations under any prefix, for any editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from booper.api import instances, pushes, quarantine
from booper.api.instance_views import (
    Audit,
    AuditPage,
    Change,
    List,
    Name,
    New,
    Page,
    Verdict,
    View,
    Wait,
)
from booper.api.notify import CONTENT_ERRORS

if TYPE_CHECKING:
    from booper.api.instances import Editing
    from booper.api.operation import Operations
    from booper.domain.caller import Who

_UNKNOWN = ("unknown_instance", "unknown_generation")
_SETTINGS = (  # what the codecs and the material say of settings, and a provider of a credential
    "missing_settings",
    "invalid_settings",
    "invalid_key",
    "wrong_curve",
    "invalid_url",
    "invalid_credentials",
    "bad_certificate",
    "invalid_key",
    "certificate_environment_mismatch",
    "certificate_expired",
    "certificate_key_mismatch",
    "certificate_not_yet_valid",
    "certificate_topic_mismatch",
    "two_credentials",
    "unknown_resolver",
    "two_sources",
    "operators_only_setting",
    "forbidden_url",
    "unknown_host",
    "unknown_resolver",
    "unreadable_file",
    "missing_variable",
    "not_verifiable",
    "credential_refused",
)
_TURNS = {
    "start": "Run a stopped instance; a disabled one stays disabled.",
    "stop": "Finish what is in flight, close every connection, release everything but the row.",
    "enable": "Take new sends again.",
    "disable": "Refuse new sends; connections stay warm, and what is queued waits.",
    "reconnect": "New connections; the old ones finish what they have in flight.",
    "prefer": "Send for devices that name no instance.",
}
_DECISIONS = {
    "confirm": "Take the settings on trial for good.",
    "retry": "Put the settings that the provider refused on trial again.",
    "undo": "Forget the settings on trial, or those that were refused.",
}


def declare(
    operations: Operations, prefix: str, callers: Who, editing: Editing, extra: tuple[str, ...] = ()
) -> None:
    """Add every operation under `prefix`, whose `{…_id}` parts are `extra`."""

    def add(method: str, path: str, work: instances.Handler, **declared: object) -> None:
        errors: dict[int, tuple[str, ...]] = {503: ("provider_unreachable",)}
        declared["errors"] = {**errors, **declared.pop("errors", {})}  # type: ignore[dict-item]
        if "{name}" in path:
            declared["parts"] = {"name": Name, **dict.fromkeys(extra)}
            declared["errors"] = {404: _UNKNOWN, **declared["errors"]}  # type: ignore[dict-item]
        handler = instances.bound(work, editing, extra)
        operations.route(method, f"{prefix}{path}", callers=callers, **declared)(handler)  # type: ignore[arg-type]

    seen = {200: View, 202: View}
    matching = {"headers": ("If-Match",)}
    stale = {412: ("stale", "changed_meanwhile")}
    file = ("from_configuration",)
    add("GET", "", instances.every, answers={200: List}, query=Page)
    add(
        "POST",
        "",
        instances.create,
        answers={201: View, 202: View},
        body=New,
        query=Wait,
        errors={
            409: ("instance_exists",),
            422: ("invalid_name", "reserved_name", "unknown_provider", *_SETTINGS),
        },
    )
    add("GET", "/{name}", instances.show, answers={200: View})
    add(
        "PATCH",
        "/{name}",
        instances.change,
        answers=seen,
        body=Change,
        query=Wait,
        errors={**stale, 409: file, 422: _SETTINGS},
        **matching,
    )
    add(
        "DELETE",
        "/{name}",
        instances.delete,
        answers={204: None},
        errors={**stale, 409: file},
        **matching,
    )
    add(
        "POST",
        "/{name}/verify",
        instances.verify,
        answers={200: Verdict},
        errors={422: ("not_verifiable",)},
    )
    add("GET", "/{name}/audit", instances.audit, answers={200: Audit}, query=AuditPage)
    for verb, summary in _TURNS.items():
        work = instances.turning(verb, summary)
        add("POST", f"/{{name}}/{verb}", work, answers=seen, query=Wait, errors=stale, **matching)
    for action, summary in _DECISIONS.items():
        work = instances.deciding(action, summary)
        path, errors = f"/{{name}}/rotation/{action}", {**stale, 409: ("no_rotation",)}
        add("POST", path, work, answers=seen, query=Wait, errors=errors, **matching)
    ward = "/{name}/quarantine"
    add("GET", ward, quarantine.show, answers={200: quarantine.Ward}, query=quarantine.WardPage)
    for decide in (quarantine.confirm, quarantine.undo):
        add("POST", f"{ward}/{decide.__name__}", decide, answers={200: quarantine.Decided})
    sends = {
        409: ("instance_disabled", "instance_stopped"),
        422: ("missing_device", "invalid_device_token", *CONTENT_ERRORS),
        503: ("instance_not_running",),
    }
    add(
        "POST",
        "/{name}/push",
        pushes.push,
        answers={200: pushes.Answered},
        body=pushes.One,
        errors=sends,
    )
    add(
        "POST",
        "/{name}/push/batch",
        pushes.batch,
        answers={200: pushes.Results},
        body=pushes.Many,
        errors=sends,
    )
