#!/usr/bin/env python3
"""Writes tests/golden/tokenizers.json: small tokenizer files with what Hugging Face makes of texts.

Two kinds of entries: hand-made files, one for each model, normalizer, pre-tokenizer, post-processor
and decoder; and excerpts of real files, which keep only the tokens and merges that the test texts
can reach, under their own ids (so that the ids are those of the full file; checked here).

    tools/make_tokenizer_goldens.py FOLDER   # FOLDER/<name>/tokenizer.json of the real tokenizers

Development only; needs the Python package `tokenizers`.
"""
import base64
import itertools
import json
import pathlib
import struct
import sys

from tokenizers import Tokenizer

OUT = pathlib.Path(__file__).parent.parent / "tests" / "golden" / "tokenizers.json"
U = "\u2581"


def encode_case(tokenizer, text, specials):
    ids = tokenizer.encode(text, add_special_tokens=specials).ids
    return {"text": text, "specials": specials, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            "skipped": tokenizer.decode(ids, skip_special_tokens=True)}


def decode_case(tokenizer, ids):
    return {"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False),
            "skipped": tokenizer.decode(ids, skip_special_tokens=True)}


def entry(name, definition, texts, lists=(), special_texts=()):
    tokenizer = Tokenizer.from_str(json.dumps(definition))
    return {"name": name, "tokenizer": definition,
            "encode": [encode_case(tokenizer, t, False) for t in texts] +
                      [encode_case(tokenizer, t, True) for t in special_texts],
            "decode": [decode_case(tokenizer, list(ids)) for ids in lists]}


def encode_only(*arguments):
    result = entry(*arguments)
    for case in result["encode"]:
        del case["decoded"], case["skipped"]
    return result


# ---- hand-made files -------------------------------------------------------------------------

def definition(model, **parts):
    result = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
              "pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model}
    result.update(parts)
    return result


def bpe(tokens, merges=(), **options):
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {t: i for i, t in enumerate(tokens)}, "merges": list(merges), **options}


def characters(text):
    return list(dict.fromkeys(text))


def added(content, id, **flags):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": False, **flags}


UNIGRAM = [["<unk>", 0.0], ["</s>", 0.0], [U, -2.0], [U + "hello", -4.5], [U + "world", -5.0], ["he", -3.5], ["ll", -3.6],
           ["o", -2.5], ["l", -3.0], ["h", -4.0], ["e", -3.2], ["w", -4.0], ["r", -4.1], ["d", -3.9], [U + "he", -4.2],
           ["llo", -4.4], ["é", -6.0], ["or", -3.8], ["ld", -3.95], ["a", -3.3], ["aa", -6.6], ["<0x41>", -9.0]]
BYTES = [[f"<0x{b:02X}>", -12.0] for b in range(256)]
TEXTS = ["hello world", "hellohello", "  two  spaces ", "xyz", "hello xyz world", "é ü 日本", "", "aaaaa", "<unk>hello",
         "Hello\nWorld", "hello</s> world"]
METASPACE = {"type": "Metaspace", "replacement": U, "prepend_scheme": "always", "split": True}
METASPACE_DECODER = {"type": "Metaspace", "replacement": U, "prepend_scheme": "always", "split": True}
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
WORDS = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "un", "##aff", "##able", "hello", "world", "##s", "a", "##b", "##c", ",", "!",
         "'", "cafe", "##fe", "ca", "日", "本", "do", "not", "n't", "##a", "$", "é", "1", "##2", "İ", "i"]
BERT_TEXTS = ["unaffable", "Hello, WORLDS!", "café Café", "日本 hello", "abcabc xyz", "a" * 101, "do not n't !", "  a\tb ",
              "a\u0000b\u200dc\ufffd", "$12", "İ ı", "[CLS] hello [SEP]", "a\u0301\u1abf"]


def bert(**normalizer):
    return definition(
        {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
         "vocab": {t: i for i, t in enumerate(WORDS)}},
        added_tokens=[added(t, i, special=True) for i, t in enumerate(WORDS[:4])],
        normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                    "lowercase": True, **normalizer},
        pre_tokenizer={"type": "BertPreTokenizer"},
        post_processor={"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
        decoder={"type": "WordPiece", "prefix": "##", "cleanup": True})


