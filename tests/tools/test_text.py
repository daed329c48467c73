"""Text as a user asks with it and makes sets of it. The network is that of tests/fake_nets: it sees colours, and reads their
names, so that what must come out can be said in advance and no weights are needed."""
import json
import os
import re

import numpy as np
from PIL import Image

from cbirtest import ToolTest, main
from fake_encoder import FAKE, make_encoders, preset, safetensors, vocabulary

COLOURS = {'red': (255, 0, 0), 'green': (0, 255, 0), 'blue': (0, 0, 255)}


def expected(text, mark=.1):
    """The vector of a text."""
    words = re.findall(r'[a-z]+', text.lower())
    vector = np.array([*(sum(word.endswith(c) for word in words) for c in 'dne'), mark], np.float64)
    return vector / np.linalg.norm(vector)


class TextTest(ToolTest):
    """Three pictures of one colour each in photos.cbir, whose encoder reads text."""

    def setUp(self):
        super().setUp()
        if not FAKE.exists():
            self.skipTest(f'{FAKE} is not here')
        self.env = make_encoders(self.dir)
        for name, colour in COLOURS.items():
            (self.dir / 'photos' / name).mkdir(parents=True)
            Image.new('RGB', (40, 30), colour).save(self.dir / 'photos' / name / '1.jpg', quality=95)

    def run_tool(self, *args, **kw):
        return super().run_tool(*args, **{'env': self.env, **kw})

    def index(self, name='photos', model='colours'):
        self.out('cbir-extract', '-o', name, 'photos', '--model', model)
        self.out('cbir-index', 'build', name, '-o', f'{name}.cbir')

    def query(self, *args, **kw):
        return self.out('cbir-query', 'photos.cbir', *args, **kw)

    def lines(self, *args, **kw):
        return [line.split('\t') for line in self.query(*args, **kw).splitlines()]

    def rows(self, name):
        return [json.loads(line) for line in (self.dir / f'{name}.rows.jsonl').read_text().splitlines()]


