#!/usr/bin/env python3
"""Makes the demo's rows: short programming questions, answered by the demo's teacher through `aurum generate`.

  make models build && tools/make_demo_rows.py

Writes configs/demo-data/train.jsonl and heldout.jsonl. The held-out rows are a random tenth: their prompts are new to the
student, though it meets most of their tasks in another form.
Answers that did not end within the length limit are left out. Greedy, so the same teacher gives the same rows. The rows again without
chat markup, for students that have no chat template, are plain-train.jsonl and plain-heldout.jsonl (the first PLAIN_ROWS of each).
"""
import json
import pathlib
import random
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEACHER = "models/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
MAX_NEW_TOKENS = 160
HELDOUT_ROWS = 24
PLAIN_ROWS = 64

FORMS = [
    "Write a short Python function to {}.",
    "Explain in two sentences how to {} in Python.",
    "Give one line of Python to {} and say why it works.",
    "How do I {} in JavaScript? Answer briefly with code.",
]
TASKS = [
    "check whether a number is prime", "flatten a nested list", "count the vowels in a sentence", "merge two dictionaries",
    "reverse the words of a sentence", "find the median of a list", "convert a string to title case", "round a number to two decimals",
    "reverse a string", "find the largest number in a list", "find the second largest number", "remove duplicates from a list while keeping order",
    "count how often each word occurs in a text", "check whether a word is a palindrome", "sum the digits of an integer", "rotate a list by k places",
    "compute the factorial of n", "compute the nth Fibonacci number", "transpose a matrix", "find the intersection of two lists",
    "read a file line by line", "parse a date like 2024-05-17", "convert Celsius to Fahrenheit", "compute the greatest common divisor",
    "merge two sorted lists", "check whether brackets are balanced", "find the missing number in 1..n", "check whether two words are anagrams",
    "capitalize the first letter of each word", "sort a list of pairs by the second item", "remove all spaces from a string", "count the lines of a text",
    "find the longest word in a sentence", "swap two variables", "get the last three items of a list", "test whether a key is in a dictionary",
    "join a list of words with commas", "split a string at every comma", "generate a random integer from 1 to 6", "compute the average of a list of numbers",
    "find the index of an item in a list", "remove an item from a list by value", "copy a list", "check whether a string holds only digits",
    "convert a string to an integer safely", "format a number with two decimals", "get today's date", "measure how long a function takes",
    "raise an error for a negative argument", "catch an exception and print its message", "write text to a file", "append a line to a file",
    "parse a JSON string", "turn a dictionary into JSON", "sort the keys of a dictionary by value", "invert a dictionary",
    "group words by their first letter", "find the most common item of a list", "filter the even numbers of a list", "square every number of a list",
    "check whether all items of a list are positive", "make a list of the first ten squares", "compute the power of a number without the operator",
    "convert a decimal number to binary", "convert a binary string to a number", "count the bits that are set in an integer", "check whether a year is a leap year",
    "find the smallest of three numbers", "repeat a string n times", "replace every space in a string with a dash", "test whether a string starts with a prefix",
    "remove the last character of a string", "find all positions of a letter in a word", "zip two lists into a dictionary", "concatenate two lists",
    "check whether a list is sorted", "do a binary search in a sorted list", "shuffle a list", "pick a random item of a list", "compute the dot product of two vectors",
    "chunk a list into parts of size n", "find the difference between two sets", "remove empty strings from a list", "count how many times a letter occurs in a word",
    "get the file extension of a path", "check whether a file exists", "list the files of a folder", "clamp a number between two bounds",
]


def questions(tasks):
    return [form.format(task) for task in tasks for form in FORMS]


def answer(prompts):
    requests = "".join(
        json.dumps({"messages": [{"role": "user", "content": p}], "temperature": 0, "max_new_tokens": MAX_NEW_TOKENS}) + "\n" for p in prompts)
    run = subprocess.run(["build/aurum", "generate", "--model", TEACHER], input=requests, text=True, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return [json.loads(line) for line in run.stdout.splitlines()]


def plain(row):
    question, reply = (message["content"] for message in row["messages"])
    return {"prompt": f"Question: {question}\nAnswer: ", "completion": reply}


def write_file(name, rows):
    path = ROOT / "configs" / "demo-data" / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def answered_rows():
    prompts = questions(TASKS)
    rows = [{"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": result["text"].strip()}]}
            for prompt, result in zip(prompts, answer(prompts), strict=True) if result["finish_reason"] == "eos"]
    print(f"{len(rows)} of {len(prompts)} answers ended in time")
    return rows


def write_split(rows):
    random.Random(0).shuffle(rows)
    for name, part in (("heldout", rows[:HELDOUT_ROWS]), ("train", rows[HELDOUT_ROWS:])):
        write_file(f"{name}.jsonl", part)
        write_file(f"plain-{name}.jsonl", [plain(row) for row in part[:PLAIN_ROWS]])


if __name__ == "__main__":
    write_split(answered_rows())