def trie_units(keys):
    """A darts-clone double array for a few single-byte-labelled keys, built greedily."""
    root = {}
    for key, value in keys.items():
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = value
    units = {}

    def place(node, at):
        labels = [0 if b is None else b for b in node]
        base = next(b for b in itertools.count(1) if all((b ^ at ^ l ^ 0) >= 0 and (at ^ b ^ l) not in used for l in labels))
        for label in labels:
            used.add(at ^ base ^ label)
        units[at] = (units.get(at, 0) & 0x800001FF) | base << 10 | (1 << 8 if None in node else 0)
        for byte, child in node.items():
            if byte is None:
                units[at ^ base] = child | 1 << 31
            else:
                units[at ^ base ^ byte] = byte
                place(child, at ^ base ^ byte)

    used = {0}
    place(root, 0)
    # Rebuild the offsets: a unit stores base relative to its own place.
    size = max(units) + 1
    return [units.get(i, 0) for i in range(size)]


def charsmap(rules):
    blob, keys = b"", {}
    for source, target in rules.items():
        keys[source] = len(blob)
        blob += target.encode() + b"\0"
    units = trie_units(keys)
    return base64.b64encode(struct.pack("<I", 4 * len(units)) + struct.pack(f"<{len(units)}I", *units) + blob).decode()


