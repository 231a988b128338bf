#!/bin/sh
# Make a virtual environment with the first Python that is new enough. Usage: make-venv.sh FOLDER
# PYTHON names the one to take. Nothing is done where the folder has a good one already.
set -eu
folder=$1

# A Python counts when it is 3.11 or newer and can make environments (Debian puts that into a package of its own).
fits() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

if fits "$folder/bin/python" && [ -x "$folder/bin/pip" ]; then
    exit 0
fi

if [ -n "${PYTHON:-}" ]; then
    candidates=$PYTHON
else
    candidates="python3 python3.11 python3.12 python3.13 python3.14"
fi
for candidate in $candidates; do
    if fits "$candidate"; then
        "$candidate" -m venv --clear "$folder"
        exit 0
    fi
done

echo "Countersign needs Python 3.11 or newer with its venv module; tried: $candidates." >&2
echo "Install one (on Debian and Ubuntu: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3" >&2
exit 1
