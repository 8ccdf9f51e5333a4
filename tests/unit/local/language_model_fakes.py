"""A language model without weights: it writes what it is told to, a word at a time."""

import threading
from collections.abc import Sequence

from gyre_common.language_model_files import AdapterFiles, LanguageModelFiles
from gyre_local.language_model.engine import Sampling, Write, Written
from gyre_local.language_model.requests import ChatMessage


class FakeModel:
    window = 64

    def __init__(self, adapter: AdapterFiles | None = None) -> None:
        self.adapter = adapter
        self.words = ["The", " sky", " is", " blue."]
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = threading.Semaphore(0)
        self.written: list[str] = []
        self.sampled: list[Sampling] = []
        self.left = threading.Event()
        self.closed = False

    def chat_tokens(self, messages: Sequence[ChatMessage]) -> list[int]:
        return [token for each in messages for token in self.text_tokens(each.content)]

    def text_tokens(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]

    def generate(self, prompt: Sequence[int], sampling: Sampling, write: Write) -> Written:
        self.sampled.append(sampling)
        self.begun.release()
        words = self.words[: sampling.max_tokens]
        for number, word in enumerate(words, start=1):
            assert self.go_on.wait(20)
            self.written.append(word)
            if not write(word):
                self.left.set()
                return Written(number, ended=False)
        return Written(len(words), ended=len(words) == len(self.words))

    def close(self) -> None:
        self.closed = True


class FakeEngine:
    """`go_on` lets what is being opened be opened."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = threading.Semaphore(0)
        self.opened: list[FakeModel] = []
        self.problem: Exception | None = None

    def needed_bytes(self, model: LanguageModelFiles, adapter: AdapterFiles | None) -> int:
        return 1_000_000

    def open(self, model: LanguageModelFiles, adapter: AdapterFiles | None) -> FakeModel:
        self.begun.release()
        assert self.go_on.wait(20)
        if self.problem is not None:
            raise self.problem
        self.opened.append(FakeModel(adapter))
        return self.opened[-1]
