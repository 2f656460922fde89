"""Compares aurum with Jinja2 on random templates.

    python tools/templates/fuzz.py RUNNER COUNT [SEED]

RUNNER is build/bin/template_runner. Prints the differences and, last, one line of counts. What
cannot be equal by nature is skipped: addresses in printed functions, limits that only aurum has, and
slices of numbers, which Jinja2 refuses for variables but not for constants.
"""

import json
import random
import re
import subprocess
import sys

from expressions import VARIABLES
from oracle import render

NAMES = list(VARIABLES) + ["missing", "messages", "x", "y"]
STRINGS = ["''", "'a'", "'b,c'", "' d e\\n'", "'É<x>'", "'%s'", "'12'", "'-3.5'", "'{}'", "'Aa aA'", "\"it's\"", "'🙂z'", "'k'", "'name'", "'age'"]
NUMBERS = ["0", "1", "2", "-1", "3", "7", "10", "0.5", "2.0", "1e20", "1e-7", "100", "-2.5"]
FILTERS = ["upper", "lower", "title", "capitalize", "trim", "trim('a')", "length", "string", "int", "float", "abs", "round", "round(1)", "round(1, 'ceil')", "first", "last",
           "list", "join", "join(',')", "join('-', attribute='name')", "sort", "sort(reverse=true)", "sort(attribute='name')", "unique|list", "reverse|list", "sum", "min", "max", "tojson", "tojson(indent=2)",
           "escape", "e", "safe", "default('d')", "default('d', true)", "replace('a', 'b')", "replace('', '-')", "dictsort", "items|list", "map('upper')|list", "map(attribute='name')|list",
           "map(attribute='age', default=0)|list", "select|list", "reject|list", "select('string')|list", "selectattr('name')|list", "rejectattr('age', 'eq', 3)|list", "batch(2)|list", "batch(2, 'f')|list",
           "slice(2)|list", "slice(2, 0)|list", "indent", "indent(2, true)", "wordcount", "truncate(5)", "truncate(5, true, '')", "center(9)", "format(1)", "format('q', 2)", "groupby('age')", "groupby('name')|list",
           "attr('name')", "forceescape", "count", "d(1)", "map('length')|list", "map('int')|list", "reverse", "tojson(separators=(',', ':'))", "tojson(sort_keys=true)", "tojson(ensure_ascii=true)", "int(5)", "float(0.5)",
           "map('default', 'q')|list", "sum(start=1)", "max(attribute='age')", "unique(attribute='age')|list", "selectattr('name', 'in', 'bob')|map(attribute='name')|join"]
TESTS = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true", "false", "odd", "even", "lower", "upper", "callable", "escaped",
         "divisibleby 2", "divisibleby(3)", "eq 1", "ne('a')", "lt 2", "gt 0", "ge 1", "le(1.0)", "in [1, 'a']", "in 'abc'", "sameas none", "sameas(true)", "equalto 'a'", "==1", "filter", "test"]
METHODS = ["upper()", "lower()", "title()", "capitalize()", "strip()", "lstrip()", "rstrip('n')", "split()", "split(',')", "split('a', 1)", "rsplit(' ', 1)", "splitlines()", "startswith('a')", "endswith(('a', 'c'))",
           "replace('a', 'xx')", "replace('a', 'xx', 1)", "find('a')", "rfind('a')", "index('b')", "count('a')", "join(words)", "join(['x', 'y'])", "zfill(5)", "center(7, '*')", "ljust(4)", "rjust(4, '.')", "partition(',')",
           "rpartition('a')", "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "istitle()", "swapcase()", "casefold()", "format(1, 'a')", "format(a=1)", "items()", "keys()|list", "values()|list", "get('k')",
           "get('k', 1)", "expandtabs()", "removeprefix('a')", "removesuffix('a')", "isnumeric()", "isdecimal()", "isascii()", "isprintable()", "append(1)", "update({})", "copy()", "find('a', 1, 5)", "count('a', 1)"]
FORMATS = ["%s", "%5s", "%-5s|", "%.2s", "%d", "%05d", "%+d", "% d", "%x", "%#x", "%X", "%o", "%e", "%.3e", "%f", "%.0f", "%08.3f", "%g", "%.3g", "%#g", "%G", "%r", "%c", "%%", "%i", "%5.1f%%", "%-8d|", "%(k)s", "%(z)r", "%*d", "%.5d", "%a"]
SPECS = ["", "5", "<5", ">5", "^5", "*^7", "05", "+", " ", "+.1f", ".2", ".3f", "e", "g", ".3g", "d", "x", "#x", "b", "o", ",", "_", ",.2f", "%", ".1%", "s", ".2s", "=+6", "08.2f", "010,", "X", "n", ">{}", "#b", "E", "G", ".0f", "#.0f", "<08", "x<08", "012,.1f"]


