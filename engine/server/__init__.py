"""A vLLM of our own: its command line, its process, and the backend made of the two. Linux only, as vLLM is."""
