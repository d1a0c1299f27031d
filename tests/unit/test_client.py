"""The verbs and resources of both clients: what they send, what they refuse, what they return."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from typing import TypeVar

import httpx
import pytest

from pusher_channels import (
    AsyncPusher,
    ChannelAttributes,
    ConfigurationError,
    Event,
    InvalidArgumentError,
    Pusher,
    PusherError,
    TriggerResult,
)
from tests.unit.support import APP_ID, KEY, SECRET, Recorder

T = TypeVar("T")


def test_trigger_sends_one_channel_as_a_list(recorder: Recorder) -> None:
    result = recorder.sync().trigger("project-3", "foo", {"some": "data"})
    assert recorder.body == {"name": "foo", "channels": ["project-3"], "data": '{"some":"data"}'}
    request = recorder.requests[0]
    assert (request.method, recorder.urls[0].path) == ("POST", "/apps/3/events")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-pusher-library"].startswith("pusher-channels-sdk ")
    assert request.content == json.dumps(recorder.body, separators=(",", ":")).encode()
    assert result == TriggerResult()
    assert result.channels is None


def test_trigger_returns_counts_and_event_ids(recorder: Recorder) -> None:
    recorder.content = b"""{"channels": {"a": {"subscription_count": 1}, "presence-b": {"user_count": 2, "new": 3}},
                            "event_ids": {"a": "eudhq17zrhfc4f"}, "future": [1]}"""
    result = recorder.sync().trigger(["a", "presence-b"], "e", "d", info=["user_count", "subscription_count"])
    assert recorder.body["info"] == "user_count,subscription_count"
    assert result.channels is not None
    assert result.channels["a"] == ChannelAttributes(subscription_count=1)
    assert result.channels["presence-b"].user_count == 2
    assert list(result.channels) == ["a", "presence-b"]
    assert len(result.channels) == 2
    assert result.event_ids == {"a": "eudhq17zrhfc4f"}
    assert result.additional_properties == {"future": [1]}
    assert json.loads(json.dumps(result.to_dict())) == json.loads(recorder.content)


@pytest.mark.parametrize("info", ["user_count", ["user_count"], ("user_count",)])
def test_info_takes_names_or_a_comma_list(recorder: Recorder, info: str | list[str]) -> None:
    recorder.sync().trigger("c", "e", "d", info=info)
    assert recorder.body["info"] == "user_count"
    recorder.content = b'{"occupied": true}'
    recorder.sync().channels.get("presence-c", info=info)
    assert recorder.urls[-1].params["info"] == "user_count"


def test_trigger_with_everything(recorder: Recorder) -> None:
    channels = [f"c-{number}" for number in range(100)]
    recorder.sync().trigger(channels, "e", "d", socket_id="1.1", info="user_count,subscription_count")
    assert recorder.body == {
        "name": "e",
        "data": "d",
        "channels": channels,
        "socket_id": "1.1",
        "info": "user_count,subscription_count",
    }


def test_limits_are_inclusive(recorder: Recorder) -> None:
    pusher = recorder.sync()
    pusher.trigger("x" * 200, "e" * 200, "x" * 10_240)
    pusher.trigger("c", "e", "ü" * 5_120)
    pusher.trigger("#server-to-user-" + "u" * 200, "e", "")
    pusher.trigger_batch([Event("c", "e", "x" * 10_240)] * 10)
    pusher.send_to_user("u" * 200, "e", None)
    assert len(recorder.requests) == 5


REFUSED: list[tuple[str, Callable[[Pusher], object], str]] = [
    ("channels", lambda p: p.trigger([], "e", "d"), "1 to"),
    ("channels", lambda p: p.trigger(["c"] * 101, "e", "d"), "1 to 100"),
    ("channels[0]", lambda p: p.trigger("", "e", "d"), ""),
    ("channels[0]", lambda p: p.trigger("abc$secret", "e", "d"), ""),
    ("channels[1]", lambda p: p.trigger(["ok", "x" * 201], "e", "d"), "200"),
    ("channels[1]", lambda p: p.trigger(["ok", 7], "e", "d"), ""),  # type: ignore[list-item]  # pyright: ignore
    ("channels[0]", lambda p: p.trigger(["ok\n"], "e", "d"), ""),
    ("channels[0]", lambda p: p.trigger("#server-to-users", "e", "d"), ""),
    ("channels[0]", lambda p: p.trigger("#server-to-user-" + "u" * 201, "e", "d"), ""),
    ("channels", lambda p: p.trigger(None, "e", "d"), "must be the name of a channel"),  # type: ignore[arg-type]  # pyright: ignore
    ("channels", lambda p: p.trigger({"c": 1}, "e", "d"), ""),  # type: ignore[arg-type]  # pyright: ignore
    ("channels", lambda p: p.trigger(b"c", "e", "d"), ""),  # type: ignore[arg-type]  # pyright: ignore
    ("channels", lambda p: p.trigger((c for c in "ab"), "e", "d"), ""),  # type: ignore[arg-type]  # pyright: ignore
    ("event_name", lambda p: p.trigger("c", "", "d"), "1"),
    ("event_name", lambda p: p.trigger("c", "x" * 201, "d"), "200"),
    ("event_name", lambda p: p.trigger("c", 7, "d"), ""),  # type: ignore[arg-type]  # pyright: ignore
    ("event_name", lambda p: p.trigger("c", "\ud800", "d"), ""),
    ("data", lambda p: p.trigger("c", "e", "x" * 10_241), "10240"),
    ("data", lambda p: p.trigger("c", "e", "ü" * 5_121), "10240"),
    ("data", lambda p: p.trigger("c", "e", float("nan")), "NaN"),
    ("data", lambda p: p.trigger("c", "e", b"\xff"), "UTF-8"),
    ("socket_id", lambda p: p.trigger("c", "e", "d", socket_id="1.1\n"), ""),
    ("socket_id", lambda p: p.trigger("c", "e", "d", socket_id=""), ""),
    ("socket_id", lambda p: p.trigger("c", "e", "d", socket_id="١.١"), ""),
    ("info", lambda p: p.trigger("c", "e", "d", info=7), ""),  # type: ignore[arg-type]  # pyright: ignore
    ("info[1]", lambda p: p.trigger("c", "e", "d", info=["user_count", "cache"]), "user_count"),
    ("events", lambda p: p.trigger_batch([]), "1 to"),
    ("events", lambda p: p.trigger_batch([Event("c", "e", "d")] * 11), "1 to 10"),
    ("events", lambda p: p.trigger_batch(repeat(Event("c", "e", "d"))), "1 to 10"),
    ("events[1]", lambda p: p.trigger_batch([Event("c", "e", "d"), {"channel": "c"}]), "Event"),  # type: ignore[list-item]  # pyright: ignore
    ("events[0].channel", lambda p: p.trigger_batch([Event("c d", "e", "d")]), ""),
    ("events[0].name", lambda p: p.trigger_batch([Event("c", "", "d")]), ""),
    (
        "events[3].data",
        lambda p: p.trigger_batch([Event("c", "e", "d")] * 3 + [Event("c", "e", "x" * 10_241)]),
        "10240",
    ),
    ("events[0].data", lambda p: p.trigger_batch([Event("c", "e", object())]), ""),
    ("events[0].socket_id", lambda p: p.trigger_batch([Event("c", "e", "d", socket_id="bogus:1")]), ""),
    ("events[0].info[0]", lambda p: p.trigger_batch([Event("c", "e", "d", info=["x"])]), ""),
    ("user_id", lambda p: p.send_to_user("", "e", "d"), ""),
    ("user_id", lambda p: p.send_to_user("a b", "e", "d"), ""),
    ("user_id", lambda p: p.send_to_user("u" * 201, "e", "d"), "200"),
    ("user_id", lambda p: p.send_to_user(7, "e", "d"), ""),  # type: ignore[arg-type]  # pyright: ignore
    ("event_name", lambda p: p.send_to_user("u", "x" * 201, "d"), "200"),
    ("channel_name", lambda p: p.channels.get("a/b"), ""),
    ("channel_name", lambda p: p.channels.get(".."), r"\.\."),
    ("channel_name", lambda p: p.channels.users("."), ""),
    ("info[0]", lambda p: p.channels.get("c", info=["a b"]), ""),
    ("user_id", lambda p: p.users.terminate_connections(".."), ""),
    ("user_id", lambda p: p.users.terminate_connections("a/../b"), ""),
    ("user_id", lambda p: p.users.terminate_connections(""), ""),
    ("channels", lambda p: p.events.trigger(name="e", data="d", channels="abc"), ""),
    ("data", lambda p: p.events.trigger(name="e", data={"a": 1}, channels=["c"]), ""),  # type: ignore[arg-type]  # pyright: ignore
    ("path", lambda p: p.request("GET", "channels"), "slash"),
    ("path", lambda p: p.request("GET", "/channels?info=x"), ""),
    ("path", lambda p: p.request("GET", "/channels#x"), ""),
    ("path", lambda p: p.request("GET", "/channels/../events"), ""),
    ("path", lambda p: p.request("GET", "/channels/%2e%2E/events"), ""),
    ("path", lambda p: p.request("GET", "/channels/ü"), ""),
    ("path", lambda p: p.request("GET", "/channels/a b"), ""),
    ("path", lambda p: p.request("GET", "/channels/%zz"), ""),
    ("path", lambda p: p.request("GET", "//evil.example/apps/3"), ""),
    ("path", lambda p: p.request("GET", ""), ""),
    ("method", lambda p: p.request("GET /x", "/channels"), ""),
    ("method", lambda p: p.request("CONNECT", "/channels"), "GET"),
    ("path", lambda p: p.request("GET", "/a%2f..%2fb"), ""),
    ("path", lambda p: p.request("GET", "/a/..;/b"), ""),
    ("path", lambda p: p.request("GET", "/a/..%5cb"), ""),
    ("path", lambda p: p.request("GET", "/" + "a" * 70_000), "8000"),
    ("query", lambda p: p.request("GET", "/x", query={"a": "x" * 70_000}), "8000"),
    ("channels[0]", lambda p: p.trigger("private-encrypted-\ud800", "e", "d"), "Unicode"),
    ("channels[0]", lambda p: p.trigger(["private-encrypted-a b"], "e", "d"), ""),
    ("events[0].channel", lambda p: p.trigger_batch([Event("private-encrypted-\ud800", "e", "d")]), "Unicode"),
    ("events", lambda p: p.trigger_batch(None), "iterable"),  # type: ignore[arg-type]  # pyright: ignore
    ("events", lambda p: p.trigger_batch(Event("c", "e", "d")), "iterable"),  # type: ignore[arg-type]  # pyright: ignore
    ("channels[0]", lambda p: p.trigger("..", "e", "d"), r"\.\."),
    ("user_id", lambda p: p.send_to_user("..", "e", "d"), r"\.\."),
    ("query['auth_key']", lambda p: p.request("GET", "/channels", query={"auth_key": "x"}), "signature"),
    ("query['Auth_Signature']", lambda p: p.request("GET", "/channels", query={"Auth_Signature": "x"}), ""),
    ("query", lambda p: p.request("GET", "/channels", query={"a": 1}), ""),  # type: ignore[dict-item]  # pyright: ignore
    ("query", lambda p: p.request("GET", "/channels", query="a=1"), ""),  # type: ignore[arg-type]  # pyright: ignore
    ("body", lambda p: p.request("POST", "/events", body=float("nan")), "NaN"),
    ("interests", lambda p: p.notify([], apns={}), "1"),
    ("interests", lambda p: p.notify(["i"] * 11, apns={}), "10"),
]


@pytest.mark.parametrize(("argument", "call", "rule"), REFUSED, ids=[f"{i}-{row[0]}" for i, row in enumerate(REFUSED)])
def test_bad_input_is_refused_before_anything_is_sent(
    recorder: Recorder, argument: str, call: Callable[[Pusher], object], rule: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=rule or None) as caught:
        call(recorder.sync(push_notification_host="push.example"))
    assert caught.value.argument == argument
    assert recorder.requests == []
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("argument", "call", "rule"), REFUSED, ids=[f"{i}-{row[0]}" for i, row in enumerate(REFUSED)])
async def test_the_twin_refuses_the_same(
    recorder: Recorder, argument: str, call: Callable[[AsyncPusher], Awaitable[object]], rule: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=rule or None) as caught:
        await call(recorder.asynchronous(push_notification_host="push.example"))
    assert caught.value.argument == argument
    assert recorder.requests == []


def test_what_the_callers_own_generator_raises_is_not_hidden(recorder: Recorder) -> None:
    def events() -> Iterator[Event]:
        yield Event("c", "e", "d")
        raise TypeError("a mistake of the caller's")

    with pytest.raises(TypeError, match="a mistake of the caller's"):
        recorder.sync().trigger_batch(events())


def test_notify_needs_a_payload_and_a_host(recorder: Recorder) -> None:
    with pytest.raises(InvalidArgumentError, match="apns"):
        recorder.sync(push_notification_host="push.example").notify(["donuts"])
    with pytest.raises(ConfigurationError, match="^push_notification_host: "):
        recorder.sync().notify(["donuts"], apns={"aps": {}})
    assert recorder.requests == []


@pytest.mark.parametrize(
    ("options", "origin"),
    [
        ({"push_notification_host": "push.example"}, "https://push.example"),
        ({"push_notification_host": "push.example:81", "ssl": False, "host": "h"}, "http://push.example:81"),
        ({"host": "h", "port": 82}, "https://h:82"),
    ],
)
def test_notify(recorder: Recorder, options: dict[str, object], origin: str) -> None:
    recorder.status, recorder.content = 202, b'{"number_of_subscribers": 10}'
    result = recorder.sync(**options).notify(
        ["donuts"], apns={"aps": {"alert": {"body": "hi"}}}, webhook_url="http://w"
    )
    assert result.number_of_subscribers == 10
    assert f"{recorder.urls[0].scheme}://{recorder.urls[0].netloc.decode()}" == origin
    assert recorder.urls[0].path == "/server_api/v1/apps/3/notifications"
    assert recorder.body == {
        "interests": ["donuts"],
        "webhook_url": "http://w",
        "apns": {"aps": {"alert": {"body": "hi"}}},
    }


def test_limits_of_a_dedicated_cluster(recorder: Recorder) -> None:
    pusher = recorder.sync(max_data_bytes=20_000, max_batch_events=50)
    pusher.trigger("c", "e", "x" * 20_000)
    pusher.trigger_batch([Event("c", "e", "x" * 20_000)] * 50)
    pusher.events.trigger(name="e", data="x" * 20_000, channels=["c"])
    with pytest.raises(InvalidArgumentError, match="20000"):
        pusher.trigger("c", "e", "x" * 20_001)
    with pytest.raises(InvalidArgumentError, match="1 to 50"):
        pusher.trigger_batch([Event("c", "e", "d")] * 51)


def test_terminate_connections(recorder: Recorder) -> None:
    recorder.sync().users.terminate_connections("user@1=,;.")
    assert recorder.urls[0].raw_path.partition(b"?")[0] == b"/apps/3/users/user@1=,;./terminate_connections"
    assert recorder.requests[0].content == b"{}"
    assert recorder.urls[0].params["body_md5"] == "99914b932bd37a50b983c5e7c90ae93b"


def test_queries(recorder: Recorder) -> None:
    pusher = recorder.sync()
    recorder.content = b'{"channels": {"presence-a": {"user_count": 1}, "b": {}}}'
    channels = pusher.channels.list(filter_by_prefix="presence-", info=["user_count"])
    assert channels.channels["presence-a"].user_count == 1
    assert channels.channels["b"].user_count is None
    assert recorder.urls[-1].params["filter_by_prefix"] == "presence-"
    assert "body_md5" not in recorder.urls[-1].params
    recorder.content = b'{"occupied": true, "user_count": 2, "cache": {"data": "x", "ttl": 60}}'
    channel = pusher.channels.get("presence-cache-a", info=["user_count", "cache"])
    assert (channel.occupied, channel.user_count, channel.subscription_count) == (True, 2, None)
    assert channel.cache is not None
    assert (channel.cache.data, channel.cache.ttl) == ("x", 60)
    assert b"info=user_count%2Ccache" in recorder.urls[-1].query
    recorder.content = b'{"occupied": false, "cache": null}'
    assert pusher.channels.get("cache-a").cache is None
    recorder.content = b'{"users": [{"id": "1"}, {"id": 2}]}'
    assert [user.id for user in pusher.channels.users("presence-a").users] == ["1", 2]


def test_answers_of_other_servers(recorder: Recorder) -> None:
    pusher = recorder.sync()
    recorder.content = b'{"ok":true}'
    assert pusher.trigger("c", "e", "d").channels is None
    recorder.content = b'{"channels":[]}'
    assert dict(pusher.channels.list().channels) == {}
    recorder.content = b'{"users":{}}'
    assert list(pusher.channels.users("presence-c").users) == []
    recorder.content = b'{"batch":{}}'
    assert list(pusher.trigger_batch([Event("c", "e", "d")]).batch or ()) == []
    recorder.status = 201
    recorder.content = b"{}"
    pusher.trigger("c", "e", "d")


def test_request(recorder: Recorder) -> None:
    recorder.content, recorder.headers = b'{"x": 1}', {"X-Extra": "y"}
    pusher = recorder.sync()
    answer = pusher.request("get", "/channels", query={"info": "a,b", "new": "ü&="})
    assert (answer.status_code, answer.content, answer.headers["x-extra"]) == (200, b'{"x": 1}', "y")
    assert recorder.urls[-1].path == "/apps/3/channels"
    assert recorder.urls[-1].params["new"] == "ü&="
    assert recorder.requests[-1].content == b""
    pusher.request("POST", "/apps/3/users/7/terminate_connections")
    assert recorder.urls[-1].path == "/apps/3/users/7/terminate_connections"
    assert recorder.requests[-1].content == b"{}"
    pusher.request("POST", "/server_api/v1/apps/3/notifications", body={"ü": [1]})
    assert recorder.urls[-1].path == "/server_api/v1/apps/3/notifications"
    assert recorder.requests[-1].content == '{"ü":[1]}'.encode()
    pusher.request("PUT", "/x", body=b"raw")
    assert recorder.requests[-1].content == b"raw"


def test_with_options_is_a_view(recorder: Recorder) -> None:
    pusher = recorder.sync()
    recorder.content = b'{"channels": {}}'
    view = pusher.with_options(timeout=1.5, headers={"X-Trace": "7"}).with_options(headers={"X-More": "8"})
    assert type(view) is Pusher
    view.channels.list()
    pusher.channels.list()
    first, second = recorder.requests
    assert (first.headers["x-trace"], first.headers["x-more"]) == ("7", "8")
    assert "x-trace" not in second.headers
    assert first.extensions["timeout"]["read"] == 1.5
    assert second.extensions["timeout"]["read"] == 5.0
    view.close()
    pusher.trigger("c", "e", "d")


@pytest.mark.parametrize(
    "headers",
    [{"Host": "x"}, {"Content-Type": "x"}, {"a b": "x"}, {"A": "x\r\nB: y"}, {"A": "ü"}, {"A": 1}, {1: "x"}, "A: x"],
)
def test_bad_headers_are_refused(recorder: Recorder, headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="^headers"):
        recorder.sync().with_options(headers=headers)


def test_a_given_httpx_client_lends_its_connections_only(recorder: Recorder) -> None:
    client = httpx.Client(
        transport=httpx.MockTransport(recorder),
        base_url="https://elsewhere.example/prefix",
        params={"leaked": "1"},
        auth=("user", "password"),
        cookies={"leaked": "1"},
        headers={"X-Leaked": "1"},
        follow_redirects=True,
    )
    with Pusher(APP_ID, KEY, SECRET, http_client=client) as pusher:
        pusher.trigger("c", "e", "d")
    request, url = recorder.requests[0], recorder.urls[0]
    assert str(url).startswith("https://api-mt1.pusher.com/apps/3/events?auth_key=")
    assert "leaked" not in str(url)
    assert not {"cookie", "authorization", "x-leaked"} & set(request.headers)
    assert not client.is_closed
    client.close()


def test_redirects_are_not_followed(recorder: Recorder) -> None:
    recorder.status, recorder.headers = 307, {"Location": "https://evil.example/?auth_signature=" + "a" * 64}
    client = httpx.Client(transport=httpx.MockTransport(recorder), follow_redirects=True)
    with pytest.raises(PusherError, match="307") as caught:
        Pusher(APP_ID, KEY, SECRET, http_client=client).trigger("c", "e", "d")
    assert len(recorder.requests) == 1
    assert "a" * 64 not in repr(vars(caught.value))


def test_close() -> None:
    pusher = Pusher(APP_ID, KEY, SECRET)
    pusher.close()
    pusher.close()
    with pytest.raises(PusherError, match="the client is closed"):
        pusher.trigger("c", "e", "d")
    assert pusher.authorize_channel("1.1", "private-x").auth


async def test_aclose() -> None:
    async with AsyncPusher(APP_ID, KEY, SECRET) as pusher:
        pass
    await pusher.aclose()
    with pytest.raises(PusherError, match="the client is closed"):
        await pusher.trigger("c", "e", "d")


async def test_async_twin_sends_the_same(recorder: Recorder) -> None:
    one, two = recorder.sync(), recorder.asynchronous()
    calls: list[tuple[object, object]] = [
        (one.trigger("c", "e", {"a": 1}, info="user_count"), await two.trigger("c", "e", {"a": 1}, info="user_count")),
        (one.trigger_batch([Event("c", "e", 1)]), await two.trigger_batch([Event("c", "e", 1)])),
        (one.send_to_user("u", "e", 1), await two.send_to_user("u", "e", 1)),
        (one.users.terminate_connections("u"), await two.users.terminate_connections("u")),
        (one.request("POST", "/x", body=[1]), await two.request("POST", "/x", body=[1])),
    ]
    for sync_result, async_result in calls:
        assert sync_result == async_result
    for left, right in zip(recorder.requests[::2], recorder.requests[1::2], strict=True):
        assert (left.method, left.url, left.content) == (right.method, right.url, right.content)
        assert left.headers == right.headers


def public_methods(kind: type) -> Iterator[str]:
    return (name for name in dir(kind) if not name.startswith("_") and name not in ("close", "aclose"))


def test_twins_have_the_same_names_and_signatures() -> None:
    assert set(public_methods(Pusher)) == set(public_methods(AsyncPusher))
    for name in public_methods(Pusher):
        ours, twin = getattr(Pusher, name), getattr(AsyncPusher, name)
        if callable(ours):
            # `publisher` returns a twin itself
            assert str(inspect.signature(ours)) == str(inspect.signature(twin)).replace("Async", ""), name
            assert inspect.getdoc(ours), name
            assert inspect.getdoc(twin), name
    assert inspect.signature(Pusher.__init__) == inspect.signature(AsyncPusher.__init__)


def test_every_keyword_of_the_constructor_is_spelled_out_in_the_others() -> None:
    keywords = {name for name, p in inspect.signature(Pusher.__init__).parameters.items() if p.kind is p.KEYWORD_ONLY}
    for method in (Pusher.from_url, Pusher.from_env):
        assert {
            name for name, p in inspect.signature(method).parameters.items() if p.kind is p.KEYWORD_ONLY
        } == keywords
