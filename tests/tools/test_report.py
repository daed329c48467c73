"""The pages of cbir-eval, as people use them: opened in Chromium, clicked, typed into, read aloud, printed."""
import json
import shutil
import tempfile

import numpy as np
from PIL import Image

from browser import Browser
from cbirtest import ToolTest, main

EVIL = '<script>document.title="hacked"</script>\'"&.jpg'  # in a folder of half its name
MEASURES = ['map', 'p@1']


def scores_file(path, queries, items, subject='some set', measures=MEASURES, **head):
    """A file as --save writes it: docs/formats.md. `queries`: (name, group, values, top, missed)."""
    lines = [{'format': 'cbir scores', 'version': 1, 'protocol': 'labels', 'subject': subject, 'measures': measures,
              'group_kind': 'class', 'queries': len(queries), 'items': items, **head}]
    for name, group, values, top, missed in queries:
        lines.append({'query': name, 'group': group, 'relevant': sum(item[3] == 1 for item in top + missed),
                      'values': values, 'top': top, 'missed': missed})
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))


class PageTest(ToolTest):
    """One browser for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.browser = None
        if shutil.which('chromium'):
            profile = tempfile.mkdtemp(prefix='cbir-chromium-')
            cls.addClassCleanup(shutil.rmtree, profile, ignore_errors=True)
            cls.browser = Browser(profile)
            cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        if not self.browser:
            self.skipTest('chromium is not here')
        self.browser.resize(1280, 1000)
        self.browser.prefer(prefers_color_scheme='light')

    def open(self, page, **options):
        self.browser.open(self.dir / page, **options)
        return self.browser

    def texts(self, selector):
        return self.browser.run(f'[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText.trim())')

    def column(self, table, number):
        return self.texts(f'#{table} tbody tr > :nth-child({number})')

    def assert_self_contained(self, page):
        self.assertEqual([url for url in self.browser.requests if not url.startswith('data:')],
                         [f'file://{self.dir / page}'])
        self.assertEqual(self.browser.complaints, [])


class Report(PageTest):
    def setUp(self):
        super().setUp()
        (self.dir / 'pictures').mkdir()
        self.items = ['a.jpg', 'b.jpg', 'c.jpg', 'gone.jpg', EVIL]
        for number, name in enumerate(self.items):
            if name != 'gone.jpg':
                (self.dir / 'pictures' / name).parent.mkdir(exist_ok=True)
                Image.new('RGB', (300, 200), (40 * number, 90, 200 - 40 * number)).save(self.dir / 'pictures' / name)
        # The second has junk, something not relevant, and misses two, of which the ranking lacks one.
        self.queries = [
            ('a.jpg', 'cat', [.5, 1], [[1, 1, .9, 1], [2, 2, .8, 0]], []),
            ('b.jpg', 'dog 10', [.125, 0], [[0, 1, .7, -1], [2, 2, .6, 0]], [[3, 57, .1, 1], [4, 0, 0, 1]]),
            (EVIL, 'dog 9', [1, 1], [[0, 1, .95, 1]], []),
            ('c.jpg', 'cat', [None, None], [], []),
        ]
        distribution = {'low': 0, 'high': 1, 'relevant': [0, 1, 2, 7], 'irrelevant': [50, 20, 2, 0]}
        scores_file(self.dir / 's.jsonl', self.queries, self.items, subject=EVIL, distribution=distribution,
                    precision_at=[1 - i / 200 for i in range(101)], remarks=[f'{EVIL} is left out'])
        self.run_tool('cbir-eval', 'report', 's.jsonl', '-o', 'report.html', '--root', 'pictures')

    def test_columns_are_sorted_by_mouse_and_by_keyboard(self):
        self.open('report.html')
        self.assertEqual(self.column('t-queries', 5), ['0.1250', '0.5000', '1.0000', '–'])  # the worst first
        head = '#t-queries th:nth-child(5)'
        state = f'document.querySelector("{head}").ariaSort'
        self.assertEqual(self.browser.run(state), 'ascending')
        self.browser.click(f'{head} button')
        self.assertEqual(self.column('t-queries', 5), ['1.0000', '0.5000', '0.1250', '–'])
        self.assertEqual(self.browser.run(state), 'descending')
        # The names, by keyboard alone; numbers in them count as numbers.
        self.browser.run('document.querySelector("#t-queries th:nth-child(1) button").focus()')
        self.browser.press('Tab')
        self.assertEqual(self.browser.run('document.activeElement.textContent'), 'class')
        self.browser.press('Enter')
        self.assertEqual(self.column('t-queries', 2), ['cat', 'cat', 'dog 9', 'dog 10'])
        self.assertIsNone(self.browser.run(state))
        self.browser.press('Space')
        self.assertEqual(self.column('t-queries', 2)[0], 'dog 10')
        self.assert_self_contained('report.html')

    def test_rankings_are_opened_and_marked(self):
        self.open('report.html')
        worst = '#q1 .card'
        self.assertEqual(self.texts(f'{worst} .mark'), ['– junk', '✗ not relevant', '↓ missed', '↓ missed'])
        self.assertEqual(self.texts(f'{worst} .rank'), ['Rank\n1', 'Rank\n2', 'Rank\n57', 'not ranked'])
        seen = 'document.querySelector("#q1").checkVisibility({contentVisibilityAuto: true})'
        self.browser.click('#worst details:nth-of-type(1) summary')
        self.assertFalse(self.browser.run(seen))
        # A link in the table leads into the ranking, and opens it.
        self.browser.click('#t-queries tbody tr:nth-child(1) a')
        self.assertTrue(self.browser.run(seen))
        # By keyboard.
        self.browser.run('document.querySelector("#worst details:nth-of-type(1) summary").focus()')
        self.browser.press('Enter')
        self.assertFalse(self.browser.run(seen))
        self.browser.click('#worst button.all')
        self.assertTrue(self.browser.run('[...document.querySelectorAll("#worst details")].every(e => e.open)'))
        self.assertEqual(self.texts('#worst button.all'), ['Close all'])

    def test_marks_are_no_mere_colours(self):
        self.open('report.html')
        border = lambda card: self.browser.run(f'getComputedStyle(document.querySelector("{card}")).borderTopStyle')
        self.assertEqual([border(f'.card.{kind}') for kind in ('relevant', 'irrelevant', 'junk', 'missed')],
                         ['solid', 'solid', 'dotted', 'dashed'])
        self.assertEqual(self.texts('.card.relevant .mark')[0], '✓ relevant')

    def test_every_picture_is_inlined_once_and_a_missing_one_says_why(self):
        page = (self.dir / 'report.html').read_text()
        self.assertEqual(page.count('data:image/jpeg'), 4)
        shutil.rmtree(self.dir / 'pictures')
        self.open('report.html')
        self.assertEqual(set(self.texts('.unreadable span')), {'cannot be opened: No such file or directory'})
        self.assertIn('Rank 57, gone.jpg: cannot be opened: No such file or directory', self.browser.names('image'))
        # What is referred to is drawn, too, as a screenshot tells: b.jpg asks, and comes first for a.jpg.
        self.browser.run('document.querySelectorAll("details.shown").forEach(e => e.open = true)')
        for selector in ('#q1 .asked svg', '#q2 .results svg'):
            self.browser.run(f'document.querySelector("{selector}").scrollIntoView({{behavior: "instant"}})')
            box = self.browser.run(f'(() => {{ const b = document.querySelector("{selector}").getBoundingClientRect();'
                                   'return [b.x + b.width / 2, b.y + b.height / 2]; })()')
            self.browser.screenshot(self.dir / 'shot.png')
            pixel = Image.open(self.dir / 'shot.png').convert('RGB').getpixel((int(box[0]), int(box[1])))
            self.assertLess(max(abs(a - b) for a, b in zip(pixel, (40, 90, 160))), 12, selector)

    def test_names_cannot_become_markup(self):
        self.open('report.html')
        self.assertEqual(self.browser.run('document.title'), EVIL)
        self.assertEqual(self.browser.run('document.scripts.length'), 1)
        self.assertIn(EVIL, self.texts('#t-queries a'))
        self.assert_self_contained('report.html')

    def test_it_can_be_read_aloud(self):
        self.open('report.html')
        names = self.browser.names
        self.assertEqual(names('main') and names('navigation'), ['Sections'])
        for heading in ('Scores', 'Curves', 'By class', 'The worst queries', 'All queries'):
            self.assertIn(heading, names('heading'))
        for image in ('Precision over recall', 'Scores of relevant and of irrelevant pairs', '0 of 2 relevant',
                      'Query picture b.jpg'):
            self.assertIn(image, names('image'))
        self.assertIn('Measures of each query', names('table'))
        self.assertEqual(self.browser.run('document.querySelectorAll("th:not([scope])").length'), 0)
        self.assertTrue(all(name for role in ('image', 'button', 'link', 'region') for name in names(role)))

    def test_tab_shows_where_it_is(self):
        self.open('report.html')
        for _ in range(3):
            self.browser.press('Tab')
        style = self.browser.run('getComputedStyle(document.activeElement).outlineStyle')
        self.assertEqual(style, 'solid')

    def test_without_scripts(self):
        self.open('report.html', scripts=False)
        self.assertEqual(self.browser.run('document.querySelectorAll("button, form").length'), 0)
        self.assertEqual(self.column('t-queries', 5), ['0.1250', '0.5000', '1.0000', '–'])
        self.browser.click('#worst details:nth-of-type(1) summary')
        self.assertFalse(self.browser.run('document.querySelector("#worst details").open'))

    def test_cut_offs(self):
        self.open('report.html')
        cuts = self.texts('.cuts li')
        # From .75: 7 of 7. From .5: 9 of 11, which is F1 .857; from .75: .824.
        self.assertTrue(cuts[0].startswith('0.7500 is the lowest cut-off with a precision of 90 %. Of the 7 pairs'), cuts)
        self.assertTrue(cuts[1].startswith('0.5000 is the cut-off of the best F1, 0.857,'), cuts)
        self.browser.run('document.querySelectorAll("figure details").forEach(e => e.open = true)')
        table = [line.split('\t') for line in self.texts('#curves > div > div:last-child tbody tr')]
        self.assertEqual(table[2], ['0.5000', '2', '2', '0.8182', '0.9000'])

    def test_narrow_and_dark(self):
        self.browser.resize(360, 740)
        self.open('report.html')
        self.assertLessEqual(self.browser.run('document.documentElement.scrollWidth'), 360)
        colour = 'getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)'
        self.assertGreater(min(self.browser.run(colour)), 200)
        self.browser.prefer(prefers_color_scheme='dark')
        self.assertLess(max(self.browser.run(colour)), 60)
        self.browser.prefer(prefers_reduced_motion='reduce')
        self.assertEqual(self.browser.run('getComputedStyle(document.documentElement).scrollBehavior'), 'auto')

    def test_on_paper_all_rankings_are_open(self):
        self.open('report.html')
        self.browser.run('document.querySelectorAll("details.shown").forEach(e => e.open = false)')
        self.browser.call('Emulation.setEmulatedMedia', media='print')
        self.addCleanup(self.browser.call, 'Emulation.setEmulatedMedia', media='')
        self.assertTrue(self.browser.run('[...document.querySelectorAll("details.shown .results")].every('
                                         'e => e.checkVisibility() && e.getBoundingClientRect().height > 50)'))
        self.assertFalse(self.browser.run('document.querySelector("nav").checkVisibility()'))

    def test_shown(self):
        self.run_tool('cbir-eval', 'report', 's.jsonl', '-o', 'one.html', '--root', 'pictures', '--shown', 1)
        self.open('one.html')
        self.assertEqual(self.texts('.shown h3 .name'), ['b.jpg'])
        self.run_tool('cbir-eval', 'report', 's.jsonl', '-o', 'none.html', '--root', 'pictures', '--shown', 0)
        self.open('none.html')
        self.assertEqual(self.texts('.shown'), [])

    def test_any_query_can_be_asked_for(self):
        self.run_tool('cbir-eval', 'report', 's.jsonl', '-o', 'one.html', '--root', 'pictures', '--shown', 1, '--query',
                      'c.jpg', '--query', EVIL.split('/')[1], '--query', 'c.jpg')
        self.open('one.html')
        self.assertEqual(self.texts('#wanted .shown h3 .name'), ['c.jpg', EVIL.split('/')[1]])
        self.assertEqual(self.texts('#worst .shown h3 .name'), ['b.jpg'])
        self.assertEqual(self.texts('#q1 .nothing'), ['The ranking is empty.'])
        self.assertIn('no query is named d.jpg; there are 4, the first is a.jpg',
                      self.error('cbir-eval', 'report', 's.jsonl', '--query', 'd.jpg', expect=2))

    def test_names_without_endings_stand_for_pictures(self):
        for number, name in enumerate(['oxford_1.jpg', 'oxford_2.JPG', 'oxford_3.png', 'a.b.jpeg']):
            Image.new('RGB', (30, 20), (60 * number, 9, 9)).save(self.dir / 'pictures' / name)
        items = ['oxford_1', 'oxford_2', 'oxford_3', 'a.b', 'oxford_4']
        scores_file(self.dir / 'x.jsonl', [('oxford_1', '', [1, 1], [[i, i + 1, .5, 1] for i in range(5)], [])], items)
        page = self.run_tool('cbir-eval', 'report', 'x.jsonl', '--root', 'pictures').stdout.decode()
        self.assertEqual(page.count('data:image/jpeg'), 4)
        self.assertEqual(page.count('class="unreadable"'), 1)

    def test_what_cannot_be_drawn_is_left_out(self):
        for distribution in ({'low': 1, 'high': 1, 'relevant': [1], 'irrelevant': [1]},
                             {'low': 0, 'high': 1, 'relevant': [0], 'irrelevant': [1]},
                             {'low': 1e300, 'high': 1.0000000001e300, 'relevant': [1] * 9, 'irrelevant': [1] * 9}):
            scores_file(self.dir / 'x.jsonl', [('a', '', [None, None], [], [])], [], distribution=distribution,
                        precision_at=[])
            page = self.out('cbir-eval', 'report', 'x.jsonl')
            self.assertNotIn('<figure>', page)
            self.assertNotIn('nan', page)


class OfProtocols(PageTest):
    def test_labels_writes_a_page_of_what_it_prints(self):
        rng = np.random.default_rng(0)
        labels = np.arange(60) % 3
        np.save(self.dir / 's_Embeddings.npy', (rng.normal(size=(60, 8)) + 2 * np.eye(8)[labels]).astype(np.float32))
        np.save(self.dir / 's_Categories.npy', labels.astype(str))
        done = self.run_tool('cbir-eval', 'labels', 's_Embeddings.npy', '--html', 'page.html', '--json', '--save', 's.jsonl')
        self.assertIn(b'--root', done.stderr)  # there are no pictures of the names 0, 1, ...
        self.open('page.html')
        self.assertEqual(self.texts('.headline strong'), [f'{json.loads(done.stdout)["map"]:.4f}'])
        self.assertEqual(len(self.column('t-queries', 1)), 60)
        self.browser.click('.filter input')
        self.browser.type('17')
        self.assertEqual(self.texts('.filter output'), ['1 of 60 rows'])
        self.assert_self_contained('page.html')
        # The same from the file; and the same bytes with any number of threads.
        again = self.run_tool('cbir-eval', 'report', 's.jsonl', '--threads', 1).stdout
        self.assertEqual(again, (self.dir / 'page.html').read_bytes())

    def test_texts_stand_where_pictures_would(self):
        Image.new('RGB', (50, 50)).save(self.dir / 'a.jpg')
        Image.new('RGB', (50, 50)).save(self.dir / 'box.jpg')
        lines = [{'format': 'cbir scores', 'version': 1, 'protocol': 'text', 'subject': '', 'measures': ['hit@1'],
                  'group_kind': 'direction', 'queries': 3, 'items': ['a.jpg', 'a <b>dog</b>']},
                 {'query': 'a small dog', 'relevant': 1, 'values': [0], 'top': [[0, 1, .5, 1]], 'texts': 'query'},
                 {'query': 'a.jpg', 'relevant': 1, 'values': [.5], 'top': [[1, 1, .5, 1]], 'texts': 'items'},
                 {'query': 'all_souls_1', 'relevant': 1, 'values': [1], 'top': [[0, 1, .5, 1]], 'picture': 'box.jpg'}]
        (self.dir / 's.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
        self.out('cbir-eval', 'report', 's.jsonl', '-o', 'page.html')  # no picture is missed
        self.open('page.html')
        self.assertEqual(self.texts('.words p'), ['a small dog', 'a <b>dog</b>'])
        self.assertEqual(self.texts('.unreadable'), [])
        self.assertEqual(self.browser.run('document.querySelectorAll("svg.picture").length'), 4)
        self.assertIn('Query picture all_souls_1', self.browser.names('image'))
        self.out('cbir-eval', 'compare', 's.jsonl', 's.jsonl', '--html', 'c.html')
        (self.dir / 'b.jsonl').write_text((self.dir / 's.jsonl').read_text().replace('"values": [0]', '"values": [1]'))
        self.out('cbir-eval', 'compare', 's.jsonl', 'b.jsonl', '--html', 'c.html', '--force')
        self.open('c.html')
        self.assertEqual(self.texts('.words p'), ['a small dog'])
        (self.dir / 'b.jsonl').write_text((self.dir / 's.jsonl').read_text().replace('"items"}', '"both"}'))
        self.assertIn('line 3: "texts" is both; expected query or items',
                      self.error('cbir-eval', 'report', 'b.jsonl', expect=5))

    def test_wrong_use(self):
        (self.dir / 'page.html').write_text('mine')
        scores_file(self.dir / 's.jsonl', [('a', '', [.5, 0], [], [])], [])
        self.assertIn('--force', self.error('cbir-eval', 'report', 's.jsonl', '-o', 'page.html', expect=7))
        self.assertIn('input', self.error('cbir-eval', 'report', 's.jsonl', '-o', 's.jsonl', '--force', expect=2))
        self.error('cbir-eval', 'labels', 'x', '--root', 'y', expect=2)
        self.error('cbir-eval', 'labels', 'x', '--shown', 3, expect=2)
        self.error('cbir-eval', 'labels', 'x', '--top', 3, expect=2)
        self.error('cbir-eval', 'compare', 's.jsonl', 's.jsonl', '--force', expect=2)
        self.assertEqual((self.dir / 'page.html').read_text(), 'mine')
        self.out('cbir-eval', 'report', 's.jsonl', '-o', 'page.html', '--force')
        self.assertIn('0.5000', (self.dir / 'page.html').read_text())

    def test_thousands_of_queries_stay_below_five_megabytes(self):
        # Pictures of noise, which compress worst; long names; as many measures as labels gives.
        rng = np.random.default_rng(0)
        (self.dir / 'p').mkdir()
        names = [f'p/{"long-name-" * 4}{i:04}.jpg' for i in range(400)]
        for name in names:
            Image.fromarray(rng.integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(self.dir / name, quality=90)
        items = names + [f'p/{"other-name-" * 4}{i:04}.jpg' for i in range(4600)]
        measures = ['map', 'mrr', 'r_precision', 'map@r'] + [f'{m}@{k}' for m in ('p', 'r', 'hit', 'ndcg') for k in (1, 5, 10)]
        queries = []
        for i in range(5000):
            ranking = [[int(item), rank + 1, round(.9 - rank / 50, 4), int(rank % 2)]
                       for rank, item in enumerate(rng.integers(0, 400, 20))]
            missed = [[int(item), 40 + rank, .3, 1] for rank, item in enumerate(rng.integers(0, 400, 20))]
            queries.append((items[i], f'class {i % 100}', [round((i + 1) / 5000, 4)] * 16, ranking, missed))
        scores_file(self.dir / 's.jsonl', queries, items, measures=measures)
        self.run_tool('cbir-eval', 'report', 's.jsonl', '-o', 'page.html')
        size = (self.dir / 'page.html').stat().st_size
        self.assertLess(size, 5_000_000)
        self.assertGreater(size, 3_000_000)  # the room is used
        self.open('page.html')
        self.assertEqual(self.browser.run('document.querySelector("#t-queries").tBodies[0].rows.length'), 5000)
        self.assertGreater(self.browser.run('document.querySelectorAll("svg.picture image").length'), 200)
        self.browser.click('#t-queries th:nth-child(5) button')
        self.assertEqual(self.browser.run('document.querySelector("#t-queries tbody td:nth-child(5)").textContent'),
                         '1.0000')
        self.assert_self_contained('page.html')


class Compared(PageTest):
    def setUp(self):
        super().setUp()
        (self.dir / 'pictures').mkdir()
        items = ['a.jpg', 'b.jpg', 'c.jpg', EVIL]
        for name in items:
            (self.dir / 'pictures' / name).parent.mkdir(exist_ok=True)
            Image.new('RGB', (100, 100), (90, 90, 90)).save(self.dir / 'pictures' / name)
        curve = [1 - i / 200 for i in range(101)]
        scores_file(self.dir / 'a.jsonl', [('a.jpg', 'x', [.5, 0], [[1, 1, .9, 0], [2, 2, .8, 1]], [[3, 9, .1, 1]]),
                                           ('b.jpg', 'x', [.75, 1], [[0, 1, .9, 1]], []),
                                           ('c.jpg', 'y', [.25, 1], [[0, 1, .9, 1]], []),
                                           ('only.jpg', 'y', [.25, 1], [], [])], items, precision_at=curve)
        # The same items, but in another order in the file, as it may be.
        scores_file(self.dir / 'b.jsonl', [('b.jpg', 'x', [.75, 1], [[3, 1, .9, 1]], []),
                                           ('a.jpg', 'x', [1, 1], [[1, 1, .9, 1], [0, 2, .8, 1], [3, 3, .7, -1]], []),
                                           ('c.jpg', 'y', [.125, 1], [[2, 1, .9, 0]], [[3, 0, 0, 1]])],
                    [EVIL, 'c.jpg', 'b.jpg', 'a.jpg'], precision_at=curve)
        self.run_tool('cbir-eval', 'compare', 'a.jsonl', 'b.jsonl', '--html', 'page.html', '--root', 'pictures', expect=3)

    def test_two_rankings_side_by_side(self):
        self.open('page.html')
        self.assertEqual(self.texts('.shown h3 .name'), ['a.jpg', 'c.jpg'])  # b.jpg did not move
        self.assertEqual(self.texts('.shown summary b'), ['▲ +0.5000', '▼ -0.1250'])
        columns = '#q1 .ranking:nth-of-type({})'
        boxes = [self.browser.run(f'document.querySelector("{columns.format(i)}").getBoundingClientRect().toJSON()')
                 for i in (2, 3)]
        self.assertEqual(boxes[0]['y'], boxes[1]['y'])
        self.assertLessEqual(boxes[0]['right'], boxes[1]['left'])
        self.assertEqual(self.texts(columns.format(2) + ' .mark'), ['✗ not relevant', '✓ relevant'])
        self.assertEqual(self.texts(columns.format(2) + ' .change'), ['not in the first 3 of B', '1 in B'])
        self.assertEqual(self.texts(columns.format(3) + ' .mark'), ['✓ relevant', '✓ relevant', '– junk'])
        self.assertEqual(self.texts(columns.format(3) + ' .change'), ['▲ 2 in A', '▲ 9 in A', 'not in the first 2 of A'])
        self.assertEqual(self.texts('#q2 .ranking:nth-of-type(2) .change'), ['not ranked in B'])
        self.assert_self_contained('page.html')

    def test_differences(self):
        self.open('page.html')
        self.assertEqual(self.texts('#t-scores tbody th'), MEASURES)
        self.assertEqual(self.texts('#t-scores tbody td')[:3], ['0.5000', '0.6250', '+0.1250'])
        self.assertIn('No clear difference: 1 gained, 1 lost, 1 stayed (p = 1.0000)', self.texts('.verdict')[0])
        self.assertIn('only.jpg', self.texts('.remarks')[0])
        self.assertEqual(self.column('t-queries', 6), ['0.5000', '0.1250'])
        self.browser.click('#t-queries th:nth-child(6) button')
        self.assertEqual(self.column('t-queries', 6), ['0.1250', '0.5000'])
        self.assertEqual(self.browser.run('[...document.querySelectorAll("path.curve")].map('
                                          'e => getComputedStyle(e).strokeDasharray)'), ['none', '6px, 4px'])

    def test_by_another_measure_and_of_nothing_that_moved(self):
        self.run_tool('cbir-eval', 'compare', 'a.jsonl', 'b.jsonl', '--html', 'p1.html', '--measure', 'p@1', '--root',
                      'pictures', expect=3)
        self.open('p1.html')
        self.assertEqual(self.texts('.shown h3 .name'), ['a.jpg'])
        self.out('cbir-eval', 'compare', 'a.jsonl', 'a.jsonl', '--html', 'same.html')
        self.open('same.html')
        self.assertEqual(self.texts('#queries .nothing'), ['None, by map.'])
        self.assertIn('No clear difference', self.texts('.verdict')[0])

    def test_narrow(self):
        self.browser.resize(360, 740)
        self.open('page.html')
        self.assertLessEqual(self.browser.run('document.documentElement.scrollWidth'), 360)


if __name__ == '__main__':
    main()
