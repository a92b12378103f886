"""Every knob of the engine, read once, each with its unit and default.

Sources, first wins: environment (`IMG2PROMPT_ENDPOINT=…`), then the settings file, then the defaults here. The API key
comes from there and from nowhere else: never from a node, a workflow or the command line's arguments.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, get_args

import platformdirs
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from ..prompts.catalogue import user_folder
from .errors import SettingsError

Release = Literal["when VRAM is needed", "after each run", "keep", "stop after each run"]
"""When an engine lets go of the GPU."""
RELEASES: tuple[str, ...] = get_args(Release)


def settings_file() -> Path:
    """The TOML file that holds the user's settings; `IMG2PROMPT_SETTINGS` names another. It need not exist."""
    named = os.environ.get("IMG2PROMPT_SETTINGS")
    return Path(named) if named else user_folder() / "settings.toml"


class Settings(BaseSettings):
    """The engine's settings. `Settings.load()` reads them and turns a bad one into a `SettingsError`."""

    model_config = SettingsConfigDict(env_prefix="IMG2PROMPT_", extra="ignore", frozen=True)

    engine: Literal["auto", "endpoint", "managed", "sketch"] = "auto"
    """auto: the endpoint if one is set, else a managed vLLM if a model and vLLM are there, else an error.
    The sketch engine, which sees no subjects, is only ever chosen by name."""
    endpoint: str = ""
    """Base URL of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1."""
    endpoints: tuple[str, ...] = ()
    """More servers like `endpoint`, with the same model: all are asked at one time, and get the same API key."""
    api_key: SecretStr = SecretStr("")
    model: str = ""
    """Endpoint: the model's name there ("" = the only or first one). Managed: a checkpoint's folder or hub name, or
    8B, 4B or 2B of Qwen3-VL ("" = the memory plan decides)."""
    vllm: str = ""
    """The `vllm` program of the environment that vLLM lives in ("" = that of `img2prompt engine install`,
    else the one on PATH)."""
    precision: Literal["auto", "bf16", "fp8", "w4a16"] = "auto"
    """Managed: how the weights of a Qwen3-VL are stored; auto takes the best that fits the GPU."""
    release: Release = "when VRAM is needed"
    """Managed, in ComfyUI: when the engine lets go of the GPU, where a workflow does not say."""
    allowed_endpoints: tuple[str, ...] = ()
    """Base URLs that a workflow may name besides `endpoint`; one on this machine may always be named."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """Instead of the request's own temperature; 0 = always the likeliest token."""
    max_pixels: int = Field(default=1_048_576, ge=65_536, le=16_777_216)
    """Pictures are scaled down to this many pixels before they are sent (1 token per 1,024 pixels)."""
    png_as_it_is: bool = True
    """Send PNG files that fit to a server at 127.0.0.1 or localhost as they are: three times the bytes of a JPEG, for a
    fifth of the CPU time. false where 127.0.0.1 is the end of a tunnel."""
    max_in_flight: int = Field(default=16, ge=1, le=256)
    """Requests that wait for the model at one time."""
    connect_timeout_s: float = Field(default=5.0, gt=0)
    answer_timeout_s: float = Field(default=300.0, gt=0)
    """The longest wait for one answer."""
    start_timeout_s: float = Field(default=1800.0, gt=0)
    """The longest wait for the managed vLLM to become ready; a first start downloads the checkpoint."""
    idle_stop_s: float = Field(default=1800.0, gt=0)
    """Managed: the server is stopped when nobody has asked it anything for so long."""
    max_model_len: int = Field(default=8192, ge=2048)
    """Managed: the context, in tokens. Unset, the memory plan decides, with this at most. Endpoint: the one that is
    counted with where the server does not tell its own, as vLLM does."""
    kv_cache_gib: float = Field(default=1.25, gt=0)
    """Managed: memory for the key-value cache, in GiB. It must hold one whole context: 147,456 bytes a token for the 8B
    model, so 1.125 GiB for 8,192 tokens. Unset, the memory plan decides."""
    cache: bool = True
    """Keep answers on disk, so that the same question about the same picture is asked once."""
    cache_mib: int = Field(default=256, ge=1)
    """The most that kept answers may take on disk; those not used for longest go first."""
    cache_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_cache_dir("img2prompt", appauthor=False)))
    """Holds the answers, and in `engines/` what runs: programs share an engine when they share this folder."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the settings file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=settings_file())

    @classmethod
    def load(cls, **changes: Any) -> Settings:
        """The settings of this machine, with these changes. Raises SettingsError naming the bad setting."""
        try:
            return cls(**changes)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise SettingsError(
                f"The setting {name} cannot be used ({first['msg']}); correct IMG2PROMPT_{name.upper()} "
                f"or {settings_file()}."
            ) from error
        except ValueError as error:  # tomllib.TOMLDecodeError is one
            raise SettingsError(f"{settings_file()} is not valid TOML ({error}); correct or remove it.") from error

    def fingerprint(self) -> str:
        """What of the settings changes an answer: equal for two settings that would answer alike. Holds no key."""
        asked = (self.engine, self.endpoint, *self.endpoints, self.model, self.precision, self.temperature)
        return repr((*asked, self.max_pixels, self.max_model_len))
