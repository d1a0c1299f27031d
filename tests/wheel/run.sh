#!/usr/bin/env bash
# Runs the unit and vector tests against the built wheel, in empty environments: nothing of the source tree is on the path.
# On the oldest Python it runs with the oldest versions of what it needs, on the newest with the newest.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The oldest supported Python is the one that made .venv.
newest=$("$root/tests/newest_python.sh")
oldest="$root/.venv/bin/python"

for age in oldest newest; do
  python=${!age}
  requirements=wheel
  if [ "$age" = oldest ]; then requirements=oldest; fi
  name=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  echo "== wheel on Python $name, $age requirements"
  "$python" -m venv "$scratch/$name"
  "$scratch/$name/bin/python" -m pip install --quiet --require-hashes --requirement "$root/requirements/$requirements.txt"
  "$scratch/$name/bin/python" -m pip install --quiet --no-deps "$root"/dist/*.whl
  mkdir -p "$scratch/run-$name/tests"
  cp -r "$root/pyproject.toml" "$scratch/run-$name/"
  cp -r "$root"/tests/{__init__.py,unit,vectors} "$scratch/run-$name/tests/"
  (cd "$scratch/run-$name" && "$scratch/$name/bin/python" -m pytest -q -p no:cacheprovider tests/unit tests/vectors)
done
