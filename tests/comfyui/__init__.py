"""Tests against ComfyUI: its code in this process, and a real server as a child."""
