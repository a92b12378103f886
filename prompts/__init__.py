"""What a prompt is: the request, the analysis, and the deterministic way from one to the other. No ComfyUI, no network."""
