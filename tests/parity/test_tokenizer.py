"""CLIP's tokenizer beside the original, token by token."""
import json
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
from cbirtest import BIN, main, peer_python  # noqa: E402
from texts import characters, texts  # noqa: E402

PEER = Path(__file__).resolve().with_name('tokens_peer.py')
LINES = 10000
MOST_REPAIRED = .05  # of the lines, that the original's repair of encodings may change


class Tokenizer(unittest.TestCase):
    def setUp(self):
        self.python = peer_python(self)
        self.vocabulary = self.run_lines([self.python, PEER, 'vocabulary'])[0]

    def run_lines(self, command, lines=()):
        done = subprocess.run(command, input='\n'.join(t.encode().hex() for t in lines), capture_output=True, text=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split('\n')[:-1]

    def ours(self, lines, *context):
        return self.run_lines([BIN / 'tokens_tool', self.vocabulary, *context], lines)

    def compare(self, lines):
        """Demands that both give the same, but for lines whose encoding the original repairs. Says what it saw."""
        theirs = [json.loads(line) for line in self.run_lines([self.python, PEER], lines)]
        start = time.monotonic()
        tokens = self.ours(lines)
        seconds = time.monotonic() - start
        rows = self.ours(lines, '77')
        self.assertEqual([len(theirs), len(tokens), len(rows)], [len(lines)] * 3)

        repaired = cut = 0
        for text, original, ours, row in zip(lines, theirs, tokens, rows):
            if original['mojibake']:
                repaired += 1
                continue
            self.assertEqual([int(t) for t in ours.split()], original['tokens'], ascii(text))
            long = len(original['tokens']) + 2 > 77
            cut += long
            self.assertEqual(row, ' '.join(map(str, original['row'])) + (' +' if long else ''), ascii(text))
        self.assertLess(repaired, MOST_REPAIRED * len(lines))
        print(f'{self.id()}: {len(lines) - repaired} lines equal, {cut} of them cut to 77 tokens; {repaired} left out, whose '
              f'encoding the original repairs; ours took {seconds:.2f} s, reading the vocabulary included', file=sys.stderr)
        return cut

    def test_mixed_languages(self):
        self.assertGreater(self.compare(texts(LINES)), 100)

    def test_every_character(self):
        self.compare(characters())


if __name__ == '__main__':
    main()
