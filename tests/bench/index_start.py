"""What a whole process takes, from its start to its end, in milliseconds: see ./index."""
import os
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get('CBIR_BIN', SOURCE / 'build/tests/bin'))
RUNS = 100


def median(*command):
    """The median of many runs, and the quickest, in turns with nothing else."""
    command = [str(word) for word in command]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        process = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, nowhere, 1)])
        _, status = os.waitpid(process, 0)
        times.append((time.perf_counter() - start) * 1e3)
        if status:
            sys.exit(f'{command[0]}: wait status {status}')
    os.close(nowhere)
    times.sort()
    return f'{times[RUNS // 2]:.2f} ({times[0]:.2f})'


def main():
    if len(sys.argv) != 3:
        sys.exit('index start X.cbir QUERY.npy')
    index, query = sys.argv[1:]
    for name, command in (('a process that does nothing', ('/bin/true',)),
                          ('cbir-query --version', (BIN / 'cbir-query', '--version')),
                          ('cbir-index info', (BIN / 'cbir-index', 'info', index)),
                          ('cbir-query --vectors', (BIN / 'cbir-query', index, '--vectors', query, '-k', '10'))):
        print(f'{name}\t{median(*command)}', flush=True)


if __name__ == '__main__':
    main()
