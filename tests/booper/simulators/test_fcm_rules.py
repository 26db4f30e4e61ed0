"""The simulated Google's judgement of a message: its form, its fields, its device."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booper.providers.fcm import Fcm
from booper.simulators.faults import Answer, Faults
from booper.simulators.fcm import Credentials, FcmExaminer, Project, generate_account
from booper.simulators.ledger import Ledger
from booper.simulators.serving import Desk, Habits, Judged, PushRequest

NOW = 1_800_000_000.0
ISSUED = generate_account("my-project")
CODEC = Fcm().codec("google", {"credentials": ISSUED.file("https://x/token")})
BEARER = b"Bearer " + CODEC.mint(NOW).text.reveal().encode()
PATH = b"/v1/projects/my-project/messages:send"
DEVICE = "abc:DEF_123-456.789"


def examiner(project: Project | None = None) -> FcmExaminer:
    known = project or Project("my-project", [ISSUED.account])
    return FcmExaminer(known, Credentials(known), Desk(Faults(), Ledger(), Habits(), lambda: NOW))


def judged(body: object, *, path: bytes = PATH, project: Project | None = None) -> Judged:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    headers = [(b"authorization", BEARER), (b"content-type", b"application/json")]
    return examiner(project).judge(PushRequest(b"POST", path, headers, raw))


def error(found: Judged) -> tuple[int, str, str, str]:
    """Status, family, FCM's own code, and the sentence."""
    said = msgspec.json.decode(found.response.body)["error"]
    assert said["code"] == found.response.status
    code = next((d["errorCode"] for d in said["details"] if "errorCode" in d), "")
    return found.response.status, said["status"], code, said["message"]


def message(**fields: Any) -> dict[str, Any]:
    return {"message": {"token": DEVICE, "notification": {"title": "t"}, **fields}}


@pytest.mark.parametrize(
    ("body", "device"),
    [
        (message(), DEVICE),
        (message(data={"k": "v"}, android={"ttl": "3600s", "priority": "high"}), DEVICE),
        (message(android={"ttl": "2419200s", "collapseKey": "c", "notification": None}), DEVICE),
        (message(android={"notification": {"notification_count": "3"}}), DEVICE),
        (message(apns={"headers": {"apns-priority": "5"}, "payload": {"aps": {}}}), DEVICE),
        (message(webpush={"headers": {"TTL": "5"}, "fcm_options": {"link": "https://e"}}), DEVICE),
        ({"validateOnly": False, **message()}, DEVICE),
        ({"message": {"topic": "news"}}, "topic:news"),
        ({"message": {"topic": "/topics/news"}}, "topic:news"),
        ({"message": {"fid": "cJb2Jt3xQm-_0123456789"}}, "fid:cJb2Jt3xQm-_0123456789"),
        ({"message": {"condition": "!('a' in topics)"}}, "condition:!('a' in topics)"),
        (
            {"message": {"condition": "'a' in topics && ('b' in topics || 'x' in topics)"}},
            "condition:'a' in topics && ('b' in topics || 'x' in topics)",
        ),
    ],
)
def test_what_is_good_is_accepted(body: dict[str, Any], device: str) -> None:
    found = judged(body)
    assert (found.response.status, found.response.reason) == (200, ""), found.response.body
    name = msgspec.json.decode(found.response.body)["name"]
    assert name.startswith("projects/my-project/messages/0:")
    assert (found.device, found.instance) == (device, ISSUED.account.email)


