#!/usr/bin/env python3
"""Writes the seed corpora of tests/fuzz: small tokenizer.json files, GGUF files with tokenizers, and chat templates."""
import json
import pathlib
import struct

ROOT = pathlib.Path(__file__).parent.parent
GOLDENS = ROOT / "tests" / "golden" / "tokenizers.json"
EXPRESSIONS = ROOT / "tests" / "golden" / "templates" / "expressions.json"
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
WANTED = ["unigram", "bert", "affixes", "byte fallback fused", "added tokens", "normalized added tokens", "gaps",
          "normalizer precompiled", "normalizer replace_regex", "pre_tokenizer split Isolated False",
          "byte level prefix after digits", "decoder llama", "decoder ctc"]


def gguf_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_value(value):
    if isinstance(value, bool):
        return struct.pack("<IB", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_string(value)
    kind = 8 if isinstance(value[0], str) else 6 if isinstance(value[0], float) else 5
    items = [gguf_string(v) if kind == 8 else struct.pack("<f" if kind == 6 else "<i", v) for v in value]
    return struct.pack("<IIQ", 9, kind, len(value)) + b"".join(items)


def gguf(fields):
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(fields))
    return head + b"".join(gguf_string(key) + gguf_value(value) for key, value in fields.items())


def write_templates():
    """The golden expressions in 24 files; the golden templates themselves are seeds as well."""
    sources = [source for source, result in json.loads(EXPRESSIONS.read_text())["results"] if result is not None]
    for part in range(24):
        (CORPUS / "template" / f"expressions_{part:02}.jinja").write_text("\n".join(sources[part::24]))


def main():
    write_templates()
    for entry in json.loads(GOLDENS.read_text()):
        if entry["name"] in WANTED:
            name = entry["name"].replace(" ", "_") + ".json"
            (CORPUS / "tokenizer_json" / name).write_text(json.dumps(entry["tokenizer"], ensure_ascii=False))
    key = "tokenizer.ggml."
    tokens = ["<unk>", "<s>", "</s>", "<0x41>", "\u2581", "a", "\u2581a", "aa", "  "]
    (CORPUS / "gguf" / "scores.gguf").write_bytes(gguf({
        key + "model": "llama", key + "tokens": tokens, key + "scores": [0.0, 0.0, 0.0, 0.0, -1.0, -2.0, -0.5, -3.0, -4.0],
        key + "token_type": [2, 3, 3, 6, 1, 1, 1, 1, 4], key + "bos_token_id": 1, key + "eos_token_id": 2,
        key + "unknown_token_id": 0, key + "add_bos_token": True}))
    (CORPUS / "gguf" / "merges.gguf").write_bytes(gguf({
        key + "model": "gpt2", key + "pre": "qwen2", key + "tokens": ["a", "b", "ab", "\u0120", "\u0120ab", "<|end|>", "[PAD1]"],
        key + "merges": ["a b", "\u0120 ab"], key + "token_type": [1, 1, 1, 1, 1, 3, 5], key + "eos_token_id": 5,
        "tokenizer.chat_template": "{{ messages }}"}))
    (CORPUS / "gguf" / "gemma4.gguf").write_bytes(gguf({
        key + "model": "gemma4", key + "tokens": tokens, key + "merges": ["\u2581 a", "a a"], key + "token_type": [2, 3, 3, 6, 1, 1, 1, 1, 4]}))


if __name__ == "__main__":
    main()
