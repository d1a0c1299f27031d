"""Request signing: the pure function, and the httpx.Auth."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from pusher_channels import InvalidArgumentError, SignatureAuth
from pusher_channels._secret import Secret
from pusher_channels._signer import RequestSigner
from pusher_channels.signing import sign_request, string_to_sign
from tests.unit.support import KEY, SECRET, Recorder

BODY = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'


def test_worked_example_of_the_documentation() -> None:
    query = sign_request("POST", "/apps/3/events", {}, BODY, key=KEY, secret=SECRET, timestamp=1353088179)
    assert query == {
        "auth_key": KEY,
        "auth_timestamp": "1353088179",
        "auth_version": "1.0",
        "body_md5": "ec365a775a4cd0599faeb73354201b6f",
        "auth_signature": "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c",
    }


def test_query_values_are_signed_raw_and_get_has_no_body_md5() -> None:
    given = {"info": "user_count,subscription_count", "filter_by_prefix": "presence-"}
    query = sign_request("get", "/apps/3/channels", given, None, key=KEY, secret=SECRET, timestamp=1)
    message = (
        "GET\n/apps/3/channels\nauth_key=278d425bdf160c739803&auth_timestamp=1&auth_version=1.0"
        "&filter_by_prefix=presence-&info=user_count,subscription_count"
    )
    assert query["auth_signature"] == hmac.new(SECRET.encode(), message.encode(), "sha256").hexdigest()
    assert "body_md5" not in query
    assert sign_request("GET", "/x", None, b"", key=KEY, secret=SECRET, timestamp=1).keys() == {
        "auth_key",
        "auth_timestamp",
        "auth_version",
        "auth_signature",
    }


def test_keys_are_lower_cased_and_sorted_only_in_the_text_that_is_signed() -> None:
    assert string_to_sign("post", "/p", [("B", "2"), ("a", "1")]) == "POST\n/p\na=1&B=2".replace("B", "b")
    assert sign_request("GET", "/p", {"Info": "x"}, None, key="k", secret="s", timestamp=1)["Info"] == "x"


@pytest.mark.parametrize(
    "name", ["auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5", "Auth_Key"]
)
def test_reserved_query_keys_are_refused(name: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        sign_request("GET", "/p", {name: "forged-value"}, None, key=KEY, secret=SECRET, timestamp=1)
    assert name in caught.value.argument
    assert "forged-value" not in str(caught.value)


@pytest.mark.parametrize("path", ["apps/3", "", "/apps/3?a=b", "/apps/3#a", "apps/3?a#b"])
def test_a_path_without_its_slash_or_with_more_than_itself_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        sign_request("GET", path, None, None, key=KEY, secret=SECRET, timestamp=1)
    assert str(caught.value) == "path: must start with a slash and have neither query nor fragment"


NO_QUERY: dict[str, str] = {}
TEXT = "must be text throughout"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, "/x", NO_QUERY, None, KEY, 1), "method: must be a str"),
        (("GET", b"/x", NO_QUERY, None, KEY, 1), "path: must be a str"),
        (("GET", "/x", {"a": 7}, None, KEY, 1), f"query: {TEXT}"),
        (("GET", "/x", {7: "a"}, None, KEY, 1), f"query: {TEXT}"),
        (("GET", "/x", {"\ud800": "a"}, None, KEY, 1), "query: must not hold lone surrogates: they have no UTF-8"),
        (
            ("GET", "/x", {"Auth_Key": "a"}, None, KEY, 1),
            "query['Auth_Key']: is set by the request signature and cannot be given",
        ),
        (("GET", "/x", [("a", "b")], None, KEY, 1), "query: must be a mapping of str to str"),
        (("GET", "/x", NO_QUERY, 7, KEY, 1), "body: must be bytes, str or None"),
        (("GET", "/x", NO_QUERY, "\ud800", KEY, 1), "body: must not hold lone surrogates: they have no UTF-8"),
        (("GET", "/x", NO_QUERY, None, KEY, "1"), "timestamp: must be an int: Unix time in seconds"),
        (("GET", "/x", NO_QUERY, None, KEY, 2**63), "timestamp: must be an int: Unix time in seconds"),
        (("GET", "/x", NO_QUERY, None, KEY, -(2**63)), "timestamp: must be an int: Unix time in seconds"),
        (("GET", "/x", NO_QUERY, None, KEY, 10**5000), "timestamp: must be an int: Unix time in seconds"),
        (("GET", "/x", NO_QUERY, None, b"key", 1), "key: must be a str"),
        (("GET", "/x", NO_QUERY, None, "", 1), "key: must not be empty"),
    ],
)
def test_an_error_names_the_argument_and_its_rule(
    arguments: tuple[str, str, dict[str, str], bytes | None, str, int], message: str
) -> None:
    method, path, query, body, key, timestamp = arguments
    with pytest.raises(InvalidArgumentError) as caught:
        sign_request(method, path, query, body, key=key, secret=SECRET, timestamp=timestamp)
    assert str(caught.value) == message


@pytest.mark.parametrize("secret", [None, "", b"secret"])
def test_an_error_about_the_secret_names_it(secret: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        sign_request("GET", "/x", None, None, key=KEY, secret=secret, timestamp=1)
    assert str(caught.value) == f"secret: {'must not be empty' if secret == '' else 'must be a str'}"


def test_method_and_query_values_may_be_empty() -> None:
    signed = sign_request("", "/", {"a": "", "": "b"}, "", key=KEY, secret=SECRET, timestamp=0)
    message = f"\n/\n=b&a=&auth_key={KEY}&auth_timestamp=0&auth_version=1.0"
    assert signed["auth_signature"] == hmac.new(SECRET.encode(), message.encode(), "sha256").hexdigest()


@pytest.mark.parametrize("timestamp", [2**63 - 1, 1 - 2**63])
def test_a_timestamp_may_have_63_bits(timestamp: int) -> None:
    signed = sign_request("GET", "/x", None, None, key=KEY, secret=SECRET, timestamp=timestamp)
    assert signed["auth_timestamp"] == str(timestamp)


def test_the_query_that_is_sent_has_each_character_escaped_that_a_server_might_split_at() -> None:
    signer = RequestSigner(KEY, Secret(SECRET), lambda: 1353088179.9)
    signed = signer.sign("POST", "/apps/3/events", [("a/b", "c&d=e f,ü~"), ("Plain-1", "_.")], BODY)
    given = sign_request(
        "POST",
        "/apps/3/events",
        {"a/b": "c&d=e f,ü~", "Plain-1": "_."},
        BODY,
        key=KEY,
        secret=SECRET,
        timestamp=1353088179,
    )
    assert signed.signature == given["auth_signature"]
    escaped = "a%2Fb=c%26d%3De%20f%2C%C3%BC~&Plain-1=_."
    assert signed.query == escaped + "".join(f"&{name}={value}" for name, value in list(given.items())[2:])


def test_a_body_as_text_stands_for_its_utf8() -> None:
    signed = sign_request("POST", "/x", None, "ü", key=KEY, secret=SECRET, timestamp=1)
    assert signed == sign_request("POST", "/x", None, "ü".encode(), key=KEY, secret=SECRET, timestamp=1)
    assert signed["body_md5"] == hashlib.md5("ü".encode()).hexdigest()


def test_a_system_that_forbids_md5_for_security_still_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    md5 = hashlib.md5

    def guarded(content: bytes, *, usedforsecurity: bool = True) -> object:
        assert not usedforsecurity
        return md5(content, usedforsecurity=False)

    monkeypatch.setattr(hashlib, "md5", guarded)
    assert "body_md5" in sign_request("POST", "/x", None, BODY, key=KEY, secret=SECRET, timestamp=1)


def test_a_repeated_key_keeps_the_order_of_its_values() -> None:
    assert string_to_sign("GET", "/p", [("c[]", "z"), ("C[]", "a"), ("b", "1")]) == "GET\n/p\nb=1&c[]=z&c[]=a"


def verify(method: str, url: httpx.URL, body: bytes) -> None:
    """Check a signed URL as the server does: with nothing of ours."""
    parts = urlsplit(str(url))
    pairs = dict(parse_qsl(parts.query, strict_parsing=True))
    signature = pairs.pop("auth_signature")
    text = "&".join(f"{name}={value}" for name, value in sorted(pairs.items()))
    message = f"{method}\n{parts.path}\n{text}"
    assert signature == hmac.new(SECRET.encode(), message.encode(), "sha256").hexdigest()
    assert pairs.get("body_md5") == (hashlib.md5(body).hexdigest() if body else None)


def test_auth_signs_what_is_sent_and_leaves_no_signature_behind(recorder: Recorder) -> None:
    auth = SignatureAuth(KEY, SECRET, clock=lambda: 1353088179.9)
    with httpx.Client(transport=httpx.MockTransport(recorder), auth=auth) as client:
        response = client.post("http://h/apps/3/events?b=%2C%26&a=1&a=2", content=BODY)
        assert b"auth_signature" not in response.request.url.query
        request = client.build_request("GET", "http://h/apps/3/channels/a@=,;.", params={"info": "a,b&c d+e"})
        client.send(request)
        client.send(request)
    for index, url in enumerate(recorder.urls[1:]):
        assert url.params["auth_timestamp"] == "1353088179"
        verify("GET", url, b"")
        assert url.raw_path.startswith(b"/apps/3/channels/a@=,;.?"), index
    assert recorder.urls[0].params.get_list("a") == ["1", "2"]
    assert recorder.urls[0].params["b"] == ",&"
    # Escaped on the wire: `;`, `+` and `&` mean other things to some servers.
    assert b"info=a%2Cb%26c%20d%2Be" in recorder.urls[1].query


async def test_auth_serves_async_clients(recorder: Recorder) -> None:
    async def handle(request: httpx.Request) -> httpx.Response:
        return recorder(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle), auth=SignatureAuth(KEY, SECRET)) as client:
        await client.post("http://h/apps/3/events", content=BODY)
    verify("POST", recorder.urls[0], BODY)


def test_auth_hides_the_secret() -> None:
    auth = SignatureAuth(KEY, SECRET)
    assert SECRET not in repr(auth) + repr(vars(auth))
