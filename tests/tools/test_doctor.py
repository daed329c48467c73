"""cbir-doctor: same seed, same bytes; what copies are like; the manifest; wrong use."""
import io
import os

from PIL import Image, ImageDraw

from cbirtest import ToolTest, main


def picture(path, shade, size=(160, 120), mode='RGB', **save):
    image = Image.new(mode, size, (shade, 90, 200, 255)[:len(mode)])
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, 20 + shade, 90), fill=(200, shade, 30, 255)[:len(mode)])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **save)


class Doctor(ToolTest):
    def setUp(self):
        super().setUp()
        for i in range(12):
            picture(self.dir / f'in/class{i % 3}/{i}.jpg', 10 * i + 10, quality=92)

    def copies(self, folder):
        """Content of every file by its name below the folder."""
        return {str(p.relative_to(self.dir / folder)): p.read_bytes()
                for p in (self.dir / folder).rglob('*') if p.is_file()}

    def manifest(self, folder):
        return [line.split('\t') for line in (self.dir / folder / 'manifest.tsv').read_text().splitlines()]

    def test_same_seed_same_bytes_on_any_number_of_threads(self):
        for threads in 1, 2, 4:
            self.assertEqual(self.out('cbir-doctor', 'in', '-o', f'out{threads}', '--count', 7, '--seed', 3,
                                      '--threads', threads), '')
        self.out('cbir-doctor', 'in', '-o', 'other', '--count', 7, '--seed', 4)
        one = self.copies('out1')
        self.assertEqual(len(one), 8)
        self.assertEqual(self.copies('out2'), one)
        self.assertEqual(self.copies('out4'), one)
        self.assertNotEqual(self.copies('other'), one)

    def test_the_manifest_names_copy_original_attack_and_seed(self):
        self.out('cbir-doctor', 'in', '-o', 'out', '--seed', 5)
        lines = self.manifest('out')
        self.assertEqual(len(lines), 12)
        self.assertEqual({line[0] for line in lines} | {'manifest.tsv'}, set(self.copies('out')))
        defaults = [line.split('\t')[1] for line in self.out('cbir-doctor', '--list').splitlines()
                    if line.startswith('default\t')]
        for i, (copy, original, attack, seed) in enumerate(lines):
            self.assertTrue((self.dir / original).is_file())
            self.assertEqual(copy.split('/')[0], original.split('/')[-2])  # labels by parent folder agree
            self.assertEqual(attack, defaults[i % len(defaults)])
            self.assertEqual(seed, '5')

    def test_copies_are_what_their_names_say(self):
        self.out('cbir-doctor', 'in', '-o', 'out', '--all', '--attacks', 'crop,shrink,mirror,border,recompress,crop:strong+mirror')
        for copy, original, attack, _ in self.manifest('out'):
            image, source = (Image.open(io.BytesIO((self.dir / path).read_bytes())) for path in (f'out/{copy}', original))
            self.assertEqual(image.format, 'JPEG')
            size = {'crop': (112, 84), 'shrink': (80, 60), 'border': (180, 140), 'crop:strong+mirror': (80, 60)}
            self.assertEqual(image.size, size.get(attack, source.size))
            if attack == 'mirror':
                mirrored = source.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
                differences = [abs(a - b) for a, b in zip(image.tobytes(), mirrored.tobytes())]
                self.assertLess(sum(differences) / len(differences), 3)
            if attack == 'recompress':
                buffer = io.BytesIO()
                source.save(buffer, 'JPEG', quality=20)
                self.assertEqual(image.quantization, Image.open(buffer).quantization)

    def test_alpha_becomes_white(self):
        image = Image.new('RGBA', (40, 40), (255, 0, 0, 0))
        (self.dir / 'stamps').mkdir()
        image.save(self.dir / 'stamps/clear.png')
        self.out('cbir-doctor', 'stamps', '-o', 'out', '--attacks', 'mirror')
        with Image.open(self.dir / 'out/stamps/clear.png.mirror.jpg') as copy:
            self.assertGreater(min(copy.tobytes()), 250)

    def test_unreadable_pictures_are_skipped_and_named(self):
        (self.dir / 'in/class0/torn.jpg').write_bytes((self.dir / 'in/class0/0.jpg').read_bytes()[:400])
        (self.dir / 'in/notes.txt').write_text('no picture')
        done = self.run_tool('cbir-doctor', 'in', '-o', 'out', expect=3)
        self.assertIn(b'in/class0/torn.jpg: ', done.stderr)
        self.assertIn(b'1 picture skipped', done.stderr)
        self.assertNotIn(b'notes.txt', done.stderr)
        self.assertEqual(len(self.manifest('out')), 12)

    def test_names_that_are_no_text(self):
        name = b'tab\there\xff\n.jpg'
        os.link(self.dir / 'in/class0/0.jpg', os.fsencode(self.dir / 'in/class0') + b'/' + name)
        self.out('cbir-doctor', 'in/class0', '-o', 'out', '--attacks', 'mirror')
        self.assertIn(name + b'.mirror.jpg', os.listdir(os.fsencode(self.dir / 'out/class0')))
        self.assertIn('class0/tab\\there\\xff\\n.jpg.mirror.jpg\tin/class0/tab\\there\\xff\\n.jpg\tmirror\t1\n',
                      (self.dir / 'out/manifest.tsv').read_text())

    def test_nothing_is_overwritten_without_force(self):
        self.out('cbir-doctor', 'in', '-o', 'out')
        before = self.copies('out')
        self.assertIn('--force', self.error('cbir-doctor', 'in', '-o', 'out', '--seed', 2, expect=7))
        self.assertEqual(self.copies('out'), before)
        self.out('cbir-doctor', 'in', '-o', 'out', '--force')
        self.assertEqual(self.copies('out'), before)
        done = self.run_tool('cbir-doctor', 'in', '-o', 'out', '--force', '--count', 2, '--attacks', 'mirror,crop')
        remain = len(self.copies('out')) - len(self.manifest('out')) - 1
        self.assertIn(f'{remain} copies of an earlier run remain', done.stderr.decode())

    def test_options_may_stand_before_paths(self):
        self.out('cbir-doctor', '--attacks', 'mirror,crop', 'in', '-o', 'out')
        self.assertEqual({line[2] for line in self.manifest('out')}, {'mirror', 'crop'})

    def attacks(self):
        """Names of all."""
        return [line.split('\t')[0] for line in self.out('cbir-doctor', '--list').splitlines()
                if not line.startswith('default\t')]

    def test_all_attacks_in_three_strengths(self):
        self.out('cbir-doctor', 'in/class0/0.jpg', '-o', 'out', '--all', '--attacks', 'all:light,all,all:strong')
        names = self.attacks()
        self.assertEqual(set(names), {
            'watermark', 'logo', 'crop', 'border', 'collage', 'screenshot', 'recompress', 'shrink', 'blur', 'noise', 'colour',
            'grey', 'mirror', 'rotate5', 'rotate90', 'perspective'})
        self.assertEqual({line[2] for line in self.manifest('out')},
                         {name + strength for name in names for strength in (':light', '', ':strong')})
        alike = {'mirror', 'rotate90'}  # there is no more or less of them
        contents = {}
        for copy, _, attack, _ in self.manifest('out'):
            if attack.split(':')[0] not in alike:
                contents.setdefault((self.dir / 'out' / copy).read_bytes(), []).append(attack)
        self.assertEqual(len(contents), 3 * (len(names) - len(alike)))
        self.assertIn('no such strength', self.error('cbir-doctor', 'in', '-o', 'x', '--attacks', 'all:hard', expect=2))
        self.error('cbir-doctor', 'in', '-o', 'x', '--attacks', 'all+crop', expect=2)

    def test_distractors_that_are_drawn_are_left_out_of_the_database(self):
        for threads in 1, 4:
            self.out('cbir-doctor', 'in', '-o', f'out{threads}', '--count', 4, '--distractors', 5, '--seed', 2,
                     '--threads', threads)
        self.assertEqual(self.copies('out1'), self.copies('out4'))
        lines = self.manifest('out1')
        self.assertEqual([bool(line[1]) for line in lines], [True] * 4 + [False] * 5)
        database = (self.dir / 'out1/database.txt').read_text().splitlines()
        self.assertEqual(len(database), 12 - 5)
        for copy, original, attack, _ in lines:
            picture = 'in/' + copy[:-len(f'.{attack}.jpg')]  # no strengths in the default choice
            self.assertTrue((self.dir / picture).is_file())
            self.assertEqual(picture in database, bool(original))
        defaults = [line.split('\t')[1] for line in self.out('cbir-doctor', '--list').splitlines()
                    if line.startswith('default\t')]
        self.assertEqual([line[2] for line in lines], defaults[:4] + defaults[:5])  # doctored as the others are

    def test_distractors_of_a_folder(self):
        for i in range(3):
            picture(self.dir / f'7/{i}.jpg', 200 + i)
        self.out('cbir-doctor', 'in', '-o', 'out', '--distractors', './7', '--attacks', 'mirror')
        self.assertEqual([line[:2] for line in self.manifest('out')[12:]], [[f'7/{i}.jpg.mirror.jpg', ''] for i in range(3)])
        self.assertEqual(len((self.dir / 'out/database.txt').read_text().splitlines()), 12)
        (self.dir / 'out/manifest.tsv').unlink()
        self.assertIn('database.txt', self.error('cbir-doctor', 'in', '-o', 'out', '--distractors', './7', '--attacks', 'crop',
                                                 expect=7))

    def test_distractors_that_make_no_sense(self):
        self.assertIn('among the distractors', self.error('cbir-doctor', 'in', '-o', 'x', '--distractors', 'in/class1', expect=2))
        self.assertIn('no picture is left', self.error('cbir-doctor', 'in', '-o', 'x', '--distractors', 12, expect=2))
        self.error('cbir-doctor', 'in', '-o', 'x', '--distractors', 'nowhere', expect=4)
        (self.dir / 'empty').mkdir()
        self.error('cbir-doctor', 'in', '-o', 'x', '--distractors', 'empty', expect=4)
        os.rename(self.dir / 'in/class2/2.jpg', self.dir / 'in/class2/a\nb.jpg')
        self.assertIn('newline', self.error('cbir-doctor', 'in', '-o', 'x', '--distractors', 1, expect=2))
        self.assertFalse((self.dir / 'x').exists())

    def test_more_wanted_than_there_are(self):
        done = self.run_tool('cbir-doctor', 'in', '-o', 'out', '--count', 100)
        self.assertIn(b'100 pictures wanted, but there are only 12', done.stderr)
        self.assertEqual(len(self.manifest('out')), 12)

    def test_wrong_use(self):
        self.error('cbir-doctor', expect=2)
        self.error('cbir-doctor', 'in', expect=2)
        self.error('cbir-doctor', '-o', 'out', expect=2)
        self.assertIn('there are watermark, logo, crop', self.error('cbir-doctor', 'in', '-o', 'out', '--attacks', 'cut', expect=2))
        for wrong in (['--quality', 0], ['--quality', 101], ['--count', '-1'], ['--seed', 'x'], ['--threads', '-1']):
            self.error('cbir-doctor', 'in', '-o', 'out', *wrong, expect=2)
        self.error('cbir-doctor', 'nowhere', '-o', 'out', expect=4)
        (self.dir / 'empty').mkdir()
        self.error('cbir-doctor', 'empty', '-o', 'out', expect=4)
        (self.dir / 'file').write_text('')
        self.error('cbir-doctor', 'in', '-o', 'file', expect=7)
        self.assertFalse((self.dir / 'out').exists())

    def test_copies_and_their_manifest_go_through_cbir_eval(self):
        self.out('cbir-doctor', 'in', '-o', 'out', '--count', 6)
        ranking = ''.join(f'{self.dir}/out/{copy}\t1\t0.9\t{original}\n' for copy, original, _, _ in self.manifest('out'))
        (self.dir / 'ranking.tsv').write_text(ranking)
        done = self.run_tool('cbir-eval', 'copies', 'ranking.tsv', '--manifest', 'out/manifest.tsv')
        self.assertTrue(done.stdout.startswith(b'first\t1.000000\n'))
        self.assertIn(b'first_count\t6\n', done.stdout)


if __name__ == '__main__':
    main()