TEXT_METHODS = ["upper()", "lower()", "title()", "capitalize()", "strip()", "lstrip()", "rstrip('n')", "replace('a', 'xx')", "replace('', '-', 2)", "join(words)", "zfill(7)", "center(8, '*')", "ljust(4)", "rjust(9, '.')",
                "swapcase()", "casefold()", "expandtabs(3)", "removeprefix('a')", "removesuffix('a')", "split(',')[0]", "rsplit(' ', 1)[-1]", "partition('a')[2]", "splitlines()[0]", "split()|join('+')", "strip('<a ')"]
TEXT_FILTERS = ["upper", "lower", "title", "capitalize", "trim", "trim('a')", "escape", "e|e", "safe", "replace('a', 'b')", "replace('b', '<', 1)", "indent", "indent(2, true)", "indent('> ', blank=true)", "truncate(5)", "truncate(6, true, '…')",
                "center(9)", "string", "reverse", "list|join('.')", "forceescape", "default('q')", "tojson", "map('upper')|join", "first|default('x')", "last|default('y')", "format", "sort|join", "unique|join"]
LIST_FILTERS = ["list", "reverse|list", "first|list", "map('string')|list", "map('length')|list", "map(attribute='name')|list", "select|list", "reject|list", "select('string')|list", "reject('number')|list", "select('defined')|list",
                "batch(2)|list", "batch(3, 0)|list", "slice(2)|list", "slice(3, 'f')|list", "map('string')|sort", "map('string')|sort(reverse=true, case_sensitive=true)", "map('string')|unique|list", "map('tojson')|list", "selectattr('age')|list",
                "rejectattr('age', 'defined')|list", "selectattr('age', 'gt', 1)|list", "map('default', 'q')|list", "map('upper')|list", "list + [1]", "map('string')|groupby('missing', default=1)", "map('string')|map('replace', 'a', '<')|list", "list|string|list"]


