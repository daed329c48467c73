"""Texts of many languages and of none, the same for a seed: what people type, paste and scrape."""
import html.entities
import random
import unicodedata

SCRIPTS = {
    'latin': 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ',
    'accents': 'àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœŒšŠžŽßẞĀāĐđĞğıİŁłŐőŞşŢţŮůǅǈĳŉÅÉÑÖÜ',
    'vietnamese': 'ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹƠơƯư',
    'greek': 'αβγδεζηθικλμνξοπρστυφχψωΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩάέήίόύώϊϋΐΰΆΈς',
    'cyrillic': 'абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯёЁіїєґђљњћџ',
}
RANGES = {
    'armenian': (0x531, 0x588), 'hebrew': (0x5B0, 0x5F4), 'arabic': (0x61B, 0x6D5), 'devanagari': (0x901, 0x96F),
    'bengali': (0x981, 0x9F1), 'tamil': (0xB82, 0xBF2), 'thai': (0xE01, 0xE5B), 'tibetan': (0xF00, 0xFBC),
    'georgian': (0x10A0, 0x10FF), 'ethiopic': (0x1200, 0x137C), 'cherokee': (0x13A0, 0x13FD), 'khmer': (0x1780, 0x17F9),
    'kana': (0x3041, 0x30FF), 'cjk': (0x4E00, 0x9FA5), 'hangul': (0xAC00, 0xD7A3), 'jamo': (0x1100, 0x11FF),
    'rare cjk': (0x20000, 0x2A6D6), 'gothic': (0x10330, 0x1034A), 'deseret': (0x10400, 0x1044F),
    'mathematical': (0x1D400, 0x1D7FF), 'polytonic': (0x1F00, 0x1FFE), 'combining': (0x300, 0x36F),
    'symbols': (0x2010, 0x2BFF), 'widths': (0xFF01, 0xFFEE), 'presentation': (0xFB00, 0xFDFB), 'numbers': (0x2150, 0x218B),
    'latin extended': (0x100, 0x24F), 'compatibility': (0x3200, 0x33FF),
}
WORDS = ('a photo of the red double-decker bus dog cat mountain Straße GROẞE ΌΔΟΣ ΣΊΣΥΦΟΣ Σ ΑΣ. İSTANBUL ISPARTA ılık naïve '
         'façade smörgåsbord Здравствуйте 東京タワー 你好世界 สวัสดี नमस्ते مرحبا שלום 안녕하세요 Ελλάς đường Łódź ﬁnancial oﬃce '
         'ſtill it\'s we\'re I\'ve they\'ll don\'t I\'m he\'d O\'Reilly rock\'n\'roll DON\'T WE\'LL \'\'s ’tis it’s “quoted” '
         '‘single’ „low“ x2 3D 4K 1,234.56 ½ ² Ⅷ ٣٤ १२३ ๔๕ ㊿ 10% $5 €3 http://example.org/a?b=c&d=%20#e user@example.org '
         '#hashtag @name C++ f(x)=y; <b>bold</b> <|startoftext|> <|endoftext|> <|STARTOFTEXT|> <start_of_text> <end_of_text> '
         '<|ſtartoftext|> ... !!! ?!?! --- ___ *** ~~~ \\n \\t \\x00 ¯\\_(ツ)_/¯ (╯°□°)╯︵ ┻━┻ \x1b[31mred\x1b[0m \x1b[1;m').split(' ')
EMOJI = ['😀', '👍🏽', '👨‍👩‍👧‍👦', '🏳️‍🌈', '🇩🇪', '🇯🇵🇫🇷', '❤️', '❤', '1️⃣', '🏴󠁧󠁢󠁷󠁬󠁳󠁿', '🤷🏿‍♀️', '☃', '✈︎', '🫠']
SPACES = [' ', '  ', '\t', '\n', '\r\n', '\r', '\u00a0', '\u2003', '\u3000', '\u2028', '\u202f', '\u1680', '\f', '\u205f']
CONTROLS = [chr(c) for c in range(32)] + ['\x7f', '\u200b', '\u200d', '\u200e', '\ufeff', '\ufffc', '\u206a', '\u00ad', '\u0345', '\u180e',
                                          '\ufe0f', '\u2060', '\U000e0020']
