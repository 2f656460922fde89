#!/usr/bin/env python3
"""Compares `aurum tokenize` with Hugging Face tokenizers on generated and real text.

For each tokenizer.json: token ids (with and without special tokens), byte spans that tile the text,
and decoded text (special tokens kept and skipped) must be equal. Prints one line per tokenizer and
the first differences; exits with 1 when there are any.

    tools/check_tokenizers.py --program build/aurum --count 100000 models/*/tokenizer.json
    tools/check_tokenizers.py --part 2/4 ...     # the second quarter of the same strings

Development only; needs the Python package `tokenizers`.
"""
import argparse
import gettext
import glob
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

SCRIPTS = [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x17F), (0x370, 0x3FF), (0x400, 0x4FF),
           (0x530, 0x58F), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0x9FF),
           (0xB80, 0xBFF), (0xE00, 0xE7F), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F),
           (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x214F), (0x2200, 0x22FF),
           (0x2460, 0x24FF), (0x3040, 0x30FF), (0x3400, 0x34FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
           (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFF00, 0xFFEF), (0x10400, 0x1044F),
           (0x1D400, 0x1D7FF), (0x20000, 0x200FF)]
EMOJI = ["😀", "🧑‍🚀", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "👍🏽", "🫨", "🩵", "❤️", "1️⃣", "🧑", "‍", "️"]
MARKS = [0x300, 0x301, 0x302, 0x308, 0x323, 0x327, 0x328, 0x342, 0x345, 0x5B0, 0x64B, 0x93C, 0x94D,
         0x1AB0, 0x20D0, 0x302A, 0x3099, 0xFE20, 0x344, 0x958, 0x897, 0x8CA]
BLANKS = " \t\n\r\v\f\x85\xa0\u1680\u180e\u2000\u2003\u2009\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"
WORDS = ("the of it's I'LL we'Ve don't they'RE she'd I'm 'S 'ſ HTTPServer iPhone's naïve façade "
         "straße ǅx İstanbul ΑΣ Σίσυφος привет мир 日本語 中文字符 カタカナ ひらがな 한국어 שלום مرحبا नमस्ते "
         "ภาษาไทย ½ ﬁ ﬃ e\u0301 \u212b \u1100\u1161\u11a8 don’t x² Ⅷ ٣٤٥").split()
CODE = ["def f(x):\n    return x + 1\n", "for (int i = 0; i < n; ++i) {\n\t\tsum += a[i];\n}\n",
        "#include <vector>\r\n", "SELECT * FROM t WHERE id = 42;", "a->b::c<d>&&!e||~f^g%h",
        "////\n//a", "/* x */", "\"\\n\\t\\u00e9\"", "{\"k\": [1, 2.5e-3, null]}", "if x == 'y':",
        "https://ex.org/?q=a%20b#c", "<div class=\"a\">&amp;</div>"]


def random_part(rng, added, vocabulary):
    kind = rng.randrange(14)
    if kind == 0:
        first, last = rng.choice(SCRIPTS)
        return "".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 8)))
    if kind == 1:
        return "".join(rng.choice(EMOJI) for _ in range(rng.randint(1, 3)))
    if kind == 2:
        return rng.choice("aeoqAZ가का") + "".join(chr(rng.choice(MARKS)) for _ in range(rng.randint(1, 4)))
    if kind == 3:
        return "".join(rng.choice(BLANKS) for _ in range(rng.randint(1, 5)))
    if kind == 4:
        return rng.choice([" ", "\n", "\t", "\r\n", "  \n"]) * rng.randint(1, 12)
    if kind == 5:
        return rng.choice(CODE)
    if kind == 6:
        return "".join(rng.choice("0123456789.,-eE²٣") for _ in range(rng.randint(1, 10)))
    if kind == 7 and added:
        token = rng.choice(added)
        cut = rng.randrange(len(token) + 1)
        return rng.choice([token[:cut], token[cut:], token.upper(), token[:cut] + " " + token[cut:]])
    if kind == 8 and added:
        return rng.choice(added)
    if kind == 9:
        return "".join(chr(rng.randrange(0x20)) for _ in range(rng.randint(1, 3)))
    if kind == 10:
        c = rng.randrange(0x110000)
        return "" if 0xD800 <= c < 0xE000 else chr(c)
    if kind == 11:
        return rng.choice(vocabulary)
    if kind == 12:
        return rng.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~▁Ġ") * rng.randint(1, 6)
    return rng.choice(WORDS)


def random_string(rng, added, vocabulary):
    glue = rng.choice(["", "", " ", "  ", "\n"])
    return glue.join(random_part(rng, added, vocabulary) for _ in range(rng.randint(1, 8)))


def messages(path):
    try:
        with open(path, "rb") as file:
            catalog = gettext.GNUTranslations(file)._catalog
    except Exception:
        return []
    return [text for text in catalog.values() if isinstance(text, str) and 40 < len(text) < 2000]


