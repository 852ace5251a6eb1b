"""What one core can do at most in int8, measured beside the networks that are held against it (rule P2)."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Twelve chains of vpdpbusd in registers: enough to hide its latency, nothing to load or store.
_CHAINS = 12
_LOOP = """
#include <immintrin.h>
int loop(long rounds) {{
    __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(1);
    {start}
    while (rounds--) {{ {step} }}
    return _mm512_reduce_add_epi32({end});
}}
""".format(
    start=" ".join(f"__m512i s{i} = _mm512_set1_epi32({i});" for i in range(_CHAINS)),
    # The empty assembly keeps the compiler from folding rounds into one.
    step=" ".join(
        f's{i} = _mm512_dpbusd_epi32(s{i}, a, b); __asm__ volatile("" : "+v"(s{i}));' for i in range(_CHAINS)
    ),
    end="_mm512_add_epi32(" * (_CHAINS - 1) + "s0, " + "), ".join(f"s{i}" for i in range(1, _CHAINS)) + ")",
)
_ROUNDS = 30_000_000
_SIDE = 2048


@dataclass(frozen=True, slots=True)
class Peak:
    """Something to time.

    Attributes:
        name: what it is.
        run: one call, single-threaded.
        operations: of one call; a multiply-add counts as two.
    """

    name: str
    run: Callable[[], object]
    operations: float


def peak() -> Peak:
    """Return the register loop where a C compiler and AVX-512 VNNI are there, else a large matrix product.

    The product reached 93 % of the loop where both could be measured, so a share of it looks better by that much.
    """
    return _register_loop() or _matrix_product()


def _register_loop() -> Peak | None:
    compiler = shutil.which("cc")
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    if compiler is None or "avx512_vnni" not in flags:
        return None
    with tempfile.TemporaryDirectory() as name:
        source, library = Path(name) / "loop.c", Path(name) / "loop.so"
        source.write_text(_LOOP, encoding="utf-8")
        options = ["-O3", "-mavx512f", "-mavx512bw", "-mavx512vnni", "-shared", "-fPIC"]
        made = subprocess.run([compiler, *options, str(source), "-o", str(library)], capture_output=True, check=False)
        if made.returncode:
            return None
        loop = ctypes.CDLL(str(library)).loop
    loop.argtypes = [ctypes.c_long]
    return Peak("int8 peak (vpdpbusd in registers)", lambda: loop(_ROUNDS), 2.0 * 64 * _CHAINS * _ROUNDS)


def _matrix_product() -> Peak:
    import torch

    one = torch.randint(-128, 127, (_SIDE, _SIDE), dtype=torch.int8)
    other = torch.randint(-128, 127, (_SIDE, _SIDE), dtype=torch.int8)
    return Peak(
        f"int8 peak (torch._int_mm, {_SIDE})",
        lambda: torch._int_mm(one, other),  # noqa: SLF001 (torch has no public one)
        2.0 * _SIDE**3,
    )