BROKEN = ['&', '&&amp;', '&amp', '&ampx;', '&notit;', '&NOTIN;', '&EACUTE;', '&SZLIG;', '&nope;', '&#', '&#;', '&#x;', '&#xg', '&#65', '&#65;',
          '&#x41;', '&#X1F600;', '&#0;', '&#128;', '&#x85;', '&#xD800;', '&#x110000;', '&#99999999999;', '&#xFFFE;', '&#11;', '&#13;', '&#59;',
          '&#65abc;', '&amp;amp;', '&amp;amp;lt;', '&lt;b&gt;', '&lt', '&copy2024', '&hellip', '&quot;', '&apos;', '&nbsp;', '&frac12;',
          '&FRAC12;', '&ThickSpace;', '&NotEqualTilde;', '&CounterClockwiseContourIntegral;', '&CounterClockwiseContourIntegralX;', '&#x26;amp;',
          '&é;', '&lté', '&amp\n;', '&Amp;', '&gT;', '&GT', '&ſzlig;']


def assigned(first, last):
    """Characters that every Unicode of the last years has."""
    return [chr(c) for c in range(first, last + 1) if unicodedata.category(chr(c)) not in ('Cn', 'Cs', 'Co')]


def characters():
    """Every character that this Python's Unicode has, each within a word and at its end."""
    known = assigned(0, 0x10FFFF)
    return [' '.join(f'a{c}b{c}' for c in known[i:i + 8]) for i in range(0, len(known), 8)]


def texts(count, seed=1):
    """`count` texts; the first hold every named reference of HTML and every ligature."""
    rng = random.Random(seed)
    scripts = {name: list(letters) for name, letters in SCRIPTS.items()} | {name: assigned(*r) for name, r in RANGES.items()}
    common = list(SCRIPTS) + ['hebrew', 'arabic', 'devanagari', 'thai', 'kana', 'cjk', 'hangul']

    def word():
        kind = rng.random()
        if kind < .35:
            return rng.choice(WORDS)
        if kind < .40:
            return rng.choice(EMOJI) * rng.choice([1, 1, 2])
        if kind < .44:
            return rng.choice(BROKEN)
        if kind < .46:
            return str(rng.randint(0, 10 ** rng.randint(1, 12)))
        if kind < .49:
            return ''.join(rng.choice('!"#$%\'()*+,-./:;=>?@[]^_`{|}~') for _ in range(rng.randint(1, 6)))
        if kind < .51:
            return rng.choice(CONTROLS) + rng.choice(WORDS)
        letters = scripts[rng.choice(common if kind < .9 else list(scripts))]
        made = ''.join(rng.choice(letters) for _ in range(rng.randint(1, 9)))
        form = rng.random()
        return made.upper() if form < .1 else unicodedata.normalize('NFD', made) if form < .2 else made

    def spaced(words):
        return ''.join(w + (' ' if rng.random() < .93 else rng.choice(SPACES)) for w in words)

    out = []
    names = sorted(html.entities.html5)
    for i in range(0, len(names), 4):
        out.append(' '.join(f'&{name}' + rng.choice(['', ' ', 'x', '1', ';']) for name in names[i:i + 4]))
        out.append(' '.join(f'&{name.upper()}' for name in names[i:i + 4]))
    out += ['', ' ', '\0', '\n\n', '&', '<', 'ς', 'Σ', 'ΑΣ', 'ΑΣΑ', "'", "'s", "''s", 'x' * 5000, 'ab' * 999, '東' * 500, '😀' * 300,
            'a b ' * 300, 'a\nb < c\n&amp; &EACUTE;', '&EACUTE;\nb < c\n&EACUTE;', 'ǅ ǆ Ǆ', 'İ', 'ﷺ', 'a\u0345b', '!\u0345!',
            '&' + 'amp;' * 30 + 'lt;', '&am\x01p;', '＆amp;', '&#3&#56;;amp;', '&#000000000000000000000008220;', '&#00000000000000000000008220;', '\x1b[\x1b[mm', '\x81\x92\x93']
    while len(out) < count:
        size = rng.choice([1, 2, 4, 6, 8, 12, 20]) if rng.random() < .97 else rng.randint(60, 200)
        out.append(spaced(word() for _ in range(size)))
    return out[:count]
