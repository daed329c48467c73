#!/usr/bin/env python3
"""Writes html_entities.inc: the named character references of HTML 5, out of Python's table, sorted by name.

    lib/text/html_entities.py >lib/text/html_entities.inc

Names with a semicolon are written with it; a name that HTML also knows without one is there twice. HTML 5 does not
change the list any more.
"""
import html.entities


def literal(text):
    return '"' + ''.join(f'\\{byte:03o}' for byte in text.encode()) + '"'


print('// Written by html_entities.py: name and UTF-8, sorted by name.')
line = ''
for name, text in sorted(html.entities.html5.items()):
    entry = f'{{"{name}", {literal(text)}}},'
    if len(line) + 1 + len(entry) > 118:
        print(line)
        line = ''
    line += (' ' if line else '') + entry
print(line)
