#!/usr/bin/env python3
"""Times our tokenizers and Hugging Face's Rust ones in one run, each on one thread.

    tools/compare_tokenizer_speed.py --make-texts TEXTS                # english.txt code.txt chinese.txt
    tools/compare_tokenizer_speed.py --benchmarks build/bin/text_benchmarks \\
        --texts TEXTS models/a/tokenizer.json models/b/tokenizer.json

For each tokenizer and text: encode_batch of the Rust library (whole documents, offsets included) and our
encode (whole text, spans included) take turns; the best of --runs counts. Development only; needs the
Python package `tokenizers`.
"""
import argparse
import gettext
import glob
import json
import os
import pathlib
import random
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"

SIZE = 10_000_000


def read(name):
    try:
        return pathlib.Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def messages(path):
    with open(path, "rb") as file:
        return [t for t in gettext.GNUTranslations(file)._catalog.values() if isinstance(t, str)]


def gather(parts, rng):
    """Shuffles the parts and puts them together until there are SIZE bytes."""
    parts = sorted({p for p in parts if len(p) > 20})
    out, size = [], 0
    while size < SIZE:
        rng.shuffle(parts)
        for part in parts:
            out.append(part)
            size += len(part.encode()) + 1
            if size >= SIZE:
                break
    return "\n".join(out).encode()[:SIZE].decode(errors="ignore")


def make_texts(folder):
    rng = random.Random(1)
    roots = [sys.prefix, "/usr/lib/python3", "/usr/lib/python3.11", "/usr/share"]
    find = lambda pattern: sorted(f for root in roots for f in glob.glob(f"{root}/**/{pattern}", recursive=True))
    documents = [p for name in find("*.rst") + find("*.txt") + find("METADATA") + find("copyright") + find("*.md")
                 for p in read(name).split("\n\n")]
    code = [read(name) for name in find("*.py")[:6000]]
    chinese = [t for name in find("*.mo") if "zh_" in name for t in messages(name)]
    chinese = [t for t in chinese if sum("\u4e00" <= c <= "\u9fff" for c in t) > len(t) // 2]
    chinese = ["".join(rng.sample(chinese, 8)) for _ in range(len(chinese))]
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in (("english", documents), ("code", code), ("chinese", chinese)):
        (folder / f"{name}.txt").write_text(gather(parts, rng))


def documents_of(text):
    """Whole documents of about 10 kB."""
    out, current, size = [], [], 0
    for line in text.splitlines(keepends=True):
        current.append(line)
        size += len(line)
        if size > 10_000:
            out.append("".join(current))
            current, size = [], 0
    return out + ["".join(current)]


def time_reference(tokenizer, documents):
    start = time.perf_counter()
    encodings = tokenizer.encode_batch(documents, add_special_tokens=False)
    return time.perf_counter() - start, sum(len(e.ids) for e in encodings)


def time_ours(program, path, text, what="encode", repetitions=1):
    command = [program, str(path), str(text), f"--benchmark_filter=^{what}$", "--benchmark_format=json", "--benchmark_min_time=0.01",
               f"--benchmark_repetitions={repetitions}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    runs = [r for r in json.loads(done.stdout)["benchmarks"] if r.get("run_type") == "iteration"]
    return min(r["real_time"] for r in runs) / 1000, runs[0].get("tokens", 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizers", nargs="*", type=pathlib.Path)
    parser.add_argument("--benchmarks", default="build/bin/text_benchmarks")
    parser.add_argument("--texts", type=pathlib.Path)
    parser.add_argument("--make-texts", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if options.make_texts:
        return make_texts(options.make_texts)
    from tokenizers import Tokenizer
    print("| tokenizer | text | MB | ours MB/s | Rust MB/s | ratio | runs ours (s) | runs Rust (s) |\n|---|---|---|---|---|---|---|---|")
    for path in options.tokenizers:
        tokenizer = Tokenizer.from_file(str(path))
        for file in sorted(options.texts.glob("*.txt")):
            text = file.read_text()
            documents, size = documents_of(text), len(text.encode())
            ours, theirs = [], []
            for _ in range(options.runs):
                ours.append(time_ours(options.benchmarks, path, file)[0])
                theirs.append(time_reference(tokenizer, documents)[0])
            a, b = size / min(ours) / 1e6, size / min(theirs) / 1e6
            times = [" ".join(f"{t:.2f}" for t in runs) for runs in (ours, theirs)]
            print(f"| {path.parts[-4] if 'package' in path.parts else path.parent.name} | {file.stem} | {size / 1e6:.1f} | {a:.1f} | {b:.1f} "
                  f"| {a / b:.1f} | {times[0]} | {times[1]} |", flush=True)
        file = next(iter(sorted(options.texts.glob("*.txt"))))
        load = time_ours(options.benchmarks, path, file, "load", options.runs)[0]
        word = time_ours(options.benchmarks, path, file, "encode_long_word", options.runs)[0]
        print(f"\nload {path.stat().st_size / 1e6:.1f} MB: {load:.2f} s; a word of 1 MB: {word:.2f} s\n", flush=True)


if __name__ == "__main__":
    main()