class TextQueries(TextTest):
    def setUp(self):
        super().setUp()
        self.index()

    def test_a_text_finds_what_it_names(self):
        lines = self.lines('--text', 'a Red bus', '--text', 'green', '-k', 1)
        self.assertEqual([line[:2] + line[3:] for line in lines],
                         [['a Red bus', '1', 'photos/red/1.jpg'], ['green', '1', 'photos/green/1.jpg']])
        photos = np.load(self.dir / 'photos.npy')
        self.assertAlmostEqual(float(lines[0][2]), expected('a Red bus') @ photos[2], delta=2e-6)

    def test_texts_come_after_pictures_and_files_after_options(self):
        (self.dir / 'texts').write_bytes(b'\xef\xbb\xbfblue\r\ngr\xc3\xbcn, green\n')
        names = [line[0] for line in self.lines('photos/blue/1.jpg', '--text', 'red', '--text-file', 'texts', '-k', 1)]
        self.assertEqual(names, ['photos/blue/1.jpg', 'red', 'blue', 'grün, green'])
        names = self.query('--text-file', '-', '-0', '-k', 1, stdin='two\nlines\0a\ttab\0'.encode()).split('\0')
        self.assertEqual([name.split('\t')[0] for name in names[:2]], ['two\\nlines', 'a\\ttab'])

    def test_texts_are_taken_as_they_stand(self):
        for text in ('red:0.5', 'red\\:2', '[red, red]', '"red"', "'red'", '{}', 'red\\'):
            with self.subTest(text):
                self.assertEqual(json.loads(self.query('--text', text, '-k', 1, '--format', 'jsonl'))['query'], text)

    def test_served_texts(self):
        lines = [json.dumps({'text': text}) for text in ('a Red bus', 'green')] + ['photos/blue/1.jpg']
        answers = self.query('--serve-stdin', '-k', 2, stdin='\n'.join(lines).encode())
        self.assertEqual(answers.replace('\n\n', '\n'), self.query('--text', 'a Red bus', '--text', 'green', '-k', 2) +
                         self.query('photos/blue/1.jpg', '-k', 2))

    def test_formats(self):
        first = json.loads(self.query('--text', 'red "bus" 100%', '-k', 1, '--format', 'jsonl'))
        self.assertEqual({key: first[key] for key in ('query', 'query_type', 'path', 'label')},
                         {'query': 'red "bus" 100%', 'query_type': 'text', 'path': 'photos/red/1.jpg', 'label': 'red'})
        self.assertNotIn('query_type', self.query('photos/red/1.jpg', '--format', 'jsonl'))
        self.assertTrue(self.query('--text', 'red bus', '-k', 1, '--format', 'trec').startswith('red%20bus Q0 photos/red/1.jpg 1 '))

    def test_bytes_do_not_depend_on_threads(self):
        (self.dir / 'texts').write_text(''.join(f'{"red " * (i % 3)}green {"blue " * (i % 4)}number {i}\n' for i in range(100)))
        self.assertEqual(len({self.query('--text-file', 'texts', '--threads', n) for n in (1, 2, 4)}), 1)
        alone = self.query('--text', 'red green blue number 1')
        self.assertIn(alone, self.query('--text-file', 'texts'))

    def test_templates(self):
        def scores(*templates):
            args = [arg for template in templates for arg in ('--template', template)]
            return {path: float(score) for _, _, score, path in self.lines('--text', 'red', *args)}
        photos = {row['path']: vector for row, vector in zip(self.rows('photos'), np.load(self.dir / 'photos.npy'))}
        for templates, prompts in ([['a green {}'], ['a green red']], [['a {}', 'a blue {} {{}}'], ['a red', 'a blue red']]):
            vector = sum(expected(prompt) for prompt in prompts)
            vector /= np.linalg.norm(vector)
            for path, score in scores(*templates).items():
                self.assertAlmostEqual(score, float(vector @ photos[path]), delta=2e-6)

    def test_combined_queries(self):
        lines = self.lines('photos/red/1.jpg:2', '--text', 'green:-1', '--text', 'note: blue', '--combine')
        self.assertEqual({line[0] for line in lines}, {'photos/red/1.jpg:2 + green:-1 + note: blue'})
        photos = {row['path']: vector for row, vector in zip(self.rows('photos'), np.load(self.dir / 'photos.npy'))}
        vector = 2 * photos['photos/red/1.jpg'] - expected('green') + expected('note: blue')
        vector /= np.linalg.norm(vector)
        self.assertEqual([line[3] for line in lines], ['photos/red/1.jpg', 'photos/blue/1.jpg', 'photos/green/1.jpg'])
        for line in lines:
            self.assertAlmostEqual(float(line[2]), vector @ photos[line[3]], delta=2e-6)
        text = json.loads(self.query('--text', 'at 10\\:30', '--text', 'red', '--combine', '-k', 1, '--format', 'jsonl'))
        self.assertEqual((text['query'], text['query_type']), ('at 10:30 + red', 'combined'))
        self.assertIn('cancel', self.error('cbir-query', 'photos.cbir', '--text', 'red', '--text', 'red:-1', '--combine', expect=2))
        self.assertIn('none.jpg', self.error('cbir-query', 'photos.cbir', 'none.jpg', '--text', 'red', '--combine', expect=4))

    def test_a_picture_that_fails_leaves_the_texts(self):
        done = self.run_tool('cbir-query', 'photos.cbir', 'none.jpg', '--text', 'red', '-k', 1, expect=3)
        self.assertTrue(done.stdout.startswith(b'red\t1\t'))
        self.assertIn(b'none.jpg: skipped', done.stderr)

    def test_what_is_cut_is_said(self):
        text = ' '.join(['red'] * 26)
        done = self.run_tool('cbir-query', 'photos.cbir', '--text', text, '--text', 'red', '-k', 1)
        self.assertEqual(done.stderr.decode(),
                         f'cbir-query: warning: "{text[:80]}"...: 80 tokens, of which the network reads 77; the rest was cut off\n')

    def test_wrong_use(self):
        for args in (['--text', ''], ['--text', ' \t'], ['--text', 'a', '--row', 1], ['--text', 'a', '--vectors', 'q.npy'],
                     ['--text', 'a', '--template', 'no place'], ['--row', 1, '--template', 'a {}'], ['--row', 1, '--combine'],
                     ['a.jpg', '--template', 'a {}'], ['--text-file', '-', '--files-from', '-'], ['--text', 'a', '--alpha', 'drop'],
                     ['--text', ':2', '--combine']):
            with self.subTest(args):
                self.error('cbir-query', 'photos.cbir', *args, expect=2)

    def test_lines_that_are_no_texts(self):
        for content, message in ((b'red\n\nblue\n', 'line 2 is empty'), (b'red\nblue\ncaf\xe9\n', "line 3 is not UTF-8: $'caf\\xe9'")):
            (self.dir / 'texts').write_bytes(content)
            self.assertIn(f'texts: {message}', self.error('cbir-query', 'photos.cbir', '--text-file', 'texts', expect=6))
        self.error('cbir-query', 'photos.cbir', '--text-file', '-', stdin=b'', expect=4)
        self.error('cbir-query', 'photos.cbir', '--text-file', 'none', expect=4)
        self.assertIn("$'caf\\xe9'", self.error('cbir-query', 'photos.cbir', '--text', b'caf\xe9', expect=2))

    def test_the_vocabulary_must_be_here(self):
        (self.dir / 'models/words.gz').unlink()
        self.assertIn('words.gz', self.error('cbir-query', 'photos.cbir', '--text', 'red', expect=4))
        self.query('photos/red/1.jpg')

    def test_an_encoder_without_text_is_refused(self):
        self.index('blind', 'blind')
        message = self.error('cbir-query', 'blind.cbir', '--text', 'red', expect=6)
        self.assertIn("blind.cbir: encoder 'blind' reads pictures only", message)
        self.assertIn('clip-vit-b-32', message)
        (self.dir / 'models/blind.safetensors').unlink()  # which need not be fetched to be told so
        self.assertEqual(self.error('cbir-query', 'blind.cbir', '--text', 'red', expect=6), message)
        self.error('cbir-query', 'photos', '--text', 'red', '--model', 'blind', expect=6)
        self.assertFalse((self.dir / 'cache').exists())  # before the folder was read

    def test_folders(self):
        self.assertEqual(self.out('cbir-query', 'photos', '--text', 'blue', '-k', 1, '--model', 'colours').split('\t')[3],
                         'photos/blue/1.jpg\n')


