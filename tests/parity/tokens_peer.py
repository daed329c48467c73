"""The original tokenizer, run by the environment of tests/peers. Reads texts, one a line, as hexadecimal UTF-8; writes a
JSON object a line: its tokens, the row of tokens that a text tower reads, and whether the repair of text that was
decoded by the wrong encoding, which is not ours, changes the text.

The code is open_clip's, which is OpenAI's but for the names of the start and end tokens: they are OpenAI's here.
The first argument asks for something else: 'vocabulary' prints the vocabulary's path.
"""
import importlib.util
import json
import sys
from pathlib import Path

package = Path(importlib.util.find_spec('open_clip').submodule_search_locations[0])
if sys.argv[1:] == ['vocabulary']:
    print(package / 'bpe_simple_vocab_16e6.txt.gz')
    sys.exit()

spec = importlib.util.spec_from_file_location('tokenizer', package / 'tokenizer.py')  # without the models beside it
original = importlib.util.module_from_spec(spec)
spec.loader.exec_module(original)

START, END = '<|startoftext|>', '<|endoftext|>'
tokenizer = original.SimpleTokenizer()
tokenizer.encoder |= {START: tokenizer.sot_token_id, END: tokenizer.eot_token_id}
tokenizer.cache = {START: START, END: END}
tokenizer.pat = original.re.compile(
    r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+""", original.re.IGNORECASE)

for line in sys.stdin:
    text = bytes.fromhex(line).decode()
    fixed = original.ftfy.fix_text(text)
    print(json.dumps({'tokens': tokenizer.encode(text), 'row': tokenizer(text)[0].tolist(),
                      'mojibake': fixed != original.ftfy.fix_text(text, fix_encoding=False)}))
