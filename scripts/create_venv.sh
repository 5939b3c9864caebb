#!/bin/sh
# Makes .venv with the first fitting Python; a working one that is already there is kept.
# PYTHON=/path/to/python chooses another.
set -eu

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

if fits .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; then exit 0; fi

# 3.14 comes last: TensorFlow has no builds for it yet, so that only PyTorch would be installed.
without_venv=""
for python in ${PYTHON:-python3.12 python3.13 python3.11 python3 python python3.14}; do
    fits "$python" || continue
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        without_venv="$without_venv $python"
        continue
    fi
    echo "Making .venv with $("$python" --version)."
    exec "$python" -m venv --clear .venv
done

if [ -n "$without_venv" ]; then
    echo "Found$without_venv, but its venv module is missing; install it (Debian, Ubuntu: apt install python3-venv)." >&2
else
    echo "Layerscope needs Python 3.11 or newer, and none was found on PATH; install one or say PYTHON=/path/to/python." >&2
fi
exit 1
