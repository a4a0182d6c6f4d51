#!/usr/bin/env python3
"""Seeds of template_fuzz: templates that between them use every part of the language.

A second argument names a folder with further *.jinja files, such as the golden templates; a long run starts from both.
"""

import pathlib
import sys

SEEDS = [
    # Conversations as published templates write them
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m.content | string + '<|im_end|>' }}{% endfor %}",
    "{{ bos_token }}{%- set ns = namespace(found=false, i=0) -%}{%- for m in messages -%}{%- if m.role == 'user' and not"
    " ns.found -%}{%- set ns.found = true -%}{%- set ns.i = loop.index0 -%}{%- endif -%}{%- endfor -%}{{ ns.i }}",
    "{% if tools is not none and tools | length > 0 %}{% for t in tools %}{{ t | tojson(indent=2) }}{% if not loop.last"
    " %}, {% endif %}{% endfor %}{% endif %}{{ raise_exception('no ' ~ n) if n > 9 else eos_token }}",
    "{% macro show(m, i=0) %}{{ '  ' * i }}{% for k, v in m.items() %}{% if v is mapping %}{{ k }}:{{ show(v, i + 1) }}"
    "{% else %}{{ k }}={{ v }}{% endif %}{% endfor %}{% endmacro %}{{ show(tools[0]) }}{{ show({'a': {'b': 1}}, i=2) }}",
    "{% for m in messages if m.content is string %}{{ m.content.split('</think>')[-1].lstrip('\\n') }}{{ loop.index }}"
    "{{ loop.previtem.role }}{{ loop.nextitem is defined }}{% else %}none{% endfor %}",
    "{%- for m in messages[::-1] %}{% set x = (messages | length - 1) - loop.index0 %}{{ x }}{% if x < 2 %}{% break %}"
    "{% endif %}{% continue %}{%- endfor %}{{ messages[1:] | length }}{{ messages[-1]['content'][:1] }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list }}{{ messages |"
    " rejectattr('content', 'string') | list | length }}{{ tools | map(attribute='function.name') | join(', ') }}",
    # Statements
    "{% set a, b = 1, (2, 'x') %}{% set c %} {{ a }} {% endset %}{% set e | trim | upper %} q {% endset %}{{ [a, b, c, e] }}",
    "{% macro w(x) %}<{{ caller(x) }}{{ varargs }}{{ kwargs }}>{% endmacro %}{% call(y) w(1, 2, k=3) %}in{{ y }}{% endcall %}",
    "{% filter upper | replace('A', 'b') %}a{% generation %}g{% set z = 1 %}{% endgeneration %}{% endfilter %}{{ z }}",
    "{% with p = 1, q = n %}{{ p + q }}{% endwith %}{% raw %}{{ x }}{%- endraw -%} {# c -#} {% block b %}{{ n }}{% endblock %}",
    "{% for x in [1, [2, [3]]] recursive %}{% if x is number %}{{ x }}{% else %}{{ loop(x) }}{% endif %}{% endfor %}",
    "{% for a, (b, c) in [[1, [2, 3]]] %}{{ a }}{{ b }}{{ c }}{{ loop.cycle('x', 'y') }}{{ loop.changed(a) }}{% endfor %}",
    "  {%- if n == 7 -%}  a  {%+ elif n %}b{% else +%}\n c {%- endif %}\n\t{% if l %}\n d\n{% endif %}\n",
    # Expressions
    "{{ 1 + 2 * 3 ** 2 // 4 % 5 - -1 }}{{ 10 / 4 }}{{ 'a' ~ 1 ~ none }}{{ not 1 in l and 2 not in l or n }}{{ 1 < 2 <= 2 }}",
    "{{ 0x1f + 0b11 + 0o17 + 1_000 }}{{ 1e3 }}{{ 1.5e-7 }}{{ 12345678901234567890 * 98765432109876543210 }}{{ 2 ** 100 }}",
    "{{ \"a\\n\\x41\\u00e9\\U0001F600\\101\\\"\" 'b' }}{{ 'it''s' }}{{ (1,) }}{{ () }}{{ {'a': 1, 2: [none, true], 'c': {}} }}",
    "{{ l[0] }}{{ l[-1] }}{{ l[1:2] }}{{ l[::-1] }}{{ 'abc'[::2] }}{{ d.a }}{{ d['b'] }}{{ d.zz }}{{ l.9 }}{{ range(9)[2:5] }}",
    "{{ x.y if x is defined else d.get('q', 'r') }}{{ (1 if 0) is undefined }}{{ '%s-%05.1f|%x' % ('a', 2.5, 255) }}",
    "{{ '{:>5}|{0!r}|{a:,}|{b[0]}'.format(1, a=1234567, b=l) }}{{ '%(a)s' % d }}{{ dict(d, z=1) }}{{ cycler(1, 2).next() }}",
    "{{ strftime_now('%Y-%m-%d %H:%M:%S %j %A %b %-d %%') }}{{ range(5, 0, -2) | list }}{{ joiner('|')() }}{{ loop is defined }}",
    # Filters, tests, methods
    "{{ l | sort | join }}{{ l | min }}{{ l | max }}{{ l | sum }}{{ l | first }}{{ l | last }}{{ l | reverse | list }}"
    "{{ l | unique | list }}{{ l | batch(2) | list }}{{ l | slice(2, 0) | list }}{{ l | select('odd') | list }}",
    "{{ d | dictsort }}{{ d | items | list }}{{ d | tojson(sort_keys=true, separators=(',', ':')) }}{{ d | pprint }}"
    "{{ d | xmlattr }}{{ messages | groupby('role') }}{{ messages | sort(attribute='role,content') | length }}",
    "{{ ' Ab\\n\\nc ' | trim | lower | upper | title | capitalize | indent(2, true) }}{{ 'a b' | wordcount }}{{ 'abcdefghijk' |"
    " truncate(6, true) }}{{ 'x' | center(9) }}{{ '<b>' | e }}{{ '<a>' | safe + '<' }}{{ '<i>t</i>' | striptags }}",
    "{{ '3.7' | int }}{{ 'ff' | int(0, 16) }}{{ '1e3' | float }}{{ -2.5 | abs }}{{ 2.345 | round(2, 'floor') }}{{ n |"
    " filesizeformat }}{{ 'a/ b' | urlencode }}{{ q | default('d') }}{{ '' | d('e', true) }}{{ '[1, 2.0]' | from_json }}",
    "{{ n is number }}{{ n is integer }}{{ 1.0 is float }}{{ l is sequence }}{{ l is iterable }}{{ d is mapping }}{{ n is"
    " divisibleby 7 }}{{ n is sameas n }}{{ n is in [7] }}{{ n is gt(3) }}{{ 'a' is lower }}{{ x is none }}{{ d is callable }}",
    "{{ 'aXbXc'.split('X', 1) }}{{ 'a b'.rsplit() }}{{ 'abc'.find('c') }}{{ 'aa'.replace('a', 'b', 1) }}{{ 'a'.join(['x', 'y']) }}"
    "{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.partition('b') }}{{ 'x\\ty'.expandtabs(4) }}{{ '-5'.zfill(4) }}{{ 'É'.lower() }}",
    "{% set k = [] %}{{ k.append(1) }}{{ k.extend([2, 3]) }}{{ k.pop(0) }}{{ k.insert(0, k) }}{{ d.update({'x': 1}) }}{{ d.pop('x') }}",
    # What goes wrong
    "{{ ''.__class__.__mro__ }}", "{% macro r() %}{{ r() }}{% endmacro %}{{ r() }}", "{{ 'a' * 10 ** 9 }}", "{{ range(10 ** 9) }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% endfor %}{{ ns.s | tojson }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "{{ [[[[[[(((((1)))))]]]]]] }}{{ - - 1 }}",
    "{{ messages }}\0{\"messages\": [{\"a\": [1.0, -0, 1e400, 123456789012345678901234567890, \"\\ud83d\\ude00\"]}], \"kwargs\": {}}",
]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(SEEDS):
        (folder / f"{i:02}.jinja").write_bytes(seed.encode())
    for further in sys.argv[2:]:
        for path in pathlib.Path(further).rglob("*.jinja"):
            (folder / f"{path.parent.name}-{path.name}").write_bytes(path.read_bytes())


if __name__ == "__main__":
    main()
