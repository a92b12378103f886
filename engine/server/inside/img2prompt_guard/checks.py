"""Which requests may pass: from whom, from where, and for what. Knows nothing of sleep."""

from __future__ import annotations

import hmac
import json
import re

from .asgi import Refusal

Headers = list[tuple[bytes, bytes]]
"""As ASGI has them: names in lower case."""

INFERENCE = {("POST", "/v1/chat/completions"), ("POST", "/v1/completions")}
"""What needs the model on the GPU: refused while the engine sleeps."""
CONTROL = {("POST", "/sleep"), ("POST", "/wake_up"), ("POST", "/collective_rpc")}
"""What changes whether it sleeps: one at a time."""
READING = {("GET", path) for path in ("/health", "/v1/models", "/metrics", "/version", "/is_sleeping")}
OPEN = INFERENCE | CONTROL | READING | {("POST", "/tokenize")}
"""Everything that is not closed."""
HOST = re.compile(rb"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
NOT_FROM_A_PAGE = {None, b"same-origin", b"none"}
"""Values of Sec-Fetch-Site; a foreign page's request has another, and the page cannot change it."""
OWN_LOADER = "image_pil"
"""A content part with this key hands its text to the model's processor, and Transformers loads what it names: any URL,
any file. vLLM 0.32 limits only image_url (allowed-media-domains); nothing that comes as JSON can use this rightly."""


def check(route: tuple[str, str], headers: Headers, key: bytes) -> None:
    """Raises Refusal for what comes from a web page, from who lacks the token, or asks for what is closed."""
    host, origin = header(headers, b"host") or b"", header(headers, b"origin")
    if not HOST.fullmatch(host):  # a foreign name that leads to this machine: DNS rebinding
        raise Refusal(403, "wrong_host", "The engine answers under the hosts 127.0.0.1 and localhost; use these.")
    if origin not in (None, b"http://" + host) or header(headers, b"sec-fetch-site") not in NOT_FROM_A_PAGE:
        raise Refusal(403, "wrong_origin", "Web pages may not use the engine; ask it from a program.")
    scheme, _, given = (header(headers, b"authorization") or b"").partition(b" ")
    if not hmac.compare_digest(scheme.title() + b" " + given, key):
        message = "The engine's token is missing or wrong; `img2prompt engine status --connect` prints it."
        raise Refusal(401, "wrong_token", message, {"www-authenticate": "Bearer"})
    if route not in OPEN:
        routes = ", ".join(f"{method} {path}" for method, path in sorted(OPEN))
        raise Refusal(404, "closed_route", f"{route[0]} {route[1]} is not open; use one of {routes}.")
    if route[0] == "POST" and not is_json(headers) and not (route in CONTROL and has_no_body(headers)):
        raise Refusal(415, "not_json", "The engine takes JSON alone; send it with Content-Type: application/json.")


def header(headers: Headers, name: bytes) -> bytes | None:
    """A header's value: None when it is absent, nothing when it comes twice and neither could be trusted."""
    values = [value for key, value in headers if key == name]
    return values[0] if len(values) == 1 else (b"" if values else None)


def is_json(headers: Headers) -> bool:
    """Whether the body is declared as JSON, which a foreign page cannot do without asking first."""
    return (header(headers, b"content-type") or b"").partition(b";")[0].strip().lower() == b"application/json"


def has_no_body(headers: Headers) -> bool:
    """Whether there is neither a body nor a type of one."""
    absent = header(headers, b"content-type") is None and header(headers, b"transfer-encoding") is None
    return absent and header(headers, b"content-length") in (None, b"0")


def check_pictures(body: bytes) -> None:
    """Raises Refusal for a body that would make vLLM load a picture from a URL or a file behind its own checks.

    Bodies hold megabytes of pictures, so only one that looks suspicious is parsed.
    """
    if json.detect_encoding(body) not in ("utf-8", "utf-8-sig"):
        raise Refusal(415, "not_json", "The engine takes JSON in UTF-8 alone; send it in that encoding.")
    if not suspicious(body):
        return
    try:
        json.loads(body, object_pairs_hook=refuse_loader)
    except ValueError:  # vLLM says what is wrong with it
        pass
    except RecursionError:
        raise Refusal(400, "not_json", "The JSON is nested too deeply; send it flatter.") from None


def suspicious(body: bytes) -> bool:
    """Whether OWN_LOADER may be in it, as it is or with some letter escaped, which JSON allows and no writer does."""
    return after(body, b"_", b"pil") or after(body, b"\\", b"u005", b"u006", b"u007")


def after(body: bytes, byte: bytes, *words: bytes) -> bool:
    """Whether one of the words follows the byte anywhere: 0.05 ms for each megabyte, and `in` takes 1 ms."""
    place = body.find(byte)
    while place >= 0:
        if body.startswith(words, place + 1):
            return True
        place = body.find(byte, place + 1)
    return False


def refuse_loader(pairs: list[tuple[str, object]]) -> None:
    """Raises Refusal for a JSON object that has the key; of two equal keys, both count."""
    if any(key == OWN_LOADER for key, _ in pairs):
        raise Refusal(400, "closed_picture", "Pictures come in the request; send them as data: URLs in image_url.")
