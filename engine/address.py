"""Where an endpoint is, and the key that it wants: how they must be written, and that the key is never shown."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from .errors import SettingsError

PLAIN_HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")


def normalized(base_url: str) -> str:
    """The base URL with "/v1" where no path is given, and no slash at the end. Raises SettingsError."""
    wrong = SettingsError(
        "The endpoint must be a base URL such as http://127.0.0.1:8000/v1, without a user name or password; "
        "correct IMG2PROMPT_ENDPOINT."
    )
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
    except ValueError as error:  # no port number, or half an IPv6 address
        raise wrong from error
    if parts.scheme not in ("http", "https") or not PLAIN_HOST.fullmatch(parts.netloc) or port == 0:
        raise wrong
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") or "/v1", "", ""))


def is_here(base_url: str) -> bool:
    """Whether the URL is one of this machine's own addresses."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def sendable(api_key: str) -> SecretStr:
    """The key as a header can carry it; an error of the HTTP library would show it."""
    key = api_key.strip()
    if not key.isascii() or not key.isprintable():
        raise SettingsError("The API key has characters that HTTP cannot carry; correct IMG2PROMPT_API_KEY.")
    return SecretStr(key)


def without(key: str, value: object) -> object:
    """`value`, JSON or text, with the API key blotted out."""
    match value:
        case str():
            return value.replace(key, "…") if key else value
        case Mapping():
            return {name: without(key, inner) for name, inner in value.items()}
        case list():
            return [without(key, inner) for inner in value]
    return value
