"""How good the answers are, measured on pictures whose prompt, tags or caption somebody knows, and two ways of asking
compared. Knows no ComfyUI and no command line; importing it loads nothing."""
