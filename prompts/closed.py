"""An analysis whose tags can only be Danbooru's own: the grammar of the guided decoding admits no others.

Compared with sorting out afterwards what is no tag, the model cannot waste a place on one; but where Danbooru has no
word for what it sees, it must take the nearest. Captions stay free text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Field, create_model
from typing_extensions import TypeAliasType

from .analysis import ImageAnalysis, Subject
from .vocabulary import vocabulary

SUBJECT_FIELDS = ("appearance", "clothing", "action")
PICTURE_FIELDS = ("setting", "composition", "tags")


def closed_analysis() -> type[ImageAnalysis]:
    """ImageAnalysis with its lists of tags limited to the vocabulary; made once for each.

    Its JSON schema is about 130 kB, the vocabulary in it once. Raises VocabularyFileError for a user's broken file.
    """
    return _closed(vocabulary().tags)


@lru_cache(maxsize=1)
def _closed(tags: frozenset[str]) -> type[ImageAnalysis]:
    # a named alias, so that the schema has the vocabulary once and refers to it
    tag: Any = TypeAliasType("DanbooruTag", Literal[tuple(sorted(tags))])  # type: ignore

    def limited(base: type[Subject] | type[ImageAnalysis], names: tuple[str, ...]) -> dict[str, Any]:
        """The fields of these names, as long as they were."""
        fields = {}
        for name in names:
            (bound,) = (info.max_length for info in base.model_fields[name].metadata if hasattr(info, "max_length"))
            fields[name] = (Annotated[list[tag], Field(max_length=bound)], ...)
        return fields

    subject: Any = create_model("DanbooruSubject", __base__=Subject, **limited(Subject, SUBJECT_FIELDS))
    (most,) = (info.max_length for info in ImageAnalysis.model_fields["subjects"].metadata)
    subjects: dict[str, Any] = {"subjects": (Annotated[list[subject], Field(max_length=most)], ...)}
    return create_model(
        "DanbooruAnalysis",
        __base__=ImageAnalysis,
        **limited(ImageAnalysis, PICTURE_FIELDS),
        **subjects,
    )
