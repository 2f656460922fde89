"""Writes tests/golden/data/*.parquet with pyarrow, and what is in them as rows.jsonl.

python tools/make_parquet_golden.py  (needs pyarrow)
"""

import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden" / "data"


def rows():
    for i in range(60):
        row = {
            "id": i * 10**10,
            "score": None if i % 4 == 0 else i / 8,
            "flag": i % 3 == 0,
            "small": i - 30,
            "prompt": f"Frage {i % 7}: wie heißt das? " * (1 + i % 3),
            "source": None if i % 5 == 0 else ["a", "b"][i % 2],
            "tags": None if i % 6 == 0 else [f"t{k}" for k in range(i % 4)],
            "messages": [
                {"role": role, "content": None if (i + k) % 9 == 0 else f"{role} {i}.{k} 🙂"}
                for k, role in enumerate(["user", "assistant"] * (i % 3))
            ],
            "nested": [[{"n": j, "words": ["x"] * j} for j in range(k)] for k in range(i % 3)],
            "meta": None if i % 8 == 0 else {"lang": "de", "more": {"deep": i}},
        }
        yield row


SCHEMA = pa.schema([
    ("id", pa.int64()), ("score", pa.float64()), ("flag", pa.bool_()), ("small", pa.int32()),
    ("prompt", pa.string()), ("source", pa.string()), ("tags", pa.list_(pa.string())),
    ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
    ("nested", pa.list_(pa.list_(pa.struct([("n", pa.int64()), ("words", pa.list_(pa.string()))])))),
    ("meta", pa.struct([("lang", pa.string()), ("more", pa.struct([("deep", pa.int64())]))])),
])

KINDS = {
    "plain": dict(compression="none", use_dictionary=False),
    "snappy": dict(compression="snappy", row_group_size=17, data_page_size=200),
    "gzip": dict(compression="gzip"),
    "zstd_v2": dict(compression="zstd", data_page_version="2.0", data_page_size=300),
    "snappy_v2_plain": dict(compression="snappy", data_page_version="2.0", use_dictionary=False),
}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(list(rows()), schema=SCHEMA)
    for name, options in KINDS.items():
        pq.write_table(table, OUT / f"{name}.parquet", store_schema=False, write_statistics=False, **options)
    pq.write_table(table.select(["prompt"]), OUT / "brotli.parquet", compression="brotli", store_schema=False)
    with (OUT / "rows.jsonl").open("w") as file:
        for row in table.to_pylist():
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print({path.name: path.stat().st_size for path in sorted(OUT.iterdir())})


if __name__ == "__main__":
    main()