class TextSets(TextTest):
    def setUp(self):
        super().setUp()
        (self.dir / 'texts').write_text('red\na green bus\nblue/sky\n')

    def extract(self, *args, **kw):
        return self.out('cbir-extract', '-o', 'texts', '--text-file', 'texts', '--model', 'colours', *args, **kw)

    def test_lines_become_rows(self):
        self.assertEqual(self.extract(), '')
        self.assertEqual(self.rows('texts'), [{'path': 'red', 'text': True, 'seq': 0}, {'path': 'a green bus', 'text': True, 'seq': 1},
                                              {'path': 'blue/sky', 'text': True, 'seq': 2}])
        np.testing.assert_allclose(np.load(self.dir / 'texts.npy'), [expected(row['path']) for row in self.rows('texts')],
                                   atol=1e-6)
        before = (self.dir / 'texts.json').read_bytes()
        self.assertEqual(self.extract(), '')  # nothing to do
        self.assertEqual((self.dir / 'texts.json').read_bytes(), before)
        (self.dir / 'texts').write_text('another\n')
        self.assertIn('the texts are others', self.error('cbir-extract', '-o', 'texts', '--text-file', 'texts', '--model', 'colours',
                                                         expect=7))
        self.extract('--force')
        self.assertEqual(len(self.rows('texts')), 1)

    def test_texts_go_through_the_same_pipes(self):
        self.index()
        self.extract()
        lines = [line.split('\t') for line in self.query('--vectors', 'texts', '-k', 1).splitlines()]
        self.assertEqual([(line[0], line[3]) for line in lines],
                         [('0', 'photos/red/1.jpg'), ('1', 'photos/green/1.jpg'), ('2', 'photos/blue/1.jpg')])
        self.out('cbir-index', 'build', 'texts', '-o', 'texts.cbir')
        found = self.out('cbir-query', 'texts.cbir', 'photos/blue/1.jpg', '--text', 'green', '-k', 1, '--format', 'jsonl')
        self.assertEqual([json.loads(line)['path'] for line in found.splitlines()], ['blue/sky', 'a green bus'])
        self.assertTrue(json.loads(found.splitlines()[0])['text'])
        self.assertIn('a green bus\t1\t1.000000\ta green bus\n', self.out('cbir-query', 'texts.cbir', '--path', 'a green bus'))

    def test_templates_and_labels(self):
        (self.dir / 'labels.tsv').write_text('red\twarm\na green bus\t\nsky\tcold\n')
        self.extract('--template', 'a {}', '--template', '{} on blue', '--label', 'labels.tsv', '--dtype', 'float16')
        self.assertEqual([row.get('label') for row in self.rows('texts')], ['warm', None, 'cold'])
        vector = expected('a red') + expected('red on blue')
        np.testing.assert_allclose(np.load(self.dir / 'texts.npy')[0], vector / np.linalg.norm(vector), atol=1e-3)

    def test_bad_lines_are_skipped_and_listed(self):
        done = self.run_tool('cbir-extract', '-o', 'set', '--text-file', '-', '--model', 'colours', expect=3,
                             stdin=b'red\n\ncaf\xe9\n' + b'red ' * 30 + b'\n')
        self.assertEqual([row['seq'] for row in self.rows('set')], [0, 3])
        failed = [json.loads(line) for line in (self.dir / 'set.failed.jsonl').read_text().splitlines()]
        self.assertEqual([item['seq'] for item in failed], [1, 2])
        self.assertIn('line 3 is not UTF-8', failed[1]['reason'])
        self.assertIn(b'92 tokens, of which the network reads 77', done.stderr)
        self.assertIn(b'2 of 4 items skipped', done.stderr)
        self.error('cbir-extract', '-o', 'none', '--text-file', '-', '--model', 'colours', stdin=b'\n\n', expect=4)

    def test_wrong_use(self):
        for args in (['photos'], ['--files-from', 'x'], ['--alpha', 'drop'], ['--batch', 4], ['--hidden'], ['--max-pixels', 9],
                     ['--accept-truncated'], ['--include', '*'], ['--label', 'parent'], ['--npy-labels'], ['--template', 'x']):
            with self.subTest(args):
                self.error('cbir-extract', '-o', 'x', '--text-file', 'texts', '--model', 'colours', *args, expect=2)
        self.error('cbir-extract', '-o', 'x', 'photos', '--template', 'a {}', '--model', 'colours', expect=2)
        self.assertIn('pictures only', self.error('cbir-extract', '-o', 'x', '--text-file', 'texts', '--model', 'blind', expect=6))
        self.assertFalse((self.dir / 'x.state').exists())


