#!/bin/sh
# Install what requirements.lock pins, all but torch, which install-torch.sh brings.
#   sh install-lock.sh PYTHON
# uv fetches many packages at a time and takes a fifth of pip's work. It does not read pip's settings, though: where
# pip was told of another index, or where uv cannot do it, pip does.
set -eu
python=$1
pip="$python -m pip install --quiet --disable-pip-version-check"
by_uv() {
    ! "$python" -m pip config list | grep -Eq '\.(index-url|no-index)=' &&
        $pip "$(grep '^uv==' requirements.lock)" &&
        grep -v '^torch==' requirements.lock |
        "$python" -m uv pip install --quiet --compile-bytecode --python "$python" --no-deps --requirements -
}
by_uv || $pip --no-deps -r requirements.lock
