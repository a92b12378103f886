"""The bounds that keep any file, however it was made, within 300 MB of memory and 2 s. Checked before work is done."""

MOST_BLOCKS = 60_000
"""Chunks, segments or boxes of one file; a 300 MB PNG in pieces of 8 KiB has 40,000."""
MOST_TEXT_BYTES = 8 << 20
"""Of one text in a file, and of what a compressed one may expand to. A workflow with pictures in it takes some MB."""
MOST_ALL_TEXT_BYTES = 16 << 20
"""Of all texts of one file together. With an emoji in it, a text takes four times its bytes in memory."""
MOST_FIELDS = 1000
"""Texts of one file."""
MOST_KEY_BYTES = 255
"""Of a PNG text's keyword; the specification has 79."""
MOST_PROBLEMS = 20
"""That are told of one file."""
MOST_XMP_MARKS = 100_000
"""Brackets and equals signs in one XMP packet: its elements and attributes."""
MOST_JSON_PARTS = 300_000
"""Brackets, braces and commas in one JSON text: each may become an object of 60 to 230 bytes."""
MOST_NODES = 20_000
"""Of one graph, its subgraphs unfolded."""
MOST_STEPS = 200_000
"""Of one walk through a graph."""
MOST_PROMPT_CHARACTERS = 200_000
"""Of one recovered text: what string nodes may grow to."""
MOST_PARAMETERS = 2_000
"""Named values of one file beside its prompts; a long list of ControlNets and detailers has 150."""
MOST_STEALTH_PIXELS = 40_000_000
"""Of a PNG that is decoded to look for text in its pixels."""
MOST_STEALTH_WEBP_PIXELS = 8_000_000
"""Of a WebP, whose decoder takes five times the memory."""
