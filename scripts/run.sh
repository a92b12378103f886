#!/usr/bin/env bash
# make run: a prompt for one picture. IMAGE names it, FAMILY the model family, MODEL a checkpoint for a vLLM of our own.
# The prompt goes to stdout, all else to stderr.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -f "${IMAGE:-}" ]; then
  echo "IMAGE=${IMAGE:-} is no file; name a picture, such as: make run IMAGE=$(ls docs/examples/*.jpg docs/examples/*.png 2>/dev/null | head -n 1)" >&2
  exit 2
fi
"${PYTHON:-python3}" scripts/environments.py run

if [ -n "${MODEL:-}" ]; then
  [ ! -d "$MODEL" ] || MODEL=$(realpath "$MODEL")
  export IMG2PROMPT_ENGINE=managed IMG2PROMPT_MODEL=$MODEL
  installed() { # by `img2prompt engine install`
    .environments/run/bin/python -c "import sys; from img2prompt.engine.server import install; sys.exit(not install.installed_vllm())"
  }
  if [ -z "${IMG2PROMPT_VLLM:-}" ] && ! installed && ! { command -v vllm && nvidia-smi; } >/dev/null 2>&1; then
    echo "No vllm program by \`img2prompt engine install\`, nor one on PATH with an NVIDIA GPU: vLLM runs on the CPU, which is slow (IMG2PROMPT_VLLM names another vllm)." >&2
    "${PYTHON:-python3}" scripts/environments.py vllm
    export IMG2PROMPT_VLLM=$PWD/.environments/vllm/bin/vllm
  fi
fi
exec .environments/run/bin/img2prompt prompt "$IMAGE" ${FAMILY:+--family "$FAMILY"}
