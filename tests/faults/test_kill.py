"""kill -9 at random moments: an index is the old one or the new one, never anything else, and a rerun finishes."""
import random
import shutil
import signal
import subprocess
import time
import unittest

from cbirtest import BIN, main
from faults import ATTEMPTS, MANY, TYPES, IndexFaultTest


class Kill(IndexFaultTest):
    # A single attempt is asked for where builds are slow (sanitizers): they need not last long to be killed once.
    ROWS, MORE = (20000, 16000) if ATTEMPTS > 1 else (2000, 1600)

    def setUp(self):
        super().setUp()
        self.make_set('base', self.ROWS, 1)
        self.make_set('more', self.MORE, 2)

    def killed(self, seconds, *args):
        """Runs a command and kills it after a while; whether it had ended by itself."""
        process = subprocess.Popen([str(BIN / 'cbir-index'), *args], cwd=self.dir, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        return process.wait() == 0

    def attempts(self, args, before, after, rerun_statuses):
        """Kills the command at random moments. `before` and `after`: rows of the old index (None: no file) and of the
        new one. The rerun ends with one of the statuses: the change may have been there already."""
        start = time.monotonic()
        self.run_tool('cbir-index', *args)
        whole = time.monotonic() - start
        finished = self.rows() if after is None else after
        self.assertEqual(self.rows(), finished)
        random.seed(1)
        for attempt in range(ATTEMPTS if MANY else min(ATTEMPTS, 2)):  # test_moments.py kills at chosen ones
            (self.dir / 'x.cbir').unlink()
            if before is not None:
                shutil.copy(self.dir / 'old.cbir', self.dir / 'x.cbir')
            ended = self.killed(random.uniform(0, 1.1 * whole), *args)
            there = (self.dir / 'x.cbir').exists()
            rows = self.rows() if there else None
            with self.subTest(attempt=attempt, ended=ended):
                self.assertIn(rows, (before, finished))
                if ended:
                    self.assertEqual(rows, finished)
            done = self.run_tool('cbir-index', *args, *(['--force'] if before is None else []), expect=None)
            self.assertIn(done.returncode, rerun_statuses, done.stderr)
            self.assertEqual(self.rows(), finished)
            self.assertEqual([p.name for p in self.dir.iterdir() if p.name.startswith('.') or 'tmp' in p.name], [])

    def test_kill(self):
        for kind in TYPES:
            with self.subTest(type=kind):
                for name in ('x.cbir', 'old.cbir'):
                    (self.dir / name).unlink(missing_ok=True)
                self.attempts(['build', 'base', '-o', 'x.cbir', '--type', kind], None, self.ROWS, (0,))
                shutil.copy(self.dir / 'x.cbir', self.dir / 'old.cbir')
                self.attempts(['add', 'x.cbir', 'more'], self.ROWS, self.ROWS + self.MORE, (0, 6))
                shutil.copy(self.dir / 'x.cbir', self.dir / 'old.cbir')
                self.attempts(['remove', 'x.cbir', '--where-label', 'odd'], self.ROWS + self.MORE,
                              (self.ROWS + self.MORE) // 2, (0, 4))
                shutil.copy(self.dir / 'x.cbir', self.dir / 'old.cbir')
                left = (self.ROWS + self.MORE) // 2
                self.attempts(['compact', 'x.cbir'], left, left, (0,))


if __name__ == '__main__':
    main()
