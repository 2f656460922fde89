#!/usr/bin/env python3
"""Writes tests/golden/trl_alignment.json: the byte spans and groups of TRL's own code.

The tokenizers are the excerpts in tests/golden/tokenizers.json. `student_spans` are those of sampled ids,
`teacher_spans` those of the encoded text (null where TRL raises). Development only; needs trl 1.16.
"""
import json
import pathlib

from tokenizers import Tokenizer
from trl.experimental.gold.gold_trainer import ULDLoss
from trl.experimental.utils import encode_with_byte_offsets, piece_byte_len

FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "golden"
NAMES = ["llama3_1", "qwen3", "gptoss", "deepseek_v3"]


def sampled_spans(tokenizer, ids):
    spans, at = [], 0
    for token in ids:
        length = piece_byte_len(tokenizer.id_to_token(token))
        spans.append((at, at + length))
        at += length
    return spans


def case(tokenizers, student, teacher, text):
    ids = tokenizers[student].encode(text, add_special_tokens=False).ids
    student_spans, teacher_spans, groups = sampled_spans(tokenizers[student], ids), None, None
    try:
        [(_, teacher_spans)] = encode_with_byte_offsets(tokenizers[teacher], [text])
        pairs = zip(*ULDLoss._align_by_byte_offsets(student_spans, teacher_spans))
        # A group with an empty side has nothing to compare.
        groups = [[s[0], s[-1] + 1, t[0], t[-1] + 1] for s, t in pairs if s and t]
    except ValueError:
        teacher_spans = None
    return {"student": student, "teacher": teacher, "text": text, "student_spans": student_spans,
            "teacher_spans": teacher_spans, "groups": groups}


def main():
    entries = {e["name"].removeprefix("excerpt of "): e for e in json.loads((FOLDER / "tokenizers.json").read_text())}
    tokenizers = {name: Tokenizer.from_str(json.dumps(entries[name]["tokenizer"])) for name in NAMES}
    texts = {name: dict.fromkeys(c["text"] for c in entries[name]["encode"]) for name in NAMES}
    common = [t for t in texts[NAMES[0]] if all(t in texts[name] for name in NAMES)]
    cases = [case(tokenizers, name, name, text) for name in NAMES for text in texts[name]]
    cases += [case(tokenizers, s, t, text) for s in NAMES for t in NAMES if s != t for text in common]
    lines = ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases)
    (FOLDER / "trl_alignment.json").write_text("[\n" + lines + "\n]\n")
    print(len(cases), "cases,", sum(c["teacher_spans"] is None for c in cases), "that TRL refuses")


if __name__ == "__main__":
    main()