def real_texts(roots, count, rng):
    """Paragraphs of documents and sources, and translated messages of many languages."""
    files = [f for root in roots for f in glob.glob(root + "/**/*", recursive=True)
             if f.endswith((".py", ".txt", ".rst", ".md", ".h", ".c", ".mo", "LICENSE", "METADATA"))]
    rng.shuffle(files)
    texts = []
    for name in files[:4000]:
        if name.endswith(".mo"):
            texts += rng.sample(found := messages(name), min(5, len(found)))
            continue
        try:
            content = pathlib.Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        start = rng.randrange(max(1, len(content) - 1500))
        texts.append(content[start:start + rng.randint(100, 1500)])
    rng.shuffle(texts)
    return texts[:count]


def run_lines(command, requests):
    lines = "\n".join(json.dumps(request) for request in requests) + "\n"
    done = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, check=False)
    answers = [json.loads(line) for line in done.stdout.split(b"\n") if line]
    assert len(answers) == len(requests), f"{len(answers)} answers to {len(requests)} lines"
    return answers


def tiles(spans, size):
    position = 0
    for begin, end in spans:
        if begin != position or end < begin:
            return False
        position = end
    return position == size


class Checker:
    def __init__(self, program, path, verbose):
        self.reference = Tokenizer.from_file(path)
        self.reference.no_truncation()
        self.reference.no_padding()
        # Alone in a folder: files beside it would change flags of added tokens.
        self.folder = tempfile.mkdtemp()
        shutil.copy(path, os.path.join(self.folder, "tokenizer.json"))
        self.command = [program, "tokenize", "--tokenizer", self.folder]
        self.bad = 0
        self.verbose = verbose

    def note(self, what, text, ours, theirs):
        self.bad += 1
        if self.bad <= self.verbose:
            print(f"  {what}: {text!r}\n    ours   {ours}\n    theirs {theirs}")

    def encode(self, texts, specials):
        answers = run_lines(self.command, [{"text": t, "add_special_tokens": specials} for t in texts])
        wanted = self.reference.encode_batch(texts, add_special_tokens=specials)
        for text, answer, want in zip(texts, answers, wanted):
            if answer.get("ids") != want.ids:
                self.note("ids", text, answer.get("ids", answer), want.ids)
            elif answer["ids"] and not tiles(answer["spans"], len(text.encode())):
                self.note("spans do not tile", text, answer["spans"], len(text.encode()))
        return [want.ids for want in wanted]

    def decode(self, lists):
        for skip in (False, True):
            command = self.command + ["--decode"]
            answers = run_lines(command, [{"ids": i, "skip_special_tokens": skip} for i in lists])
            wanted = self.reference.decode_batch(lists, skip_special_tokens=skip)
            for ids, answer, want in zip(lists, answers, wanted):
                if answer.get("text") != want:
                    self.note(f"decode skip={skip}", ids, repr(answer.get("text", answer)), repr(want))
                if "stream" in answer:
                    self.note(f"stream skip={skip}", ids, answer["stream"], repr(want))


def check(options, path):
    checker = Checker(options.program, path, options.show)
    vocabulary = sorted(checker.reference.get_vocab())
    added = [t.content for t in checker.reference.get_added_tokens_decoder().values()]
    rng = random.Random(options.seed)
    part, parts = (int(n) for n in options.part.split("/"))
    decoded = 0
    for chunk in range(0, options.count, options.chunk):
        size = min(options.chunk, options.count - chunk)
        texts = [random_string(rng, added, vocabulary) for _ in range(size)]
        lists = [[rng.randrange(len(vocabulary) + 5) for _ in range(rng.randint(1, 12))]
                 for _ in range(size // 10)]
        if (chunk // options.chunk) % parts != part - 1:
            continue
        ids = checker.encode(texts, False)
        checker.encode(texts[: size // 20], True)
        checker.decode(ids[: size // 4] + lists)
        decoded += size // 4 + len(lists)
    real = real_texts(options.text, options.real, rng)
    checker.decode(checker.encode(real, False)[:1000])
    print(f"{path}: {checker.bad} differences in {options.count // parts} generated and {len(real)} "
          f"real texts, {decoded + min(len(real), 1000)} decoded", flush=True)
    shutil.rmtree(checker.folder)
    return checker.bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizers", nargs="+", metavar="tokenizer.json")
    parser.add_argument("--program", default="build/aurum")
    parser.add_argument("--count", type=int, default=100000, help="generated strings per tokenizer")
    parser.add_argument("--real", type=int, default=1500, help="real texts per tokenizer")
    parser.add_argument("--part", default="1/1", help="K/N: only every Nth chunk, from the Kth")
    parser.add_argument("--chunk", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=10, help="differences to print")
    parser.add_argument("--text", nargs="*", help="folders to take real texts from",
                        default=["/usr/share/locale", "/usr/share/vim", "/usr/lib/python3.11", sys.prefix + "/lib"])
    options = parser.parse_args()
    bad = sum(check(options, path) for path in options.tokenizers)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