class PlainArrays(TextTest):
    """--npy-labels: what NumPy's users pass around."""

    def extract(self, *args, **kw):
        return self.out('cbir-extract', '-o', 'tiny', 'photos', '--model', 'colours', '--npy-labels', *args, **kw)

    def test_numpy_reads_them(self):
        (self.dir / 'photos/größe 😀').mkdir()
        Image.new('RGB', (9, 9)).save(self.dir / 'photos/größe 😀/x.jpg')
        Image.new('RGB', (9, 9)).save(self.dir / 'x.jpg')
        self.out('cbir-extract', '-o', 'tiny', 'photos', 'x.jpg', '--model', 'colours', '--npy-labels')
        categories = np.load(self.dir / 'tiny_Categories.npy')
        self.assertEqual(categories.tolist(), ['blue', 'green', 'größe 😀', 'red', ''])
        np.save(self.dir / 'by_numpy.npy', np.array(categories.tolist()))
        self.assertEqual((self.dir / 'by_numpy.npy').read_bytes(), (self.dir / 'tiny_Categories.npy').read_bytes())
        self.assertEqual((self.dir / 'tiny_Embeddings.npy').read_bytes(), (self.dir / 'tiny.npy').read_bytes())

    def test_they_are_read_again(self):
        self.extract()
        self.out('cbir-index', 'build', 'tiny_Embeddings.npy', '-o', 'pair.cbir')
        first = json.loads(self.out('cbir-query', 'pair.cbir', '--row', 0, '-k', 1, '--format', 'jsonl'))
        self.assertEqual((first['path'], first['label']), ('0', 'blue'))

    def test_a_set_of_that_name_is_its_own_half(self):
        self.out('cbir-extract', '-o', 'x_Embeddings', 'photos', '--model', 'colours', '--npy-labels')
        self.assertEqual(np.load(self.dir / 'x_Categories.npy').tolist(), ['blue', 'green', 'red'])
        self.assertFalse((self.dir / 'x_Embeddings_Embeddings.npy').exists())

    def test_they_are_not_replaced_unasked(self):
        (self.dir / 'tiny_Categories.npy').write_bytes(b'mine')
        call = ['cbir-extract', '-o', 'tiny', 'photos', '--model', 'colours', '--npy-labels']
        self.assertIn('tiny_Categories.npy: exists already', self.error(*call, expect=7))
        self.assertFalse((self.dir / 'tiny.npy').exists())
        self.extract('--force')
        before = os.stat(self.dir / 'tiny_Categories.npy').st_mtime_ns
        self.extract()  # nothing to do
        self.assertEqual(os.stat(self.dir / 'tiny_Categories.npy').st_mtime_ns, before)
        (self.dir / 'tiny_Categories.npy').unlink()
        self.extract()  # what is missing is made
        self.assertEqual(len(np.load(self.dir / 'tiny_Categories.npy')), 3)

    def test_labels_that_numpy_has_no_strings_for(self):
        os.rename(os.fsencode(self.dir / 'photos/red'), os.fsencode(self.dir / 'photos') + b'/r\xff')
        self.assertIn('not UTF-8', self.error('cbir-extract', '-o', 'tiny', 'photos', '--model', 'colours', '--npy-labels',
                                              expect=6))

    def test_labels_are_needed(self):
        self.error('cbir-extract', '-o', 'x', 'photos', '--model', 'colours', '--npy-labels', '--label', 'none', expect=2)


