"""quantize_oracle.py [LIBGGML_BASE]: prints the constants of tests/weights/quantize_test.cpp. Hashes come from the gguf package's
quantizers; errors from ggml's own ones, whose shared library (libggml-base.so, for example of llama-cpp-python) is the argument.
Development only.
"""
import ctypes
import sys

import gguf
import numpy as np

ROWS, COLUMNS = 64, 512


def values():
    """The same bell-shaped values as in the test: sums of four uniform ones, a power of two as scale for each 64."""
    state, out = 1, np.empty(ROWS * COLUMNS, np.float32)
    for i in range(out.size):
        total = 0
        for _ in range(4):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            total += state >> 16
        out[i] = np.float32(total - 131070) * np.float32(2.0 ** -(18 + (i // 64) % 5))
    return out.reshape(ROWS, COLUMNS)


def fnv(data):
    result = 0xCBF29CE484222325
    for byte in data:
        result = ((result ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return result


x = values()
kinds = gguf.GGMLQuantizationType
for kind in (kinds.F16, kinds.BF16, kinds.Q8_0, kinds.Q4_0, kinds.Q5_0, kinds.Q5_1):
    print(kind.name, hex(fnv(gguf.quantize(x, kind).tobytes())))
if len(sys.argv) > 1:
    library = ctypes.CDLL(sys.argv[1])
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    for kind in (kinds.Q4_K, kinds.Q5_K, kinds.Q6_K):
        block, size = gguf.GGML_QUANT_SIZES[kind]
        out = np.zeros(x.size // block * size, np.uint8)
        library.ggml_quantize_chunk(
            ctypes.c_int(kind), x.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_int64(0), ctypes.c_int64(ROWS), ctypes.c_int64(COLUMNS), ctypes.c_void_p(None))
        difference = gguf.dequantize(out.reshape(ROWS, -1), kind).astype(np.float64) - x
        print(kind.name, "rmse", np.sqrt((difference**2).mean()))
