"""Who gets in: each check of a signed request, in its order, with the service's status and text."""

from __future__ import annotations

import hashlib
import re
import time

import pytest

from pusher_channels.emulator import AppConfig, Emulator
from tests.emulator.signed_http import Http, refusal

EVENT = {"name": "my-event", "channels": ["my-channel"], "data": "hello"}


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no second pass between signing and the server's look at the clock, which is the same."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)


def seconds_ago(seconds: int) -> str:
    return str(int(time.time()) - seconds)


def test_a_signed_request_gets_in(http: Http) -> None:
    response = http.post("/events", EVENT)
    assert (response.status_code, response.json()) == (200, {})
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"auth_key": None}, (400, "auth_key should be a valid app key")),
        ({"auth_key": "other"}, (400, "Unknown auth_key")),
        ({"auth_version": None}, (401, "Version required")),
        ({"auth_version": "2.0"}, (401, "Version not supported")),
        ({"auth_timestamp": None}, (401, "Timestamp required")),
    ],
)
def test_parameters_of_the_signature(http: Http, changes: dict[str, str | None], expected: tuple[int, str]) -> None:
    assert refusal(http.call("POST", "/events", EVENT, signing=changes)) == expected


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("seconds", [700, 600, -700, -600])
def test_a_clock_600_seconds_off(http: Http, seconds: int) -> None:
    status, text = refusal(http.call("GET", "/channels", signing={"auth_timestamp": seconds_ago(seconds)}))
    time_pattern = r"\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)"
    pattern = f"Timestamp expired: Given timestamp {time_pattern} not within 600s of server time {time_pattern}"
    assert status == 401
    assert re.fullmatch(pattern, text), text


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("seconds", [599, -599])
def test_a_clock_within_600_seconds(http: Http, seconds: int) -> None:
    assert http.call("GET", "/channels", signing={"auth_timestamp": seconds_ago(seconds)}).status_code == 200


def test_a_timestamp_that_is_no_number_is_the_year_1970(http: Http) -> None:
    status, text = refusal(http.call("GET", "/channels", signing={"auth_timestamp": "soon"}))
    assert status == 401
    assert text.startswith("Timestamp expired: Given timestamp (1970-01-01T00:00:00Z) not within 600s")
    status, text = refusal(http.call("GET", "/channels", signing={"auth_timestamp": "9" * 18}))
    assert (status, text.startswith("Timestamp expired")) == (401, True)


def test_a_wrong_signature_is_told_what_to_sign(http: Http) -> None:
    status, text = refusal(http.call("GET", "/channels", signing={"auth_signature": "da454824"}))
    assert status == 401
    signed = r'"GET\\n/apps/1/channels\\nauth_key=emulator-key&auth_timestamp=\d+&auth_version=1.0"'
    pattern = (
        rf'Invalid signature: you should have sent HmacSHA256Hex\({signed}, your_secret_key\), but you sent "da454824"'
    )
    assert re.fullmatch(pattern, text), text
    assert "emulator-secret" not in text


def test_a_missing_signature(http: Http) -> None:
    status, text = refusal(http.call("GET", "/channels", signing={"auth_signature": None}))
    assert status == 401
    assert text.endswith("but you sent nil")


def test_a_signature_in_capitals(http: Http) -> None:
    right = hashlib.sha256(b"").hexdigest().upper()
    assert refusal(http.call("GET", "/channels", signing={"auth_signature": right}))[0] == 401


def test_the_body_must_be_the_signed_one(http: Http) -> None:
    assert refusal(http.call("POST", "/events", EVENT, signing={"body_md5": None})) == (
        401,
        "Missing parameter: body_md5",
    )
    status, text = refusal(http.call("POST", "/events", EVENT, signing={"body_md5": "0" * 32}))
    assert status == 401
    assert text.startswith("Invalid body_md5")


def test_a_get_may_carry_the_md5_of_nothing(http: Http) -> None:
    assert http.call("GET", "/channels", signing={"body_md5": hashlib.md5(b"").hexdigest()}).status_code == 200


@pytest.mark.parametrize(
    "changes", [{"auth_key": None}, {"auth_key": "other"}, {"auth_version": "2"}, {"auth_timestamp": "1"}]
)
def test_checks_come_in_order(http: Http, changes: dict[str, str | None]) -> None:
    order = ["auth_key", "auth_version", "auth_timestamp", "auth_signature"]
    first = order.index(next(iter(changes)))
    later: dict[str, str | None] = dict.fromkeys(order[first + 1 :], "wrong")
    alone = refusal(http.call("POST", "/events", {"name": 1}, signing=changes))
    together = refusal(http.call("POST", "/events", {"name": 1}, signing={**changes, **later}))
    assert alone[0] == together[0]
    assert alone[1].partition("server time")[0] == together[1].partition("server time")[0]


def test_parameter_names_may_be_in_capitals(http: Http) -> None:
    query = {"AUTH_KEY": "emulator-key", "Auth_Version": "1.0"}
    assert (
        http.call("GET", "/channels", query=query, signing={"auth_key": None, "auth_version": None}).status_code == 200
    )


def test_the_path_is_signed_as_it_is_sent(http: Http) -> None:
    escaped = "/apps/1/channels/presence%2Dfoo"
    assert http.call("GET", "/" + escaped).json() == {"occupied": False}
    assert refusal(http.call("GET", "/" + escaped, signed_path="/apps/1/channels/presence-foo"))[0] == 401


def test_every_channel_character_goes_raw_in_the_path(http: Http) -> None:
    assert http.get("/channels/foo-bar_1234@=,.;").json() == {"occupied": False}


def test_query_values_are_signed_unescaped(http: Http) -> None:
    assert http.get("/channels", filter_by_prefix="a=b&c d+é").json() == {"channels": {}}


def test_the_app_must_be_that_of_the_key(http: Http) -> None:
    expected = (400, "Token validated, but invalid for app undefined")
    assert refusal(http.call("GET", "//apps/2/channels")) == expected


def test_a_disabled_app() -> None:
    with Emulator(apps=[AppConfig(enabled=False)]) as server:
        http = Http(server)
        assert refusal(http.get("/channels"))[0] == 403
        assert refusal(http.call("GET", "/channels", signing={"auth_signature": "0"}))[0] == 401
        http.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "//"),
        ("GET", "//apps"),
        ("GET", "/nothing"),
        ("GET", "/channels/"),
        ("POST", "/channels"),
        ("GET", "/events"),
        ("PUT", "/events"),
        ("GET", "/users/1/terminate_connections"),
        ("POST", "//users/1/terminate_connections"),
    ],
)
def test_other_paths_and_methods(http: Http, method: str, path: str) -> None:
    assert refusal(http.call(method, path)) == (404, "404 NOT FOUND")


def test_apps_are_apart() -> None:
    one, two = AppConfig(), AppConfig(app_id="two", key="key-two", secret="secret-two")
    with Emulator(apps=[one, two]) as server:
        first, second = Http(server, one), Http(server, two)
        assert first.get("/channels").status_code == 200
        assert second.get("/channels").status_code == 200
        assert refusal(first.call("GET", "/channels", signing={"auth_key": "key-two"}))[0] == 401
        first.close()
        second.close()
