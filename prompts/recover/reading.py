"""From a file to what it says: the way through all readers, and the edge where every failure becomes RecoverError."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import IO

from ..errors import RecoverError
from .carried import Carried
from .files import opened, read_file
from .generators import readers
from .recovered import Recovered
from .stealth import hidden_field


def read(file: str | Path | IO[bytes], *, stealth: bool) -> Recovered | None:
    """See `recover`."""
    name = f"{file}: " if isinstance(file, (str, Path)) else ""
    try:
        with opened(file) as stream:
            return _read(stream, stealth)
    except RecoverError as error:
        raise RecoverError(f"{name}{error}") from error
    except OSError as error:
        raise RecoverError(f"{name}it cannot be read ({error.strerror or error}); check the path.") from error
    except Exception as error:  # a foreign file may hold anything; what it breaks must not be the user's graph
        raise RecoverError(
            f"{name}what it says of how it was made cannot be read ({type(error).__name__}); the file is damaged, or "
            "of a version that is not known here."
        ) from error


def _read(stream: IO[bytes], stealth: bool) -> Recovered | None:
    carried = read_file(stream)
    problems = list(carried.problems)
    found = _ask(carried, problems)
    if stealth and not (found and found.prompts):
        found = _hidden(stream, carried, problems) or found
    if found is None and carried.credentials is None:
        if problems:
            raise RecoverError(problems[0])
        return None
    found = found or Recovered("C2PA")
    return replace(found, credentials=carried.credentials, notes=(*found.notes, *problems))


def _hidden(stream: IO[bytes], carried: Carried, problems: list[str]) -> Recovered | None:
    """What the pixels hide."""
    try:
        field = hidden_field(stream, carried)
    except RecoverError as error:
        problems.append(str(error))
        return None
    return _ask(replace(carried, fields=(field,)), problems) if field else None


def _ask(carried: Carried, problems: list[str]) -> Recovered | None:
    """The first answer that holds a prompt; else the first answer at all."""
    answers: list[Recovered] = []
    for reader in readers() if carried.fields else ():
        try:
            answer = reader(carried)
        except RecoverError as error:
            problems.append(str(error))
            continue
        if answer and answer.prompts:
            return answer
        answers += [answer] if answer else []
    return answers[0] if answers else None
