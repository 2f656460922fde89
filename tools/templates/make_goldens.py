"""Writes the golden files of the template tests.

    python tools/templates/make_goldens.py TEMPLATES tests/golden/templates

TEMPLATES is a folder with the .jinja files that FAMILIES names; README.md beside the golden files
says where each comes from. The rendered texts are stored as FNV-1a hashes, to keep the files small.
"""

import json
import os
import shutil
import sys

from conversations import CONVERSATIONS, NOW, OPTIONS, SPECIAL_TOKENS, requests
from expressions import SOURCES, VARIABLES
from oracle import render

# Name of the golden file: name in TEMPLATES.
FAMILIES = {
    "cohere2": "trl-cohere2", "deepseek_v3": "trl-deepseekv3", "deepseek_v3_1": "llamacpp-deepseek-ai-DeepSeek-V3.1",
    "gemma2": "llamacpp-google-gemma-2-2b-it", "gemma3": "trl-gemma3", "gpt_oss_training": "trl-gptoss_training",
    "lfm2_5": "trl-lfm2_2_5_v2", "llama2": "hand-llama2", "llama3_1": "trl-llama3_1", "llama3_2": "trl-llama3_2",
    "mistral_small_3_2": "llamacpp-Mistral-Small-3.2-24B-Instruct-2506", "phi3_5": "llamacpp-microsoft-Phi-3.5-mini-instruct",
    "qwen2_5": "trl-qwen2_5", "qwen3_coder": "llamacpp-Qwen3-Coder", "qwen3_5": "trl-qwen3_5_think",
    "qwen3_training": "trl-qwen3_training", "smollm3": "llamacpp-HuggingFaceTB-SmolLM3-3B",
}


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return "%010x" % (value >> 24)


def digest(answer):
    """The hash of the text and the byte spans; "refused" for an error."""
    if "error" in answer:
        return "refused"
    spans = "".join("[%d,%d]" % tuple(span) for span in answer["generation_spans"])
    return fnv1a(answer["text"] + "\0" + spans)


def write(path, value):
    with open(path, "w") as file:
        json.dump(value, file, ensure_ascii=False, indent=0)
        file.write("\n")


def main():
    templates, output = sys.argv[1:]
    digests = {}
    for family, source in FAMILIES.items():
        path = os.path.join(output, family + ".jinja")
        shutil.copy(os.path.join(templates, source + ".jinja"), path)
        with open(path, newline="") as file:
            template = file.read()
        digests[family] = {}
        for name, request in requests():
            conversation, option = name.split("/")
            digests[family].setdefault(conversation, {})[option] = digest(render(template, request))
    write(os.path.join(output, "requests.json"),
          {"conversations": CONVERSATIONS, "options": OPTIONS, "special": SPECIAL_TOKENS, "now": NOW})
    with open(os.path.join(output, "digests.json"), "w") as file:
        json.dump(digests, file, separators=(",", ":"))
        file.write("\n")
    common = {"messages": [{"role": "user", "content": "hi"}], "now": NOW, "variables": VARIABLES}
    results = [[source, render(source, common).get("text")] for source in SOURCES]
    write(os.path.join(output, "expressions.json"), {"variables": VARIABLES, "now": NOW, "results": results})


if __name__ == "__main__":
    main()
