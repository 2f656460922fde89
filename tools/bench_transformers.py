"""bench_transformers.py FOLDER [score|train]: transformers' seconds for what benchmarks/model/transformer_benchmark.cpp measures.
Median of seven runs, bfloat16, 2 threads, SDPA attention, head aside. Development only.
"""
import statistics
import sys
import time

import torch
from transformers import AutoModel

torch.set_num_threads(2)
trains = sys.argv[2:] == ["train"]
model = AutoModel.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
model.train(trains)
ids = torch.tensor([[(row * 977 + t * 31) % 20000 + 10 for t in range(200)] for row in range(8)])
seconds = []
for _ in range(8):
    start = time.perf_counter()
    with torch.set_grad_enabled(trains):
        hidden = model(ids, use_cache=False).last_hidden_state
        if trains:
            hidden.backward(torch.ones_like(hidden))
            model.zero_grad(set_to_none=True)
    seconds.append(time.perf_counter() - start)
print(f"transformers {'train' if trains else 'score'}: {statistics.median(seconds[1:]):.3f} s")
