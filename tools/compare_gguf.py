"""compare_gguf.py AURUM FOLDER [TYPE...]: writes a Hugging Face folder as GGUF with aurum and checks the files against llama.cpp:
the types that llama.cpp's own quantizer picks, the error of every quantized tensor, token ids, and logits.
Development only; needs llama-cpp-python, gguf, numpy and safetensors.
"""
import ctypes
import json
import os
import subprocess
import sys
import tempfile

import gguf
import llama_cpp
import numpy as np
from safetensors.numpy import load_file

TEXTS = ["Hello world", "def add(a, b):\n    return a + b\n", "  two  blanks\n\n\n  and tabs\t\t.", "naïve 日本語 🙂 12345 don't",
         "Explain in two sentences how to reverse a list in Python."]
FILE_TYPES = {"q8_0": 7, "q4_0": 2, "q4_k_m": 15}


def tensors(path):
    return {t.name: t for t in gguf.GGUFReader(path).tensors}


def error(tensor, exact):
    return np.sqrt(((gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float64).ravel() - exact) ** 2).mean())


def compare_tensors(ours, exact_path, kind, folder):
    """Against llama.cpp's quantization of the same bfloat16 file."""
    theirs = os.path.join(folder, "theirs.gguf")
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype, params.nthread = FILE_TYPES[kind], 1
    assert llama_cpp.llama_model_quantize(exact_path.encode(), theirs.encode(), ctypes.byref(params)) == 0
    a, b, exact = tensors(ours), tensors(theirs), tensors(exact_path)
    assert a.keys() == b.keys(), a.keys() ^ b.keys()
    worst, equal = {}, {}
    for name, tensor in a.items():
        assert tensor.tensor_type == b[name].tensor_type, (name, tensor.tensor_type, b[name].tensor_type)
        assert list(tensor.shape) == list(b[name].shape), name
        type_name = tensor.tensor_type.name
        same = np.array_equal(tensor.data, b[name].data)
        equal.setdefault(type_name, []).append(same)
        if not same:
            values = gguf.dequantize(exact[name].data, exact[name].tensor_type).ravel()
            worst.setdefault(type_name, []).append(error(tensor, values) / error(b[name], values))
    os.remove(theirs)
    for type_name, flags in equal.items():
        ratios = worst.get(type_name, [1.0])
        print(f"  {type_name}: {sum(flags)} of {len(flags)} tensors bit-equal; our error / llama.cpp's: "
              f"mean {np.mean(ratios):.4f}, largest {max(ratios):.4f}")


def compare_logits(aurum, path, reference):
    """Logits of aurum on `path` and of llama.cpp on `reference`."""
    model = llama_cpp.Llama(reference, n_ctx=256, n_threads=1, logits_all=True, verbose=False, type_k=0, type_v=0, flash_attn=False, swa_full=True)
    rows = [model.tokenize(text.encode(), add_bos=True, special=True) for text in TEXTS]
    lines = "\n".join(json.dumps({"text": text, "add_special_tokens": True}) for text in TEXTS)
    ours = subprocess.run([aurum, "tokenize", "--tokenizer", path], input=lines, text=True, check=True, capture_output=True).stdout
    for text, row, line in zip(TEXTS, rows, ours.splitlines()):
        assert json.loads(line)["ids"] == row, (text, json.loads(line)["ids"], row)
    with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
        lines = "\n".join(json.dumps({"ids": row}) for row in rows)
        subprocess.run([aurum, "--threads", "1", "logits", "--model", path, "--dtype", "float32", "--output", file.name], input=lines, text=True, check=True)
        logits = load_file(file.name)
    worst = 0.0
    for i, row in enumerate(rows):
        model.reset()
        model.eval(row)
        theirs = np.array(model.scores[: len(row)])
        worst = max(worst, float(np.abs(logits[f"logits.{i}"] - theirs).max() / np.abs(theirs).max()))
    print(f"  ids equal on {len(rows)} texts; logits differ by {worst:.2e} of the largest")


aurum, model = sys.argv[1:3]
kinds = sys.argv[3:] or ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_k_m"]
with tempfile.TemporaryDirectory() as folder:
    exact_path = os.path.join(folder, "exact.gguf")
    subprocess.run([aurum, "convert", model, exact_path, "--type", "bf16", "--log-level", "warning"], check=True)
    for kind in kinds:
        path = os.path.join(folder, f"ours.{kind}.gguf")
        subprocess.run([aurum, "convert", model, path, "--type", kind, "--log-level", "warning"], check=True)
        print(f"{kind}: {os.path.getsize(path)} bytes")
        if kind in FILE_TYPES:
            compare_tensors(path, exact_path, kind, folder)
        reference = path
        if kind != "f32":
            # llama.cpp rounds activations to the type of the weights; in float32 it does not.
            reference = os.path.join(folder, "plain.gguf")
            subprocess.run([aurum, "convert", path, reference, "--type", "f32", "--overwrite", "--log-level", "warning"], check=True)
        compare_logits(aurum, path, reference)
        for file in {path, reference}:
            os.remove(file)
