"""What the tests of the programs share: running the real binary and looking at what it did.

Run through ctest, or alone:  CBIR_BIN=build/release/bin /usr/bin/python3 tests/tools/test_eval.py
"""
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get('CBIR_BIN', SOURCE / 'build/release/bin')).resolve()
SHARED = Path(os.environ.get('CBIR_TEST_DATA', SOURCE.parent / 'shared/data'))  # real pictures; absent for most users


MOMENTS = BIN.parent / 'moments/libcbir_moments.so'


class ToolTest(unittest.TestCase):
    """Each test runs in an empty folder of its own."""

    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix='cbir-tools-'))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def run_tool(self, *args, stdin=b'', env=None, expect=0):
        """Runs a program (args[0], without its folder); demands the exit status `expect` unless None. Returns bytes."""
        command = [str(BIN / args[0])] + [str(a) if not isinstance(a, bytes) else a for a in args[1:]]
        done = subprocess.run(command, input=stdin, capture_output=True, cwd=self.dir,
                              env={**os.environ, **(env or {})}, timeout=600)
        if expect is not None and done.returncode != expect:
            self.fail(f'{command} exited with {done.returncode}, not {expect}\n'
                      f'stdout: {done.stdout[-2000:]!r}\nstderr: {done.stderr[-2000:].decode(errors="replace")}')
        return done

    def bad_luck(self, moment, how='kill', folder=None):
        """An environment in which that call of a program, from 1, that changes a file below a folder (the test's own) goes wrong,
        in a way that tests/faults/moments.cpp tells."""
        counter = self.dir / '.moments'
        counter.write_bytes(bytes(8))
        return {'LD_PRELOAD': str(MOMENTS), 'MOMENTS_FOLDER': str(folder or self.dir), 'MOMENTS_COUNTER': str(counter),
                'MOMENTS_AT': str(moment), 'MOMENTS_HOW': how}

    def out(self, *args, **kw):
        """Standard output as text; standard error must be silent."""
        done = self.run_tool(*args, **kw)
        self.assertEqual(done.stderr, b'', f'{args[0]} said something on standard error')
        return done.stdout.decode()

    def error(self, *args, expect, **kw):
        """Standard error of a run that must fail with `expect`; standard output must be silent."""
        done = self.run_tool(*args, expect=expect, **kw)
        self.assertEqual(done.stdout, b'')
        self.assertTrue(done.stderr.startswith(args[0].encode() + b': error: '), done.stderr)
        return done.stderr.decode(errors='replace')


class _Xxh3Digest(ctypes.Structure):
    _fields_ = [('low', ctypes.c_uint64), ('high', ctypes.c_uint64)]


_xxhash = ctypes.CDLL('libxxhash.so.0')  # which the programs link, too
_xxhash.XXH3_128bits.restype, _xxhash.XXH3_128bits.argtypes = _Xxh3Digest, [ctypes.c_char_p, ctypes.c_size_t]


def xxh3(data):
    """XXH3 with 128 bits, as hexadecimal digits."""
    digest = _xxhash.XXH3_128bits(data, len(data))
    return f'{digest.high:016x}{digest.low:016x}'


def need(test, path):
    """Skips a test, saying so, if the data or program it needs is not here."""
    if not Path(path).exists():
        test.skipTest(f'{path} is not here')


def peer_python(test, name=None):
    """The Python interpreter that has the packages of tests/peers/NAME.txt (default: requirements); skips a test where they
    are not and cannot be fetched."""
    done = subprocess.run([SOURCE / 'tests/peers/environment'] + ([name] if name else []), capture_output=True, text=True,
                          timeout=600)
    if done.returncode != 0:
        test.skipTest(done.stderr.strip())
    return done.stdout.strip()


def main():
    """Runs the tests of the calling file. Each that is skipped is named on a line of its own, with the reason; if all are,
    the exit status is 77, which ctest shows as skipped."""
    result = unittest.main(exit=False).result
    for test, reason in result.skipped:
        print(f'skipped: {test.id()}: {reason}')
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.skipped and len(result.skipped) >= result.testsRun else 0)
