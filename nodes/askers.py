"""Who may ask our routes on ComfyUI's HTTP server: its own pages and programs, never another site's page.

ComfyUI's own check of Origin holds for loopback only, and not with --enable-cors-header. Here a page of another origin
is always refused: by Origin, by Sec-Fetch-Site, and because browsers ask first before they send JSON, which a POST must
be. A page that has its own name point to this machine (DNS rebinding) passes `refused`, as it does with all of ComfyUI;
`elsewhere` knows it by its name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from .comfy import Asked

Told = tuple[int, object]
"""An HTTP status and what becomes the answer's JSON."""
JSON = "application/json"
FORWARDED = (
    *("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via", "CF-Connecting-IP"),
)
"""What a proxy adds: who asks is behind it then, wherever that is."""


def refused(asked: Asked, *, post: bool = False) -> Told | None:
    """The answer to who may not ask."""
    if refusal := _foreign(asked.headers):
        return 403, {"error": refusal}
    if post and asked.headers.get("Content-Type", "").partition(";")[0].strip().lower() != JSON:
        return 415, {"error": f"Send it as Content-Type: {JSON}."}
    return None


def elsewhere(asked: Asked) -> bool:
    """Whether the request comes from another machine, or from a page that calls this one by another name."""
    try:
        name = urlsplit(f"//{asked.headers.get('Host', '')}").hostname or ""
    except ValueError:  # half an IPv6 address
        return True
    behind_proxy = any(header in asked.headers for header in FORWARDED)
    return behind_proxy or not _is_loopback(asked.peer) or not (name == "localhost" or _is_loopback(name))


def _is_loopback(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def _foreign(headers: Mapping[str, str]) -> str:
    """Why a request is not one of ComfyUI's own pages or of a program, or ""."""
    origin, host = headers.get("Origin"), headers.get("Host", "")
    if origin is not None and (not host or origin.lower().partition("://")[2] != host.lower()):
        return "A page of another origin may not ask this."
    if headers.get("Sec-Fetch-Site", "same-origin").lower() not in ("same-origin", "none"):
        return "A page of another site may not ask this."
    return ""
