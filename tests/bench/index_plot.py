"""Draws the results of ./index run: recall against queries a second, and beside it what building took.

    index_plot.py FOLDER PICTURE.png
"""
import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of a backend without a screen)

COLOURS = {'cbir': '#c0392b', 'faiss': '#2471a3', 'hnswlib': '#229954', 'USearch': '#d68910'}
STYLES = ['-', '--', ':', '-.', (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (5, 5)), (0, (3, 5, 1, 5))]


def frontier(points):
    """Those that nothing beats in both recall and rate, by recall."""
    kept, highest = [], 0
    for recall, qps in sorted(points, reverse=True):
        if qps > highest:
            kept.append((recall, qps))
            highest = qps
    return kept[::-1]


def look(names):
    """A colour for whose it is, a dash for which of theirs it is."""
    seen = {}
    for name in names:
        family = name.split()[0]
        seen[name] = (COLOURS[family], STYLES[sum(n.split()[0] == family for n in seen) % len(STYLES)])
    return seen


def draw_curves(axes, results, looks):
    for name, (colour, style) in looks.items():
        points = frontier([(r['recall'], r['qps']) for r in results if r['name'] == name and r['recall'] >= .8])
        if points:
            # Recall on the scale of what is missed, so that .99 and .999 are as far apart as .9 and .99.
            axes.plot([max(1 - recall, 1e-4) for recall, _ in points], [qps for _, qps in points], color=colour, linestyle=style,
                      marker='o', markersize=4 if name.startswith('cbir') else 2.5,
                      linewidth=2 if name.startswith('cbir') else 1, label=name)
    axes.set(xscale='log', yscale='log', xlim=(.2, 9e-5), xlabel='recall@10', ylabel='queries a second')
    axes.set_xticks([.1, .05, .01, .001, .0001], ['.9', '.95', '.99', '.999', '1'])
    axes.minorticks_off()
    axes.grid(alpha=.3)


def draw_costs(axes, results, looks):
    rows = {r['name']: r for r in results}
    names = [name for name in looks if name in rows][::-1]
    axes.barh(names, [max(rows[name]['build'], .01) for name in names], color=[looks[name][0] for name in names])
    for i, name in enumerate(names):
        axes.text(max(rows[name]['build'], .01), i, f" {rows[name]['build']:.1f} s, {rows[name]['bytes']:.0f} B a row",
                  va='center', fontsize=7)
    axes.set(xscale='log', xlabel='seconds to build; bytes a row of the whole index')
    axes.tick_params(axis='y', labelsize=7)
    axes.margins(x=.35)


def main():
    folder, output = sys.argv[1:]
    results = [json.loads(line) for line in (Path(folder) / 'results.jsonl').read_text().splitlines()]
    results = [r for r in results if not r['name'].startswith('cbir auto')]
    looks = look(dict.fromkeys(r['name'] for r in results))
    sets = list(dict.fromkeys(r['data'] for r in results))
    figure, grid = plt.subplots(len(sets), 3, figsize=(19, 6 * len(sets)), squeeze=False)
    for line, data in zip(grid, sets):
        for axes, batch in zip(line, (1024, 1)):
            part = [r for r in results if r['data'] == data and r['batch'] == batch]
            draw_curves(axes, part, looks)
            axes.set_title(f'{data}, {f"{batch} queries at once" if batch > 1 else "one query at a time"}')
        line[0].legend(fontsize=7, loc='lower left')
        draw_costs(line[2], [r for r in results if r['data'] == data], looks)
    figure.tight_layout()
    figure.savefig(output, dpi=75)


if __name__ == '__main__':
    main()
