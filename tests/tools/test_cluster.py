"""A Slurm cluster of one node on this machine, started by the test: an array of parts as docs/scaling.md has it, one task of
which is killed and requeued."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from cbirtest import BIN, SOURCE, main
from fakenet import FakeNetTest

DAEMONS = ('munged', 'slurmctld', 'slurmd', 'sbatch', 'scontrol', 'squeue')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Cluster(FakeNetTest):
    def setUp(self):
        super().setUp()
        missing = [name for name in DAEMONS if not shutil.which(name)]
        if missing:
            self.skipTest(f'{", ".join(missing)} not here: packages slurm-wlm and munge')
        if os.geteuid() != 0:
            self.skipTest('only root can start a slurmd')
        self.slurm = self.dir / '.slurm'
        self.start_munge()
        self.configure()
        self.env |= {'SLURM_CONF': str(self.slurm / 'slurm.conf'), 'PATH': f'{BIN}:{os.environ["PATH"]}'}
        self.start_daemon('slurmctld', ['slurmctld'])
        self.start_daemon('slurmd', ['slurmd', '-N', 'node'])
        self.wait(lambda: 'State=IDLE' in self.command('scontrol', 'show', 'node', 'node', check=False), 'an idle node')

    def command(self, *args, check=True):
        done = subprocess.run([str(a) for a in args], cwd=self.dir, env=self.environ(), capture_output=True, text=True)
        if check and done.returncode != 0:
            self.fail(f'{args} exited with {done.returncode}: {done.stderr}\n{self.logs()}')
        return done.stdout

    def logs(self):
        return '\n'.join(path.read_text()[-2000:] for path in self.slurm.glob('*.log'))

    def wait(self, condition, what, seconds=300):
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f'waited in vain for {what}\n{self.logs()}')
            time.sleep(.05)

    def stop_by_pid_file(self, path):
        if path.exists():
            pid = int(path.read_text())
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 10
            while Path(f'/proc/{pid}').exists() and time.monotonic() < deadline:
                time.sleep(.02)

    def start_daemon(self, name, command):
        done = subprocess.run(command, cwd=self.dir, env=self.environ(), capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            self.skipTest(f'{name} does not start here: {done.stderr.strip()[-300:]} {self.logs()[-300:]}')
        self.addCleanup(self.stop_by_pid_file, self.slurm / f'{name}.pid')

    def start_munge(self):
        """With a key and a socket of its own, beside any that the machine may have."""
        folder = self.slurm / 'munge'
        folder.mkdir(parents=True)
        for path in (self.dir, self.slurm, folder):
            path.chmod(0o755)
        (folder / 'key').write_bytes(os.urandom(64))
        (folder / 'key').chmod(0o600)
        self.start_daemon('munged', ['munged', '--force', '--num-threads=1'] + [
            f'--{option}={folder / name}' for option, name in (('key-file', 'key'), ('socket', 'socket'), ('log-file', 'log'),
                                                               ('seed-file', 'seed'))] +
            [f'--pid-file={self.slurm / "munged.pid"}'])

    def configure(self):
        """A node that takes all four tasks at once, whatever the machine has."""
        host = socket.gethostname().split('.')[0]
        for name in ('state', 'spool'):
            (self.slurm / name).mkdir()
        files = {key: self.slurm / name for key, name in (
            ('StateSaveLocation', 'state'), ('SlurmdSpoolDir', 'spool'), ('SlurmctldPidFile', 'slurmctld.pid'),
            ('SlurmdPidFile', 'slurmd.pid'), ('SlurmctldLogFile', 'slurmctld.log'), ('SlurmdLogFile', 'slurmd.log'))}
        plain = {'ClusterName': 'test', 'SlurmctldHost': f'{host}(127.0.0.1)', 'SlurmUser': 'root', 'SlurmdUser': 'root',
                 'AuthType': 'auth/munge', 'AuthInfo': f'socket={self.slurm}/munge/socket', 'CredType': 'cred/munge',
                 'SlurmctldPort': free_port(), 'SlurmdPort': free_port(), 'ProctrackType': 'proctrack/linuxproc',
                 'TaskPlugin': 'task/none', 'SelectType': 'select/cons_tres', 'SelectTypeParameters': 'CR_CPU',
                 'MpiDefault': 'none', 'MailProg': '/bin/true', 'AccountingStorageType': 'accounting_storage/none',
                 'JobAcctGatherType': 'jobacct_gather/none', 'ReturnToService': 2,
                 'SlurmdParameters': 'config_overrides'}
        text = ''.join(f'{key}={value}\n' for key, value in {**plain, **files}.items())
        text += f'NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs=4\n'
        text += 'PartitionName=main Nodes=node Default=YES State=UP\n'
        (self.slurm / 'slurm.conf').write_text(text)

    def documented_script(self):
        """The array's script in docs/scaling.md."""
        blocks = re.findall(r'(?:^    .*\n)+', (SOURCE / 'docs/scaling.md').read_text(), re.MULTILINE)
        script = next(block for block in blocks if '#SBATCH' in block)
        (self.dir / 'extract.sbatch').write_text(re.sub('^    ', '', script, flags=re.MULTILINE))

    def processes(self, part):
        """Of the task that makes a part."""
        wanted = f'\0--shard\0{part}\0'.encode()
        found = []
        for path in Path('/proc').glob('[0-9]*'):
            try:
                if wanted in (path / 'cmdline').read_bytes() and os.readlink(path / 'cwd') == str(self.dir):
                    if Path(os.readlink(path / 'exe')).name == 'cbir-extract':
                        found.append(int(path.name))
            except OSError:
                pass  # it has ended
        return found

    def test_an_array_with_a_task_that_is_killed(self):
        for i in range(120):
            self.put(f'pictures/{i}.jpg', i)
        (self.dir / 'pictures/broken.jpg').write_text('this is no picture')
        args = ['--model', 'colours', '--batch', '4', '--threads', '1']
        self.hold(4)
        self.documented_script()
        job = self.command('sbatch', '--parsable', '--output=log-%a', 'extract.sbatch', '-o', 'photos', *args, 'pictures').strip()

        journal = self.dir / 'photos.2-of-4.state/journal'
        self.wait(lambda: journal.exists() and journal.stat().st_size == 3 * 128, 'three batches of part 2')
        for pid in self.processes('2/4'):
            with contextlib.suppress(ProcessLookupError):  # decoders end with the one that they work for
                os.kill(pid, signal.SIGKILL)
        self.wait(lambda: not self.processes('2/4'), 'the end of the task')
        self.release()
        self.assertFalse((self.dir / 'photos.2-of-4.json').exists())
        self.command('scontrol', 'requeue', f'{job}_2')

        waiting_since = []

        def all_ended():
            states = self.command('squeue', '--noheader', '--states=all', '--format=%T', f'--jobs={job}', check=False)
            self.assertNotIn('FAILED', states, self.logs())
            if 'PENDING' in states:
                # Not after Slurm's pause of two minutes; but what starts in the second in which the killed one ended is
                # taken for that one, and killed as well.
                waiting_since.append(time.monotonic())
                if waiting_since[-1] - waiting_since[0] > 2:
                    self.command('scontrol', 'update', f'jobid={job}_2', 'StartTime=now', check=False)
            return not states.replace('COMPLETED', '').strip()

        self.wait(all_ended, 'the end of all tasks')
        self.assertIn('going on after', (self.dir / 'log-2').read_text())
        self.command('sbatch', '--wait', '--output=log-build', '--wrap', "cbir-index build 'photos.*-of-4' -o photos.cbir")
        self.run_tool('cbir-extract', '-o', 'whole', *args, 'pictures', expect=3)
        self.run_tool('cbir-index', 'build', 'whole', '-o', 'whole.cbir')
        self.assertEqual((self.dir / 'photos.cbir').read_bytes(), (self.dir / 'whole.cbir').read_bytes())


if __name__ == '__main__':
    main()
