"""datasets/get: archives as they are published, into the layout that the programs read."""
import io
import subprocess
import tarfile
from pathlib import Path

from cbirtest import ToolTest, main

GET = Path(__file__).resolve().parents[2] / 'datasets/get'


class DatasetsTest(ToolTest):
    def archive(self, name, files):
        with tarfile.open(self.dir / name, 'w:gz') as archive:
            for path in files:
                member = tarfile.TarInfo(path)
                member.size = len(path)
                archive.addfile(member, io.BytesIO(path.encode()))
        return self.dir / name

    def get(self, *arguments, status=0):
        done = subprocess.run([GET, *arguments], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr

    def files(self, folder):
        return sorted(str(path.relative_to(self.dir / folder)) for path in (self.dir / folder).rglob('*'))

    def test_oxford_has_pictures_and_ground_truth_apart(self):
        pictures = self.archive('oxbuild_images.tgz', ['all_souls_000000.jpg', 'radcliffe_camera_000523.jpg'])
        truth = self.archive('gt_files.tgz', ['all_souls_1_query.txt', 'all_souls_1_good.txt', 'README.md'])
        self.get('oxford', pictures, truth, self.dir / 'oxford')
        self.assertEqual(self.files('oxford'),
                         ['groundtruth', 'groundtruth/all_souls_1_good.txt', 'groundtruth/all_souls_1_query.txt',
                          'pictures', 'pictures/all_souls_000000.jpg', 'pictures/radcliffe_camera_000523.jpg'])

    def test_paris_comes_in_two_archives_of_folders_that_share_names(self):
        first = self.archive('paris_1.tgz', ['paris/defense/paris_defense_000000.jpg', 'paris/general/paris_general_1.jpg'])
        second = self.archive('paris_2.tgz', ['paris/general/paris_general_2.jpg'])
        truth = self.archive('paris_120310.tgz', ['defense_1_query.txt'])
        self.get('paris', first, second, truth, self.dir / 'paris')
        self.assertEqual(self.files('paris/pictures'),
                         ['paris_defense_000000.jpg', 'paris_general_1.jpg', 'paris_general_2.jpg'])
        self.assertEqual(self.files('paris/groundtruth'), ['defense_1_query.txt'])

    def test_what_is_missing_or_broken_is_named(self):
        truth = self.archive('gt_files.tgz', ['all_souls_1_query.txt'])
        self.assertIn('nothing.tgz: no such file', self.get('oxford', 'nothing.tgz', truth, self.dir / 'a', status=4))
        self.assertIn('no *.jpg in it', self.get('oxford', truth, truth, self.dir / 'b', status=4))
        (self.dir / 'broken.tgz').write_bytes(b'\x1f\x8b damaged')
        self.assertIn('broken.tgz', self.get('oxford', self.dir / 'broken.tgz', truth, self.dir / 'c', status=5))
        self.assertIn('usage', self.get('oxford', truth, status=2))


if __name__ == '__main__':
    main()
