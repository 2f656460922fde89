"""bench_transformers.py FOLDER score|train|decode: transformers' seconds for what
benchmarks/model/transformer_benchmark.cpp and benchmarks/rollout/decode_benchmark.cpp measure.
Median of the runs, bfloat16, 2 threads, SDPA attention. Development only.
"""
import statistics
import sys
import time

import torch
from transformers import AutoModel, AutoModelForCausalLM


def token_ids(rows, tokens):
    return torch.tensor([[(row * 977 + t * 31) % 20000 + 10 for t in range(tokens)] for row in range(rows)])


def median_seconds(body, runs):
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        body()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])  # the first one warms up


def run_pass(folder, trains):
    """8 rows of 200 tokens, head aside."""
    model = AutoModel.from_pretrained(folder, dtype=torch.bfloat16)
    model.train(trains)
    ids = token_ids(8, 200)

    def body():
        with torch.set_grad_enabled(trains):
            hidden = model(ids, use_cache=False).last_hidden_state
            if trains:
                hidden.backward(torch.ones_like(hidden))
                model.zero_grad(set_to_none=True)

    print(f"transformers {'train' if trains else 'score'}: {median_seconds(body, 7):.3f} s")


def run_decode(folder):
    """Prompts of 64 tokens, 64 new tokens each, greedy."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    for rows in (1, 8, 32):
        ids = token_ids(rows, 64)
        options = dict(attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=64, min_new_tokens=64)
        seconds = median_seconds(lambda: model.generate(ids, **options), 5)
        print(f"transformers decode {rows} rows: {seconds:.3f} s, {rows * 64 / seconds:.0f} tokens/s", flush=True)


def main():
    torch.set_num_threads(2)
    what = sys.argv[2] if len(sys.argv) > 2 else "score"
    if what == "decode":
        run_decode(sys.argv[1])
    else:
        run_pass(sys.argv[1], what == "train")


if __name__ == "__main__":
    main()
