"""Small templates whose results, as Jinja2 prints them, are golden files of the tests."""

VARIABLES = {
    "n": 7, "f": 1.0, "s": "Hello wörld", "none_value": None, "yes": True, "html": "<a href='x'>&</a>",
    "words": ["b", "A", "c"], "numbers": [3, 1, 2.5], "nested": {"k": [1, "é", None, True], "z": {"x": 1e-7}},
    "users": [{"name": "bob", "age": 3, "tags": ["x"]}, {"name": "Al", "age": 3}, {"name": "cy", "age": 1}],
    "schema": {"items": {"type": "string"}, "keys": 1},
}

EXPRESSIONS = [
    # Operators and their precedence.
    "2**3**2", "-2**2", "7 // 2", "-7 // 2", "-7 % 3", "7 % -3", "7 / 2", "6 / 2", "1 + 2 * 3", "'a' + 'b' * 3",
    "'a' ~ 1 ~ none ~ 1.0", "1 ~ 2 + 3", "1 < 2 < 3", "1 < 3 < 2", "not 1 == 2", "1 in [1, 2] and not 3 in [1]",
    "'a' not in 'cat'", "true == 1", "1 == 1.0", "none == false", "'x' if missing", "1 if 0 else 2 if 0 else 3",
    "'a' + s | trim + 'c'", "'a' ~ 1 is string", "[1, 2] + [3]", "(1, 2) + (3,)", "[1, 2] < [1, 3]", "1e3", "1_000",
    "0x1f", "0b11", "0o17", "1.5e-7", "1e16", "1e15", "123456789012345678901234567890", "7.0 // 2", "2 ** -1", "2.5 % 2",
    "1 / 0", "'%s and %d' % ('a', 3)", "'%05.2f|%-5s|%+d|%x|%%' % (3.14159, 'ab', 5, 255)", "'%(k)r' % nested",
    "'%s' % missing", "'a' % 1", "missing + 1", "missing.x", "missing", "none.x", "n.x is defined", "1 is eq 1.0",
    # Literals and their printed forms.
    "'a\\n\\t\\x41\\u00e9\\q\\'' 'b'", "[1, 'a', none, true, 1.0, 'it\\'s', '\"', 'é', '\\n\\u200b']", "{'a': 1, 2: 'b', none: (1,)}",
    "()", "(1)", "1, 2", "{}", "[(1, 2), [3]]", "nested", "[missing]", "1e-5", "0.1 + 0.2", "1e22", "-0.0", "100000.0 * 1e12",
    "range(3)", "range(0, 10, 3)|list", "range(3)[1:]", "dict(a=1, **{'b': 2})", "namespace(a=1).a", "namespace(a=1)",
    "{'a': 1}.items()", "{'a': 1}.keys()", "'x'|safe", "['x'|safe]",
    # Attributes, items and slices.
    "nested.k[1]", "nested['k'][-1]", "nested.k.5", "s[1]", "s[-1]", "s[1:4]", "s[::-1]", "s[::2]", "words[5]", "words[-2:]",
    "words[:1]", "s[10:2:-3]", "schema['items']", "schema.keys()|list", "schema.get('q', 5)", "schema.get('q')",
    "words.append('x')", "s.__class__", "nested.k.index('é')", "words.count('b')",
    # Filters.
    "s|upper", "s|lower", "s|title", "s|capitalize", "'ΑΣ Σ'|lower", "'ß'|upper", "none|trim", "'  x\\u00a0'|trim", "'xxaxx'|trim('x')",
    "s|length", "nested|length", "5|length", "words|join(', ')", "users|join('-', attribute='name')", "numbers|sum", "numbers|sum(start=10)",
    "users|sum('age')", "words|sort", "words|sort(reverse=true)", "words|sort(case_sensitive=true)", "users|sort(attribute='age,name')|map(attribute='name')|list",
    "numbers|min", "numbers|max", "[]|max", "words|first", "words|last", "[]|first", "words|reverse|list", "s|reverse",
    "[1, 1, 2, 'a', 'A']|unique|list", "users|groupby('age')", "users|map(attribute='tags', default='none')|list", "words|map('upper')|list",
    "words|map('replace', 'b', 'q')|list", "numbers|select('gt', 2)|list", "numbers|reject('odd')|list", "[0, 1, '']|select|list",
    "users|selectattr('tags')|list|length", "users|selectattr('age', 'equalto', 3)|map(attribute='name')|join", "users|rejectattr('tags', 'defined')|list",
    "nested|dictsort", "{'b': 1, 'A': 2}|dictsort", "{'b': 1, 'A': 2}|dictsort(true)", "{'b': 1, 'A': 2}|dictsort(by='value')",
    "nested|items|list", "nested|tojson", "nested|tojson(indent=2)", "[]|tojson(indent=2)", "(1, [], {})|tojson(indent=1)", "html|tojson", "'<é\\u2028>&\\x7f\\x01\"\\\\'|tojson",
    "'é🙂'|tojson(ensure_ascii=true)", "{'b': 1, 'a': 2}|tojson(sort_keys=true)", "{1: 2, none: 3, true: 4, 1.5: 5}|tojson", "[1.0, 1e-5, 1e16, 10]|tojson",
    "nested|tojson(separators=(',', ':'))", "missing|tojson", "html|escape", "html|e|e", "html|forceescape", "'<' + ('x'|safe)", "('<'|safe) + '<'",
    "'<' ~ ('x'|safe)", "['<', '>'|safe]|join('&')", "('<b>%s</b>'|safe) % '<'", "'a b'|replace(' ', '_')", "'aaa'|replace('a', 'b', 2)", "5|string + 'x'",
    "missing|default('d')", "''|default('d')", "''|d('d', true)", "none|default('d')", "'12'|int", "'0x1f'|int(base=16)", "'x'|int(5)", "'12.9'|int", "1.9|int",
    "'1.5'|float", "'x'|float", "-5|abs", "42.55|round", "42.55|round(1, 'floor')", "2.5|round", "3.5|round", "1234|round(-2)", "2.675|round(2)", "5|round",
    "'a\\nb\\n\\nc'|indent", "'a\\nb'|indent(2, true)", "'a\\n\\nb'|indent('> ', blank=true)", "'foo bar baz qux'|truncate(9)", "'foo bar'|wordcount",
    "[1, 2, 3]|batch(2, 0)|list", "[1, 2, 3]|slice(2)|list", "'%s-%s'|format(1, 2)", "'x'|center(6)", "'x'|center(5)", "[1, 2]|list is iterable", "'abc'|list", "{'a': 1}|list",
    "s|nofilter", "1|attr('x') is undefined",
    # Tests.
    "missing is defined", "none is none", "'x' is string", "nested is mapping", "words is sequence", "missing is sequence", "missing is iterable", "5 is iterable", "true is number",
    "true is integer", "1.0 is float", "1 is integer", "true is boolean", "1 is true", "false is false", "3 is odd", "4 is even", "9 is divisibleby 3", "'a' is in 'abc'",
    "1 is sameas true", "none is sameas none", "'ABC' is upper", "'abc' is lower", "'upper' is filter", "'odd' is test", "namespace is callable", "s is not defined", "1 is gt 0",
    "'x' is escaped", "{}.items() is sequence", "2 is ne 3 and 1",
    # Methods.
    "'a,b,,c'.split(',')", "' a  b '.split()", "'a b c'.split(' ', 1)", "'a b c'.rsplit(' ', 1)", "'a\\nb\\r\\nc'.splitlines()", "'xxhixx'.strip('x')", "' x '.lstrip() ~ '|'",
    "'abc'.startswith('ab')", "'abc'.endswith(('x', 'c'))", "'abc'.replace('b', '')", "'a-b'.partition('-')", "'a-b-c'.rpartition('-')", "'abc'.find('c')", "'abc'.find('z')",
    "'abc'.index('z')", "'aXb'.swapcase()", "'hello world'.title()", "'42'.isdigit()", "'x'.zfill(3)", "'-5'.zfill(4)", "'a'.ljust(3) ~ '|'", "'a'.center(4, '*')", "'-'.join(words)",
    "'{} {}'.format(1, 'a')", "'{0}{1}{0}'.format('a', 'b')", "'{x:>5}|{y:05.1f}|{z!r}'.format(x=1, y=2.25, z='q')", "'{:,}'.format(1234567)", "'{:<4}|{:^4}|{:>4}'.format('a', 'b', 'c')",
    "'{:x} {:#x} {:b} {:%} {:e}'.format(255, 255, 5, 0.5, 12345.678)", "'{a.b[0]}'.format(a={'b': [1]})", "'{}'.format()", "'{'.format()", "'abc'.removeprefix('a').removesuffix('c')", "'a\\tb'.expandtabs(4)",
    "strftime_now('%Y-%m-%d %H:%M:%S %d %B %b %a %A %j %y %p %I %% %f')", "raise_exception('no\\nway')", "cycler('a', 'b').next()", "joiner('x')()",
    "'%#g|%#.0f|%#.3e|%#g|%#G' % (7 ** 7, 2, 1, 0.1, 1e20)", "'{:#.0f}|{:#g}|{:#.3g}|{:#.0e}'.format(2, 100000, 2.5, 3)",
    "'%(k)s%5s' % nested", "'%5s%(k)s' % nested", "'%(k)s%(k)s' % nested", "range(3)[5:1:-2]", "range(9)[1:8:3]", "range(9)[::-2]", "range(0)[::-1]", "range(10, 0, -2)[1:]", "range(5)[4:2]",
]