def test_what_is_only_checked_is_no_push() -> None:
    found = judged({**message(), "validate_only": True})
    assert (found.response.status, found.response.reason) == (200, "VALIDATE_ONLY")
    assert b"fake_message_id" in found.response.body
    assert judged({**message(data={"from": "x"}), "validate_only": True}).response.status == 400


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        (b"", "", "Invalid JSON payload received"),
        (b"[]", "", "object"),
        (b'{"message":' + b"[" * 9999, "", "Invalid JSON payload received"),
        (b"\xff", "", "Invalid JSON payload received"),
        ({"message": []}, "message", "object"),
        ({"massage": {}}, "", 'Unknown name "massage"'),
        (message(titel="x"), "message", "Unknown name \"titel\" at 'message'"),
        (
            message(data={"k": 1}),
            "message.data[0].value",
            "message.data[0].value' (TYPE_STRING), 1",
        ),
        (message(data=["k"]), "message.data", "map"),
        (message(notification={"title": 5}), "message.notification.title", "TYPE_STRING"),
        (message(android={"ttl": 60}), "message.android.ttl", "protobuf.Duration"),
        (message(android={"ttl": "-1s"}), "message.android.ttl", "protobuf.Duration"),
        (message(android={"priority": "now"}), "message.android.priority", "enum"),
        (message(apns={"payload": "x"}), "message.apns.payload", "protobuf.Struct"),
        (message(apns={"headers": {"x": 5}}), "message.apns.headers[0].value", "TYPE_STRING"),
        (message(topic="news"), "message", "oneof field 'target' is already set"),
        ({"validate_only": "yes", **message()}, "validate_only", "TYPE_BOOL"),
    ],
)
def test_what_is_malformed_names_the_field_and_no_code_of_fcm(
    body: object, field: str, sentence: str
) -> None:
    found = judged(body)
    status, family, code, said = error(found)
    assert (status, family, code) == (400, "INVALID_ARGUMENT", "")
    (detail,) = msgspec.json.decode(found.response.body)["error"]["details"]
    assert detail["@type"].endswith("google.rpc.BadRequest")
    assert detail["fieldViolations"] == [{"field": field, "description": said}]
    assert sentence in said


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "Recipient of the message is not set."),
        ({"message": {}}, "Recipient of the message is not set."),
        (message(token="short"), "not a valid FCM registration token"),
        (message(token='a"' * 20), "not a valid FCM registration token"),
        ({"message": {"topic": "a b"}}, "topic"),
        ({"message": {"condition": "'a' in topics &&"}}, "condition"),
        ({"message": {"condition": " && ".join(["'a' in topics"] * 6)}}, "condition"),
        ({"message": {"condition": "x"}}, "condition"),
        (message(data={"from": "x"}), "from"),
        (message(android={"data": {"gcm.x": "x"}}), "gcm.x"),
        (message(data={"": "x"}), "Invalid data payload key"),
        (message(android={"ttl": "2419201s"}), "4 weeks"),
        (message(android={"notification": {"body_loc_args": ["a"]}}), "body_loc_key"),
        (message(apns={"headers": {"apns-priority": "7"}}), "apns-priority"),
        (message(apns={"headers": {"apns-expiration": "soon"}}), "apns-expiration"),
        (message(apns={"headers": {"apns-collapse-id": "x" * 65}}), "apns-collapse-id"),
        (message(apns={"payload": {"aps": "x"}}), "aps"),
        (message(webpush={"headers": {"TTL": "2419201"}}), "TTL"),
        (message(webpush={"headers": {"Urgency": "now"}}), "Urgency"),
        (message(webpush={"fcm_options": {"link": "http://e"}}), "HTTPS"),
        (message(data={"k": "v" * 4096}), "too big"),
        ({"message": {"topic": "news", "data": {"k": "v" * 2048}}}, "too big"),
    ],
)
def test_what_fcm_itself_refuses_has_its_code(body: dict[str, Any], sentence: str) -> None:
    status, family, code, said = error(judged(body))
    assert (status, family, code) == (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT")
    assert sentence in said


@pytest.mark.parametrize(
    ("refusal", "status", "family"),
    [
        ("UNREGISTERED", 404, "NOT_FOUND"),
        ("SENDER_ID_MISMATCH", 403, "PERMISSION_DENIED"),
        ("THIRD_PARTY_AUTH_ERROR", 401, "UNAUTHENTICATED"),
    ],
)
def test_a_device_can_be_refused(refusal: str, status: int, family: str) -> None:
    project = Project("my-project", [ISSUED.account])
    project.register(DEVICE, refusal)
    assert error(judged(message(), project=project))[:3] == (status, family, refusal)
    with pytest.raises(ValueError, match="no code"):
        project.register(DEVICE, "GONE_FISHING")


def test_only_known_devices_if_so_wished() -> None:
    project = Project("my-project", [ISSUED.account], known_devices_only=True)
    assert error(judged(message(), project=project))[2] == "UNREGISTERED"
    project.register(DEVICE)
    assert judged(message(), project=project).response.status == 200
    assert judged({"message": {"topic": "news"}}, project=project).response.status == 200


@pytest.mark.parametrize("path", [b"/", b"/v1/projects/my-project/messages", b"/v1/projects/A/x"])
def test_other_addresses_are_not_found(path: bytes) -> None:
    assert judged(message(), path=path).response.status == 404


def test_another_project_is_denied() -> None:
    found = judged(message(), path=b"/v1/projects/other/messages:send")
    assert error(found)[:3] == (403, "PERMISSION_DENIED", "")


def test_scripted_answers_speak_as_google_does() -> None:
    own, whole = examiner(), judged(message())
    found = own.scripted(Answer(503, "UNAVAILABLE", retry_after=7), whole)
    assert (b"retry-after", b"7") in found.headers
    assert error(whole._replace(response=found))[:3] == (503, "UNAVAILABLE", "UNAVAILABLE")
    bare = msgspec.json.decode(own.scripted(Answer(403), whole).body)["error"]
    assert (bare["status"], "details" in bare) == ("PERMISSION_DENIED", False)
    assert own.scripted(Answer(200), whole).reason == ""


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,message', max_size=60).map(str.encode))
def test_junk_is_refused_and_never_crashes(body: bytes) -> None:
    assert judged(body).response.status == 400
