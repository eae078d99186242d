#!/bin/sh
# Install the locked torch as the CPU build (or, asked for, as the registry's CUDA build).
#   sh install-torch.sh PYTHON cpu|cuda
# pip alone cannot say "the CPU one": on Linux the registry's plain torch is the CUDA build. Where a CPU wheel
# is at hand (PIP_FIND_LINKS, an index of your own), pip takes it; elsewhere uv knows where CPU wheels live.
set -eu
python=$1
build=$2
pinned=$(grep '^torch==' requirements.lock)
pip="$python -m pip install --quiet --disable-pip-version-check"
if [ "$build" = cuda ]; then
    $pip "$pinned"
elif "$python" -c "import torch, sys; sys.exit('$pinned' != 'torch==' + torch.__version__.split('+')[0])" 2>/dev/null; then
    : # the right one is there
elif ! $pip --no-deps "$pinned+cpu" 2>/dev/null; then
    $pip "$(grep '^uv==' requirements.lock)"
    "$python" -m uv pip install --quiet --python "$python" --torch-backend cpu --no-deps "$pinned"
fi