def normalizer_entries():
    alphabet = bpe(characters("".join(chr(c) for c in range(32, 127)) + "\t\n" + U + "éüßàïστς日本ä½⁄1ﬁ°ﾊﾞハバ가각e\u0301i\u0307 "))
    cases = {
        "nfc": ({"type": "NFC"}, ["e\u0301 \u212b \u1100\u1161\u11a8", "e\u0301x a\u030a", "\u0958", "\u0344"]),
        "nfkc": ({"type": "NFKC"}, ["½ ﬁ ﬃ", "ﾊﾞ ①"]),
        "nfd": ({"type": "NFD"}, ["é가", "q\u0307\u0323"]),
        "nfkd": ({"type": "NFKD"}, ["½é"]),
        "lowercase": ({"type": "Lowercase"}, ["ABC ΑΣ İ \ua7cb"]),
        "strip": ({"type": "Strip", "strip_left": True, "strip_right": True}, [" \ta b\u3000 ", "   "]),
        "strip_left": ({"type": "Strip", "strip_left": True, "strip_right": False}, ["  a  "]),
        "strip_accents": ({"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]}, ["éàï\u0897"]),
        "nmt": ({"type": "Nmt"}, ["a\u0001b\tc\u200bd\u2581e\ufeff\ufffd\x7f"]),
        "replace_string": ({"type": "Replace", "pattern": {"String": " "}, "content": U}, ["a b  c"]),
        "replace_regex": ({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "_"}, ["a b  c   d"]),
        "replace_empty": ({"type": "Replace", "pattern": {"Regex": "a*"}, "content": "-"}, ["baac", "", "aaa"]),
        "prepend": ({"type": "Prepend", "prepend": U}, ["a", U + "a", ""]),
        "byte_level": ({"type": "ByteLevel"}, ["a !"]),
        "precompiled": ({"type": "Precompiled",
                         "precompiled_charsmap": charsmap({"ﬁ": "fi", "①": "1", "ab": "x", "e\u0301": "é", "\t": " "})},
                        ["ﬁ ① ab abc e\u0301e\u0301\u0301 \ta"]),
    }
    return [entry("normalizer " + name, definition(alphabet, normalizer=n), texts) for name, (n, texts) in cases.items()]


def pre_tokenizer_entries():
    def model(texts):
        # Every adjacent pair merges, so that the ids show where pieces end.
        text = "".join(texts)
        pairs = sorted({a + " " + b for t in texts for a, b in zip(t, t[1:]) if " " not in (a, b)})
        return bpe(["<unk>"] + characters(text + U) + [p.replace(" ", "") for p in pairs], pairs, unk_token="<unk>")

    split = lambda pattern, behavior, invert: {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
    behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
    cases = {f"split {b} {i}": (split({"String": "-"}, b, i), ["ab-cd--ef-", "-", "--ab"]) for b in behaviors for i in (False, True)}
    cases.update({f"split empty {b}": (split({"Regex": "x*"}, b, False), ["abxxcd"]) for b in behaviors})
    cases.update({
        "digits": ({"type": "Digits", "individual_digits": False}, ["ab12cd²½٣e"]),
        "digits individual": ({"type": "Digits", "individual_digits": True}, ["ab12cd²½٣e"]),
        "punctuation": ({"type": "Punctuation", "behavior": "Isolated"}, ["ab,cd$$e-f。"]),
        "punctuation removed": ({"type": "Punctuation", "behavior": "Removed"}, ["ab,cd$$e-f"]),
        "whitespace": ({"type": "Whitespace"}, ["ab cd-- e_f\u200dg²"]),
        "whitespace split": ({"type": "WhitespaceSplit"}, [" ab  cd-e"]),
        "bert": ({"type": "BertPreTokenizer"}, [" ab,cd  e-f"]),
        "delimiter": ({"type": "CharDelimiterSplit", "delimiter": "-"}, ["ab-cd--ef"]),
        "fixed length": ({"type": "FixedLength", "length": 3}, ["abcdefgh日本abc"]),
        "scripts": ({"type": "UnicodeScripts"}, ["日本アーあab cd 日本", " ab", "ab。日", "  ", "1a日"]),
        "metaspace always": ({**METASPACE}, ["ab cd", " ab", U + "ab", "ab  "]),
        "metaspace first": ({**METASPACE, "prepend_scheme": "first"}, ["ab cd", " ab"]),
        "metaspace never": ({**METASPACE, "prepend_scheme": "never"}, ["ab cd", " ab"]),
        "metaspace no split": ({**METASPACE, "split": False}, ["ab cd"]),
    })
    result = [entry("pre_tokenizer " + name, definition(model(texts), pre_tokenizer=p), texts) for name, (p, texts) in cases.items()]
    digits = {"type": "Digits", "individual_digits": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    glyphs = bpe(characters("Ġab12!cĉ'Ċ") + ["Ġa", "Ġ1", "bc"], ["Ġ a", "Ġ 1", "b c"])
    for name, steps in {"prefix after digits": [digits, byte_level], "then split": [byte_level, split({"String": "Ġ"}, "Isolated", False)]}.items():
        result.append(entry("byte level " + name, definition(glyphs, pre_tokenizer={"type": "Sequence", "pretokenizers": steps},
                                                             decoder=BYTE_LEVEL), ["a12bc", " a 1!", "abc\n\t1"]))
    return result


def decoder_entries():
    tokens = ["a", "##b", "!", "▁c", "<pad>", "|", "d</w>", "<0xE2>", "<0x80>", "<0x41>", " n't", "do", " not", "▁▁", "Ġe", "é", "."]
    lists = [[0, 1, 2, 3], [4, 0, 0, 4, 0, 5, 5, 1], [6, 6, 0], [9, 7, 8, 0], [7, 8], [11, 12, 10, 16], [13, 3, 3], [14, 15, 14],
             [3, 13], [99, 0], [], [7, 7, 9], [0, 0, 2, 2], [13, 13, 0]]
    replace = {"type": "Replace", "pattern": {"String": U}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    decoders = {
        "none": None, "byte level": BYTE_LEVEL, "fuse": {"type": "Fuse"}, "metaspace": METASPACE_DECODER,
        "metaspace never": {**METASPACE_DECODER, "prepend_scheme": "never"},
        "word piece": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "word piece plain": {"type": "WordPiece", "prefix": "##", "cleanup": False},
        "bpe": {"type": "BPEDecoder", "suffix": "</w>"},
        "ctc": {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True},
        "ctc plain": {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": False},
        "llama": {"type": "Sequence", "decoders": [replace, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]},
        "strip each": {"type": "Sequence", "decoders": [replace, strip]},
        "replace fused": {"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Replace", "pattern": {"Regex": "[a▁]+"}, "content": "x"}]},
    }
    return [entry("decoder " + name, definition(bpe(tokens), decoder=d), [], lists) for name, d in decoders.items()]


def model_entries():
    unigram = {"type": "Unigram", "unk_id": 0, "byte_fallback": False, "vocab": UNIGRAM}
    eos = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
           "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
           "special_tokens": {"</s>": {"id": "</s>", "ids": [1, 1], "tokens": ["</s>", "</s>"]}}}
    t5 = dict(pre_tokenizer=METASPACE, decoder=METASPACE_DECODER, post_processor=eos, added_tokens=[added("</s>", 1, special=True)])
    fallback = {**unigram, "byte_fallback": True, "vocab": UNIGRAM[:-1] + BYTES}
    affixes = dict(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>")
    affix_model = bpe(["<unk>", "a", "b", "##a", "##b", "##b</w>", "##a</w>", "a</w>", "ab", "ab</w>", "aba</w>"],
                      ["a ##b", "a ##b</w>", "ab ##a</w>"], **affixes)
    fuse = bpe(["a", "b", "ab", "<unk>", "<0xC3>", "<0xA9>"], ["a b"])
    unknown = ["a?b", "a??b", "aéb", "é?é", "?é?a", "ab?"]
    result = [
        entry("unigram", definition(unigram, **t5), TEXTS, [[3, 4, 1, 0]], TEXTS[:3]),
        entry("unigram bytes", definition(fallback, **t5), TEXTS),
        entry("bert", bert(), BERT_TEXTS, [[7, 8, 9, 13, 14]], BERT_TEXTS[:3]),
        entry("bert cased", bert(lowercase=False, handle_chinese_chars=False), BERT_TEXTS),
        entry("bert accents kept", bert(strip_accents=False), BERT_TEXTS),
        entry("bert not cleaned", bert(clean_text=False), BERT_TEXTS),
        entry("affixes", definition(affix_model, pre_tokenizer={"type": "WhitespaceSplit"}, decoder={"type": "BPEDecoder", "suffix": "</w>"}),
              ["ab", "aba a", "abab b x", "a"]),
        entry("roberta", definition(bpe(["<s>", "</s>", "a", "b", "Ġ", "Ġa"], ["Ġ a"]),
                                    pre_tokenizer={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                                    post_processor={"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": True,
                                                    "add_prefix_space": True}, decoder=BYTE_LEVEL), ["a b"], [], ["a b", ""]),
        entry("unknown dropped", definition(fuse), unknown),
        entry("unknown apart", definition({**fuse, "unk_token": "<unk>"}), unknown),
        entry("unknown fused", definition({**fuse, "unk_token": "<unk>", "fuse_unk": True}), unknown),
        entry("byte fallback", definition({**fuse, "unk_token": "<unk>", "byte_fallback": True}), unknown),
        entry("byte fallback fused", definition({**fuse, "unk_token": "<unk>", "byte_fallback": True, "fuse_unk": True}), unknown),
        entry("later merge wins", definition(bpe(["a", "b", "c", "ab", "bc"], ["a b", "b c", "a b"])), ["abc"]),
        entry("ignore merges", definition(bpe(["a", "b", "ab", "aba"], ["a b"], ignore_merges=True)), ["aba", "abab"]),
        entry("gaps", definition({**bpe([]), "vocab": {"a": 0, "b": 5}}, added_tokens=[added("<x>", 9), added("b", 5), added("<y>", 10)], decoder={"type": "Fuse"}),
              ["a<x>b<y>"]),
    ]
    flags = [added("ab", 6), added("abc", 7), added("bcd", 8), added("<L>", 9, lstrip=True), added("<R>", 10, rstrip=True),
             added("dd", 11, single_word=True), added("<N>", 12, normalized=True), added("<S>", 13, special=True),
             added("<LR>", 14, lstrip=True, rstrip=True)]
    texts = ["abcd", "a dd xdd dd", "a  <L> b", "a <R>  b", "x <N> ", "<S> a<S>", "  <LR>  <L>  ", "dd", "ddd", "dd\u0301", "ab<L", "a <L>  <L>"]
    result.append(entry("added tokens", definition(bpe(["a", "b", "c", "d", " ", "x"]), added_tokens=flags, decoder={"type": "Fuse"}), texts))
    prepend = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": U}, {"type": "Replace", "pattern": {"String": " "}, "content": U}]}
    # Hugging Face decodes such tokens to their normalized form; we keep their content.
    result.append(encode_only("normalized added tokens",
                        definition(bpe(characters(U + "Hi</s>thereab")), normalizer=prepend, decoder={"type": "Fuse"},
                                   added_tokens=[added("</s>", 20, normalized=True)]), ["Hi</s> there", "a </s> b", "</s>"]))
    return result


# ---- excerpts of real files ------------------------------------------------------------------

LONG = "the quick brown fox, 12345 naïve 日本語 🧑‍🚀\n"
REAL = {
    "llama3_1": (["1234567", "a  b\n\n  c \t\n", "\u180ex", "////\n//a", " <|eot_id|> ", "\0\x01", "it's I'LL we'Ve", "", LONG],
                 ["Hello world", ""]),
    "qwen3": (["it's I'LL we'Ve", "1234567", "\u180ex", "<think>\n\n</think>\n\n", "<|im_start|>user\nhi<|im_end|>\n",
               "e\u0301", "\u212b", "🧑‍🚀", "", LONG], [""]),
    "gptoss": (["it's I'LL we'Ve", "HTTPServer iPhone's ǅx", "////\n//a", "", LONG], []),
    "deepseek_v3": (["it's I'LL we'Ve", "a  b\n\n  c \t\n", "🩵!", "日本ab、カ", "<｜User｜>hi<｜Assistant｜>", "", LONG], []),
    "llama2": ([" Hello  world", "<s>Hello</s> there", "🫨", "", LONG], [" Hello  world", "🫨", "", "Hi"]),
    "gemma3": (["1234567", "<start_of_turn>user\n", "a  b\r\n\tc", "", LONG], ["a  b\r\n\tc", ""]),
}


def alphabet():
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {**{b: chr(b) for b in printable}, **{b: chr(0x100 + i) for i, b in enumerate(others)}}


def reachable(texts, tokenizer):
    """Every substring of the normalized texts, as the vocabulary spells it."""
    normalizer, byte_level, glyph = tokenizer.normalizer, "ByteLevel" in str(tokenizer.pre_tokenizer), alphabet()
    parts = set()
    for text in texts:
        normal = normalizer.normalize_str(text) if normalizer else text
        spelled = "".join(glyph[b] for b in normal.encode()) if byte_level else normal
        parts.update(spelled[i:j] for i in range(len(spelled)) for j in range(i + 1, min(len(spelled), i + 24) + 1))
        if not byte_level:
            parts.update(f"<0x{b:02X}>" for b in text.encode())
    return parts


def excerpt(path, texts):
    data, tokenizer = json.loads(path.read_text()), Tokenizer.from_file(str(path))
    parts = reachable(texts, tokenizer) | {"<unk>"}
    model = data["model"]
    names = [t for t in data["added_tokens"] if any(t["content"] in text for text in texts) or t["id"] < 3 or "begin_of" in t["content"]]
    vocabulary = {t: i for t, i in model["vocab"].items() if t in parts}
    vocabulary.update({t["content"]: t["id"] for t in names})
    merges = [m if isinstance(m, list) else m.split(" ") for m in model["merges"]]
    model["merges"] = [" ".join(m) for m in merges if m[0] in vocabulary and m[1] in vocabulary and "".join(m) in vocabulary]
    model["vocab"] = vocabulary
    data["added_tokens"] = names
    return data, tokenizer


def real_entries(folder):
    for name, (texts, special_texts) in REAL.items():
        path = next(folder.glob(f"{name}/**/tokenizer.json"))
        data, full = excerpt(path, texts + special_texts)
        result = entry("excerpt of " + name, data, texts, [], special_texts)
        for case in result["encode"]:
            wanted = full.encode(case["text"], add_special_tokens=case["specials"]).ids
            assert case["ids"] == wanted, (name, case, wanted)
        yield result


def main():
    entries = model_entries() + normalizer_entries() + pre_tokenizer_entries() + decoder_entries()
    entries += real_entries(pathlib.Path(sys.argv[1]))
    text = "[\n" + ",\n".join(json.dumps(e, ensure_ascii=False, separators=(",", ":")) for e in entries) + "\n]\n"
    OUT.write_text(text)
    print(f"{len(entries)} tokenizers, {sum(len(e['encode']) + len(e['decode']) for e in entries)} cases, {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
