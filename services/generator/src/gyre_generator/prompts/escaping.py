"""Keeps text of documents and people from passing for anything but text in a prompt."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

_NAMES = (
    r"s|bos|eos|pad|unk|mask|sep|cls|sop|eop|eoh|eoa|BOS_TOKEN|EOS_TOKEN|think|0x[0-9A-F]{2}"
    r"|(?:start|end|begin)_of_[a-z_]{1,32}|(?:begin|end)of[a-z]{1,32}|im_(?:start|end)"
    r"|unused_?[0-9]{1,4}|extra_id_[0-9]{1,4}|reserved_[a-z0-9_]{1,40}"
    r"|fim_[a-z_]{1,16}|tools?_(?:call|calls|response|outputs?)"
)
_SPECIAL = re.compile(
    r"<(?=[|｜][^<>|｜\s]{1,64}[|｜]>)"  # <|im_start|>, <|endoftext|>, <｜User｜>
    rf"|<(?=/?(?:{_NAMES})>)"  # <s>, </s>, <start_of_turn>
    r"|<(?=</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG"
    r"|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|TRANSCRIBE|ARGS|CALL_ID|THINK|PREFIX|MIDDLE|SUFFIX"
    r"|CLS|SEP|MASK|PAD|UNK|gMASK|sMASK|control_[0-9]{1,4})\])"
    r"|\[(?=\|[^\[\]|\s]{1,64}\|\])",  # [|user|]
)
"""Where a token of a chat template begins, by kind: a tokenizer would not read it as text."""
_LOOKALIKE = re.compile(r"[<＜﹤\[［]{1,2}[^<＜﹤\[［>＞﹥\]］]{1,70}[>＞﹥\]］]{1,2}")
"""What may become one: some tokenizers take wide letters and brackets for plain ones (NFKC)."""
_UNSEEN = re.compile("[\u00ad\u200b\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
"""Nobody sees it, and models read it: instructions, or what keeps a token from looking like one."""


def plain(value: object) -> object:
    """The same without what nobody sees, and with a space in each token of a chat template, which
    leaves it legible and no token; in mappings and sequences as well.
    """
    match value:
        case str():
            return _LOOKALIKE.sub(_apart, _SPECIAL.sub(r"\g<0> ", _UNSEEN.sub("", value)))
        case Mapping():
            return {key: plain(each) for key, each in value.items()}
        case Sequence():
            return [plain(each) for each in value]
        case _:
            return value


def _apart(lookalike: re.Match[str]) -> str:
    text = lookalike.group()
    folded = unicodedata.normalize("NFKC", text)
    return f"{text[0]} {text[1:]}" if folded != text and _SPECIAL.search(folded) else text


def quoted(text: str) -> str:
    """Every line behind `> `, so that none can pass for a line of the prompt itself."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def one_line(text: str) -> str:
    """All in one line, so that nothing in it can begin one."""
    return " ".join(text.split())
