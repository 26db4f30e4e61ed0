"""The form of a request to FCM, field by field, as Google's JSON reader takes it.

Names may be written in snake_case or camelCase, null is as good as nothing, and what is not named
here is refused. Source: Firebase, "REST Resource: projects.messages".
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from booper.simulators.fcm.errors import Wrong

# What a field may hold: a type by name, an object of named fields, or one of some words.
TEXTS, STRUCT, DURATION, LIST = "map of texts", "any object", "duration", "list of texts"
Kind = Any
_LABEL = {"analytics_label": str}
_ANDROID_NOTIFICATION: dict[str, Kind] = {
    **dict.fromkeys(
        ("title", "body", "icon", "color", "sound", "tag", "click_action", "body_loc_key"), str
    ),
    **dict.fromkeys(("title_loc_key", "channel_id", "ticker", "event_time", "image"), str),
    **dict.fromkeys(("body_loc_args", "title_loc_args"), LIST),
    **dict.fromkeys(("sticky", "local_only", "default_sound", "default_vibrate_timings"), bool),
    "default_light_settings": bool,
    "bypass_proxy_notification": bool,
    "notification_priority": {"PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT"}
    | {"PRIORITY_HIGH", "PRIORITY_MAX", "PRIORITY_UNSPECIFIED"},
    "visibility": {"VISIBILITY_UNSPECIFIED", "PRIVATE", "PUBLIC", "SECRET"},
    "proxy": {"PROXY_UNSPECIFIED", "ALLOW", "DENY", "IF_PRIORITY_LOWERED"},
    "notification_count": int,
    "vibrate_timings": LIST,
    "light_settings": STRUCT,
}
_ANDROID: dict[str, Kind] = {
    "collapse_key": str,
    "priority": {"NORMAL", "HIGH"},
    "ttl": DURATION,
    "restricted_package_name": str,
    "data": TEXTS,
    "notification": _ANDROID_NOTIFICATION,
    "fcm_options": _LABEL,
    "direct_boot_ok": bool,
    "bandwidth_constrained_ok": bool,
    "restricted_satellite_ok": bool,
}
_MESSAGE: dict[str, Kind] = {
    "name": str,
    "data": TEXTS,
    "notification": {"title": str, "body": str, "image": str},
    "android": _ANDROID,
    "webpush": {
        "headers": TEXTS,
        "data": TEXTS,
        "notification": STRUCT,
        "fcm_options": {"link": str, **_LABEL},
    },
    "apns": {
        "headers": TEXTS,
        "payload": STRUCT,
        "fcm_options": {"image": str, **_LABEL},
        "live_activity_token": str,
    },
    "fcm_options": _LABEL,
    "token": str,
    "fid": str,
    "topic": str,
    "condition": str,
}
_REQUEST: dict[str, Kind] = {"validate_only": bool, "message": _MESSAGE}
_NAMES = {str: "TYPE_STRING", bool: "TYPE_BOOL", int: "TYPE_INT32"}
_DURATION = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?s")
_HUMP = re.compile(r"[A-Z]")


def read(body: bytes) -> dict[str, Any]:
    """The request in snake_case without its nulls; raises Wrong."""
    try:
        value = msgspec.json.decode(body.decode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Wrong("", "Invalid JSON payload received. Unexpected token.") from None
    found = _checked(value, _REQUEST, "")
    if not isinstance(found, dict):
        raise TypeError("a request is an object")
    return found


def _checked(value: object, kind: Kind, place: str) -> object:
    """`value` as its kind wants it."""
    if isinstance(kind, dict):
        return _object(value, kind, place)
    if isinstance(kind, set):
        if not isinstance(value, str) or value.upper() not in kind:
            raise _invalid(place, "enum", value)
        return value.upper()
    if kind is TEXTS:
        return _texts(value, place)
    if kind is LIST:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _invalid(place, "TYPE_STRING", value)
        return value
    if kind is STRUCT:
        if not isinstance(value, dict):
            raise _invalid(place, "type.googleapis.com/google.protobuf.Struct", value)
        return value
    if kind is DURATION:
        if not isinstance(value, str) or not _DURATION.fullmatch(value):
            raise _invalid(place, "type.googleapis.com/google.protobuf.Duration", value)
        return value
    if kind is int and isinstance(value, str) and value.lstrip("-").isdecimal():
        return int(value)  # as proto's JSON has it
    if type(value) is not kind:
        raise _invalid(place, _NAMES[kind], value)
    return value


def _object(value: object, fields: dict[str, Kind], place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(place, "object", value)
    found: dict[str, Any] = {}
    for given, inner in value.items():
        name = _HUMP.sub(lambda hump: f"_{hump[0].lower()}", given)
        if name not in fields:
            where = f" at '{place}'" if place else ""
            sentence = f'Unknown name "{given}"{where}: Cannot find field.'
            raise Wrong(place, f"Invalid JSON payload received. {sentence}")
        if inner is not None:
            found[name] = _checked(inner, fields[name], f"{place}.{name}" if place else name)
    return found


def _texts(value: object, place: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _invalid(place, "map", value)
    for number, inner in enumerate(value.values()):
        if not isinstance(inner, str):
            raise _invalid(f"{place}[{number}].value", "TYPE_STRING", inner)
    return value


def _invalid(place: str, kind: str, value: object) -> Wrong:
    shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return Wrong(place, f"Invalid value at '{place}' ({kind}), {shown[:100]}")