class Grammar:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, choices):
        return self.random.choice(choices)

    def atom(self, depth):
        kind = self.random.randrange(10)
        if kind < 3:
            return self.pick(NAMES)
        if kind < 5:
            return self.pick(STRINGS)
        if kind < 7:
            return self.pick(NUMBERS)
        if kind == 7:
            return self.pick(["true", "false", "none", "[]", "{}", "()", "range(3)", "range(5, 0, -2)", "dict(a=1)", "namespace(a=1)"])
        if depth <= 0:
            return self.pick(NAMES)
        items = ", ".join(self.expression(depth - 1) for _ in range(self.random.randrange(1, 4)))
        return self.pick(["[%s]", "(%s,)", "(%s)"]) % items if kind == 8 else "{%s: %s}" % (self.pick(STRINGS + NUMBERS), self.expression(depth - 1))

    def postfix(self, depth):
        base = self.atom(depth)
        if base[0] in "-0123456789":
            base = "(%s)" % base
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            base += self.pick([".name", ".k", "[0]", "[-1]", "[1:]", "[::-1]", "[:2]", "['k']", ".items", "[%s]" % self.pick(NUMBERS + STRINGS), "[-3:-1]", "[::2]", "[5:1:-2]"] + ["." + self.pick(METHODS)] * 5) \
                if True else ""
            if "|" in base.split(".")[-1]:
                break
        return base

    def expression(self, depth=2):
        if depth <= 0:
            return self.postfix(0)
        kind = self.random.randrange(12)
        sub = lambda: self.expression(depth - 1)  # noqa: E731
        if kind < 2:
            return "%s %s %s" % (sub(), self.pick(["+", "-", "*", "/", "//", "%", "~", "+", "~", "**"]), sub())
        if kind == 2:
            return "%s %s %s" % (sub(), self.pick(["==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]), sub())
        if kind == 3:
            return self.pick(["not %s", "-%s", "(%s)", "+%s"]) % sub()
        if kind == 4:
            return "%s if %s else %s" % (sub(), sub(), sub()) if self.random.random() < 0.8 else "%s if %s" % (sub(), sub())
        if kind < 8:
            return "%s|%s" % (self.postfix(depth), "|".join(self.pick(FILTERS) for _ in range(self.random.choice([1, 1, 2]))))
        if kind == 8:
            return "%s is %s%s" % (self.postfix(depth), self.pick(["", "not "]), self.pick(TESTS))
        if kind == 9:
            values = self.pick([self.atom(0), "(%s, %s)" % (self.atom(0), self.atom(0)), "nested"])
            return "'%s' %% %s" % ("".join(self.pick(FORMATS) for _ in range(self.random.choice([1, 1, 2]))), values)
        if kind == 10:
            return "'{%s:%s}'.format(%s, %s)" % (self.pick(["", "0", "1", "!r", "a", "0.k", "0[0]"]), self.pick(SPECS), self.atom(0), self.pick([self.atom(0), "a=" + self.atom(0)]))
        return self.postfix(depth)

    def text_of(self, depth):
        """An expression whose value is a string."""
        if depth <= 0:
            return self.pick(STRINGS + ["s", "html", "s", "words[0]", "users[0].name"])
        part = self.text_of(depth - 1)
        kind = self.random.randrange(10)
        if kind < 4:
            return "(%s).%s" % (part, self.pick(TEXT_METHODS))
        if kind < 7:
            return "(%s|%s)" % (part, self.pick(TEXT_FILTERS))
        if kind == 7:
            return "%s %s %s" % (part, self.pick(["+", "~"]), self.text_of(depth - 1))
        if kind == 8:
            return "(%s)[%s:%s:%s]" % (part, self.pick(["", "1", "-2"]), self.pick(["", "3", "-1"]), self.pick(["", "2", "-1"]))
        return "%s|join(%s)" % (self.list_of(depth - 1), self.pick(STRINGS))

    def number_of(self, depth):
        if depth <= 0:
            return self.pick(NUMBERS + ["n", "f", "true", "users[0].age"])
        kind = self.random.randrange(8)
        left, right = self.number_of(depth - 1), self.number_of(depth - 1)
        if kind < 5:
            return "(%s) %s (%s)" % (left, self.pick(["+", "-", "*", "/", "//", "%", "**"]), right)
        if kind == 5:
            return "(%s)|%s" % (left, self.pick(["int", "float", "abs", "round", "round(1)", "round(2, 'floor')", "round(-1)", "round(1, 'ceil')"]))
        if kind == 6:
            return "(%s)|length" % self.pick([self.text_of, self.list_of])(depth - 1)
        return "(%s).%s" % (self.text_of(depth - 1), self.pick(["find('a')", "count('a')", "rfind('A', 1)"]))

    def list_of(self, depth):
        if depth <= 0:
            return self.pick(["words", "numbers", "users", "[]", "[1, 'a', none]", "range(4)", "nested.items()", "'abc'", "nested", "[[1, 2], ['a']]", "(3, 1)", "['b', 'B', 'a']"])
        if self.random.random() < 0.3:
            return "[%s, %s]" % (self.value_of(depth - 1), self.value_of(depth - 1))
        return "(%s|%s)" % (self.list_of(depth - 1), self.pick(LIST_FILTERS))

    def value_of(self, depth):
        return self.pick([self.text_of, self.text_of, self.number_of, self.list_of])(depth)

    def typed(self, depth):
        """An expression that mostly makes sense."""
        kind = self.random.randrange(12)
        value = self.value_of(depth)
        if kind < 5:
            return value
        if kind == 5:
            return "%s|%s" % ("(%s)" % value, self.pick(["tojson", "tojson(indent=2)", "string", "default('d', true)", "list", "length", "tojson(separators=(',', ': '))"]))
        if kind == 6:
            return "(%s) is %s%s" % (value, self.pick(["", "not "]), self.pick(TESTS))
        if kind == 7:
            return "(%s) %s (%s)" % (value, self.pick(["==", "!=", "and", "or", "in", "not in"]), self.list_of(1))
        if kind == 8:
            return "(%s) %s (%s)" % (self.number_of(depth - 1), self.pick(["<", "<=", ">", ">="]), self.number_of(depth - 1))
        if kind == 9:
            form = self.pick(FORMATS[:-1])
            given = self.text_of(0) if form[-1] in "sr|" and "d" not in form else "nested" if "(" in form else "(%s, 4)" % self.pick(["3", "5"]) if "*" in form else "(%s)" % self.number_of(1)
            return "'<%s>' %% (%s)" % (form, given)
        if kind == 10:
            return "'{:%s}'.format(%s)" % (self.pick(SPECS), self.pick([self.number_of, self.text_of])(1))
        return "%s if %s else %s" % (value, self.value_of(0), self.value_of(0))

    def body(self, depth):
        return "".join(self.statement(depth) for _ in range(self.random.randrange(1, 4)))

    def tag(self, text):
        marks = ["", "", "", "-", "+"]
        return "{%" + self.pick(marks) + " " + text + " " + self.pick(marks) + "%}"

    def text(self):
        return self.pick(["a", "\n", "  ", " b \n", "\n\n", "\t", "x{# c #}\n", "", "{#- d -#}", "  {{- 'q' -}}  "])

    def statement(self, depth):
        kind = self.random.randrange(14)
        if kind < 3 or depth <= 0:
            return self.text() + "{{ %s }}" % (self.typed(1) if self.random.random() < 0.8 else self.expression(1))
        tag, e, body = self.tag, self.expression, lambda: self.body(depth - 1)
        name = self.pick(["x", "y", "n", "words"])
        if kind < 5:
            return tag("if " + e(1)) + body() + (tag("elif " + e(1)) + body() if self.random.random() < 0.3 else "") + (tag("else") + body() if self.random.random() < 0.5 else "") + tag("endif")
        if kind < 8:
            loop = self.pick(["", "{{ loop.index }}", "{{ loop.last }}", "{{ loop.previtem }}", "{{ loop.nextitem }}", "{{ loop.length }}", "{{ loop.revindex0 }}", "{{ loop.cycle(1, 2) }}", "{{ loop.changed(x) }}"])
            jump = self.pick(["", "", "", tag("if " + e(0)) + tag(self.pick(["break", "continue"])) + tag("endif")])
            target = self.pick(["x", "x", "x", "x, y"])
            return tag("for %s in %s%s" % (target, self.pick(["words", "numbers", "nested.items()", "users", "[1, 2]", "'ab'", "range(4)", e(0), "users|map(attribute='age')"]), self.pick(["", "", " if x", " if " + e(0)]))) \
                + loop + jump + body() + (tag("else") + body() if self.random.random() < 0.2 else "") + tag("endfor")
        if kind == 8:
            return tag("set %s = %s" % (name, e(1)))
        if kind == 9:
            return tag("set %s%s" % (name, self.pick(["", " | upper", " | trim | length"]))) + body() + tag("endset")
        if kind == 10:
            return tag("filter " + self.pick(["upper", "trim", "replace('a', 'b')|title", "length", "indent"])) + body() + tag("endfilter")
        if kind == 11:
            return tag("with x = %s, y = x" % e(0)) + body() + tag("endwith")
        if kind == 12:
            use = self.pick(["{{ m(%s) }}" % e(0), "{{ m(y=%s, x=1) }}" % e(0), "{{ m() }}", tag("call m(1)") + body() + tag("endcall")])
            return tag("macro m(x, y=%s)" % e(0)) + body() + self.pick(["", "{{ caller() }}", "{{ varargs }}{{ kwargs }}"]) + tag("endmacro") + use
        return self.pick([tag("raw") + " {{ x " + tag("endraw"), tag("generation") + body() + tag("endgeneration"), "{% set ns = namespace(a=1) %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}"])

    def template(self):
        kind = self.random.random()
        if kind < 0.2:
            return "{{ %s }}" % self.expression(3)
        if kind < 0.65:
            return "|".join("{{ %s }}" % self.typed(self.random.randrange(1, 4)) for _ in range(self.random.randrange(1, 3)))
        return self.body(3)


def is_skipped(expected, actual):
    text = expected.get("text", "")
    addresses = re.search("object [ab]t 0x", text, re.IGNORECASE)  # a filter may replace letters
    limits = ("127 bits", "cannot be sliced", "too much memory", "runs too long", "precision too big", "too many digits", "not supported")
    return addresses or "Exceeds the limit" in expected.get("error", "") or any(limit in actual.get("error", "") for limit in limits)


def main():
    runner, count = sys.argv[1], int(sys.argv[2])
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    process = subprocess.Popen([runner], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    request = {"messages": [{"role": "user", "content": "hi"}], "now": "2026-01-31T12:34:56", "variables": VARIABLES}
    counts = {"equal": 0, "both refuse": 0, "skipped": 0, "different": 0}
    for seed in range(first, first + count):
        template = Grammar(seed).template()
        expected = render(template, request)
        process.stdin.write(json.dumps({"template": template, **request}) + "\n")
        process.stdin.flush()
        actual = json.loads(process.stdout.readline())
        if expected == actual:
            counts["equal"] += 1
        elif "error" in expected and "error" in actual:
            counts["both refuse"] += 1
        elif is_skipped(expected, actual):
            counts["skipped"] += 1
        else:
            counts["different"] += 1
            print("DIFFERENT", seed, repr(template))
            print("  expected", json.dumps(expected, ensure_ascii=False)[:400])
            print("  actual  ", json.dumps(actual, ensure_ascii=False)[:400])
    print(counts)


if __name__ == "__main__":
    main()
