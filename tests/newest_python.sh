#!/usr/bin/env bash
# Prints the path of the newest Python that this machine has.
set -euo pipefail
for minor in 20 19 18 17 16 15 14 13 12 11; do
  for candidate in "python3.$minor" "$HOME"/.pyenv/versions/3."$minor".*/bin/python; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c 'import venv' 2>/dev/null; then
      command -v "$candidate"
      exit 0
    fi
  done
done