TEMPLATES = [
    # White space.
    "a\n  {%- if true %} b{% endif %}\nc", "  {% if true %}\nx\n  {% endif %}\ny", "{# note #}\nz", "x {# note #} y\n", "a  {{- 1 -}}  b", "a {%+ if 1 %}b{% endif +%}\nc", "a\n\n", "a\n",
    "{% if true %}\n  {% if true %}x{% endif %}\n{% endif %}", "  {{ 1 }}\n  {% set x = 1 %}\n  {{ x }}", "a\r\nb\rc", "{% raw %}{{ x }}{% if %}{% endraw %}\ny", "x\n  {%- raw -%}  {{ y }}  {%- endraw -%}  z",
    "{{ '}}' }}{{ {'a': {'b': 1}}['a'] }}", "{% if 1 %}\n\n a\n{% endif %}", "a{#- x -#} b", "\t{% if 1 %}x{% endif %}", "x\t{% if 1 %}y{% endif %}", "{{ 1 }} {% if 1 %}y{% endif %}",
    # Statements.
    "{% for x in words %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ x }};{% endfor %}",
    "{% for x in words %}{{ loop.previtem }}|{{ loop.nextitem }}|{{ loop.cycle('o', 'e') }}|{{ loop.changed(x|length) }};{% endfor %}", "{% for x in [] %}a{% else %}b{% endfor %}",
    "{% for k, v in nested.items() %}{{ k }}={{ v }};{% endfor %}", "{% for x in numbers if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }};{% endfor %}", "{% for c in 'héy' %}{{ c }}.{% endfor %}",
    "{% for x in range(9) %}{% if x == 2 %}{% continue %}{% endif %}{% if x == 5 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in [1] %}{% continue %}{% else %}never completed{% endfor %}",
    "{% for x in [[1, [2]], [3]] recursive %}{{ loop.depth }}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}", "{% for x in missing %}{% endfor %}ok", "{% for x in 5 %}{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [[1]] %}{% endfor %}", "{% for x in words %}{% for y in words %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}",
    "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}", "{% if true %}{% set x = 3 %}{% endif %}{{ x }}", "{% set ns = namespace(n=0) %}{% for m in words %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
    "{% set a, b = 1, (2, 3) %}{{ a }}{{ b }}", "{% set x %}a{{ 1 }}{% endset %}[{{ x }}]", "{% set x | upper | trim %} ab {% endset %}{{ x }}", "{% set ns = namespace() %}{% set ns.a, b = 1, 2 %}{{ ns.a }}{{ b }}",
    "{% set x.y = 1 %}", "{% set ns = namespace() %}{% set ns._x = 1 %}", "{% filter upper %}ab{{ 'c' }}{% endfilter %}", "{% filter replace('a', 'b')|title %}a c{% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% set a = 5 %}{% with a = 1, b = a %}{{ b }}{% endwith %}", "{% macro m(a, b='x') %}[{{ a }}{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, 2) }}{{ m(b=3, a=4) }}{{ m() }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(q=2) }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(1) }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{{ n }}{% endcall %}", "{% macro m(l) %}{% for x in l %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(x) m([1, 2]) %}({{ x }}){% endcall %}",
    "{% macro m() %}{{ caller is defined }}{{ caller }}{% endmacro %}{{ m() }}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{% set v = 1 %}{% macro m() %}{{ v }}{% endmacro %}{% set v = 2 %}{{ m() }}",
    "{% macro m() %}{{ i }}{% endmacro %}{% for i in [1] %}{{ m() }}{% endfor %}", "{% macro m(x) %}{{ x }}{% endmacro %}{{ m }}|{{ m.name }}|{{ m.arguments }}", "{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{{ m(1, *[2], **{'c': 3}) }}{% macro m(a, b, c) %}{% endmacro %}", "{% macro m(a, b, c) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1, *[2], **{'c': 3}) }}", "{% generation %}a{% endgeneration %}", "{% print 1 %}",
    "{% if 0 %}{{ 1|nofilter }}{% endif %}ok", "{{ 1 if true else 2|nofilter }}", "{{ 1|nofilter }}", "{% break %}", "{% for i in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", "{% for loop in [1] %}{% endfor %}",
    # A name that a block sets before reading it hides an outer one from the block's beginning.
    "{% for x in [1, 2] %}{% for y in words if words %}{{ y }}{% endfor %}{{ words is defined }}{% set words = 1 %}{% endfor %}",
    "{% for x in [1, 2] %}{% for y in [1] %}[{{ n }}]{% endfor %}{% set n = x %}{% for y in [1] %}{{ n }}{% endfor %}{% endfor %}{{ n }}",
    "{% for x in [1] %}[{{ n }}]{% endfor %}{% set n = 1 %}{{ n }}", "{% for x in [1] %}[{{ n }}]{% endfor %}{% if true %}{% set n = 1 %}{% endif %}{{ n }}", "{{ n }}{% for x in [1] %}[{{ n }}]{% endfor %}{% set n = 1 %}{{ n }}",
    "{% set words %}{{ words }}{% for x in words %}{{ x }}{% endfor %}{% endset %}[{{ words }}]", "{% set words = words %}{{ words }}", "{% macro m() %}[{{ n }}]{% endmacro %}{{ m() }}{% set n = 1 %}{{ m() }}",
    "{% macro m(n) %}{% for x in [1] %}{{ n }}{{ s }}{% endfor %}{% set n = 2 %}{% set s = 3 %}{{ n }}{{ s }}{% endmacro %}{{ m(1) }}", "{% with n = n %}{{ n }}{% set n = 2 %}{{ n }}{% set s = 3 %}{% endwith %}{{ n }}{{ s }}",
    "{% for n in [1] %}{% for y in [1] %}{{ n }}{% set n = 3 %}{{ n }}{% endfor %}{{ n }}{% set n = 2 %}{{ n }}{% endfor %}{{ n }}", "{% filter upper %}{% for y in [1] %}{{ s }}{% endfor %}{% set s = 'q' %}{{ s }}{% endfilter %}{{ s }}",
    "{% for x in [1] %}{% for y in [1] %}[{{ f }}]{% endfor %}{% macro f() %}F{% endmacro %}{{ f() }}{% endfor %}{{ f }}", "{% for x in [1] %}{% for y in [1] %}[{{ n }}{{ s }}]{% endfor %}{% set n, s = 1, 2 %}{% endfor %}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% for x in [1] %}{% call m() %}{% for y in [1] %}[{{ n }}]{% endfor %}{% set n = 1 %}{{ n }}{% endcall %}{% endfor %}", "{% for x in [] %}{% else %}{% for y in [1] %}[{{ n }}]{% endfor %}{% set n = 1 %}{{ n }}{% endfor %}",
    "{% if false %}{{ n }}{% else %}{% set n = 1 %}{% endif %}{% for x in [1] %}{{ n }}{% endfor %}{% set n = 4 %}{{ n }}",
    "{% if true %}", "{{ 'open }}", "{{ 1 + }}", "{% endif %}", "{% unknown %}", "{% for x %}{% endfor %}", "{{ (1 }}", "{# open", "{% raw %}open", "{{ 1 2 }}", "{% set true = 1 %}", "{% include 'x' %}", "{{ f(a=1, a=2) }}", "{{ f(a=1, 2) }}",
    "{% for x in numbers|sort %}{{ x }},{% endfor %}", "{% set g = words|map('upper') %}{% for x in g %}{{ x }}{% endfor %}{% for x in g %}again{% endfor %}", "{% set ns = namespace(go=true) %}{% for x in [1, 2, 3] if ns.go %}{{ x }}{% set ns.go = x < 2 %}{% endfor %}",
    "{% set j = joiner() %}{% for x in words %}{{ j() }}{{ x }}{% endfor %}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{% set _ = c.reset() %}{{ c.current }}", "{% set x = namespace() %}{% set x.x = x %}{{ x }}",
]

SOURCES = ["{{ %s }}" % expression for expression in EXPRESSIONS] + TEMPLATES