class Page(TextTest):
    """Texts on the page, as Chromium shows it."""

    def page(self, index, *args):
        self.out('cbir-query', index, *args, '--format', 'html', '-o', 'page.html', '--force')
        return (self.dir / 'page.html').read_text()

    def test_texts_cannot_become_markup(self):
        self.index()
        text = '<script>alert("red")</script> & \'red\''
        page = self.page('photos.cbir', '--text', text, '--text', text + ':2', '--template', '<b>{}')
        self.assertEqual(page.count('<script>'), 1)  # the page's own
        self.assertNotIn('<b>', page)
        self.assertIn('&lt;script&gt;alert(', page)
        page = self.page('photos.cbir', '--text', text, '--text', text + ':2', '--combine')
        self.assertEqual(page.count('<script>'), 1)
        self.assertIn('class="terms"', page)

    def test_texts_are_shown_where_pictures_are(self):
        self.index()
        page = self.page('photos.cbir', '--text', 'größe', '--text', 'red ' * 20, '-k', 1)
        self.assertIn('<div class="words" title="größe"><h2 id="t1" dir="auto">größe</h2></div>', page)
        self.assertIn('<h2 id="t2" dir="auto">red red', page)
        self.assertEqual(page.count('data:image/jpeg'), 2)  # one result each

    def test_rows_of_texts_are_shown_as_texts(self):
        (self.dir / 'texts').write_text('a green bus\nred\n')
        self.out('cbir-extract', '-o', 'texts', '--text-file', 'texts', '--model', 'colours')
        self.out('cbir-index', 'build', 'texts', '-o', 'texts.cbir')
        page = self.page('texts.cbir', 'photos/red/1.jpg')
        self.assertEqual(page.count('class="words"'), 2)
        self.assertNotIn('class="unreadable"', page)


if __name__ == '__main__':
    main()
