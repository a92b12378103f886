"""The properties of an XMP packet, by name. No document type and no entities: a packet with these is refused.

Facts: XMP specification part 1 (RDF forms). A property is an attribute of an rdf:Description, or an element in it that
holds a text, or an rdf:Alt, rdf:Seq or rdf:Bag of rdf:li. Structures are stepped over.
"""

from __future__ import annotations

from xml.parsers import expat

from .limits import MOST_XMP_MARKS
from .source import Source

XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
"""Before a packet in an APP1 segment."""
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/": "Iptc4xmpExt",
}
"""The usual prefixes; a packet may use others for the same."""
UNTOLD = ("xmpNote:HasExtendedXMP",)


class _Refused(Exception):
    """A document type, which no XMP has."""


def read_xmp(source: Source, packet: bytes) -> None:
    """Adds the properties of one packet, as far as it can be read."""
    if packet.startswith((b"\xff\xfe", b"\xfe\xff")):
        packet = packet.decode("utf-16", "replace").encode()
    packet = packet.strip(b"\0 \r\n\t")
    if packet.count(b"<") + packet.count(b"=") > MOST_XMP_MARKS:
        source.problem("The XMP is too large to be a prompt's; it was not read.")
        return
    reader = _Reader(source)
    try:
        reader.parse(packet)
    except _Refused:
        source.problem("The XMP has a document type, which no XMP has; it was not read.")
    except expat.ExpatError:
        source.problem("The XMP is damaged; what stands behind the damage was not read.")


class _Reader:
    """Gathers while the parser runs; no tree is built."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._path: list[str] = []
        self._inside = -1
        """How deep the property's element stands; -1 outside of one."""
        self._alternatives = False
        self._texts: list[str] = []
        self._piece: list[str] = []

    def parse(self, packet: bytes) -> None:
        parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        parser.namespace_prefixes = True
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(packet, True)

    def _doctype(self, *_: object) -> None:
        raise _Refused

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = _name(name)
        if name == "rdf:Description" and self._inside < 0:
            for key, text in attributes.items():
                self._add(_name(key), text)
        elif self._inside < 0 and self._path and self._path[-1] == "rdf:Description":
            self._inside = len(self._path)
            self._texts = []
        self._alternatives = name == "rdf:Alt" or (self._alternatives and name == "rdf:li")
        self._path.append(name)
        self._piece = []

    def _text(self, text: str) -> None:
        if self._inside >= 0:
            self._piece.append(text)

    def _end(self, _name: str) -> None:
        name = self._path.pop()
        if self._inside < 0:
            return
        depth = len(self._path) - self._inside
        text = "".join(self._piece)
        self._piece = []
        if text.strip() and (depth == 0 or (depth == 2 and name == "rdf:li")):
            self._texts.append(text)
        if depth == 0:
            self._add(name, self._texts[0] if self._alternatives and self._texts else ", ".join(self._texts))
            self._inside = -1

    def _add(self, key: str, text: str) -> None:
        if ":" in key and not key.startswith(("rdf:", "xml:")) and key not in UNTOLD:
            self._source.add("XMP", key, text)


def _name(name: str) -> str:
    """ "dc:title" of "http://purl.org/dc/elements/1.1/ title dc"."""
    space, _, rest = name.partition(" ")
    local, _, prefix = rest.partition(" ")
    if not local:
        return name
    return f"{'rdf' if space == RDF else NAMES.get(space, prefix)}:{local}"
