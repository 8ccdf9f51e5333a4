"""LlamaIndex's OpenAILike and OpenAILikeEmbedding: `llamaindex_client.py QUESTION BASE_URL KEY`."""

import sys

from llama_index.core.llms import ChatMessage
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from openai import APIError
from say import say

QUESTION, URL, KEY = sys.argv[1:]


def chat(**settings: object) -> OpenAILike:
    # Without `is_chat_model` it would call /v1/completions.
    known = {"model": "gyre", "api_base": URL, "api_key": KEY, "is_chat_model": True}
    return OpenAILike(**{**known, **settings})


def user(text: str) -> ChatMessage:
    return ChatMessage(role="user", content=text)


def extras(reply) -> dict[str, object]:
    gyre = reply.raw.gyre  # what the openai package read
    return {
        "interaction_id": gyre["interaction_id"],
        "quotes": [each["quote"] for each in gyre["citations"]],
    }


asking = chat(temperature=0.5, max_tokens=50, additional_kwargs={"user": "ann"})
reply = asking.complete(QUESTION, extra_body={"filters": {"document_ids": ["coffee.md"]}})
say("answer", text=reply.text, **extras(reply))

text, last = "", None
for last in chat().stream_chat([user("slow")]):
    if last.delta and not text:
        say("first words", text=last.delta)
    text += last.delta or ""
say("stream", text=text, **extras(last))

turns = [
    ChatMessage(role="system", content="Be brief."),
    user("Green tea?"),
    ChatMessage(role="assistant", content="80 degrees."),
    user("And black?"),
]
say("turns", text=chat().chat(turns).message.content)

for step, refused, more in (
    ("unknown model", chat(model="gpt-9"), {}),
    ("tools", chat(), {"tools": [{"type": "function", "function": {"name": "brew"}}]}),
    ("wrong key", chat(api_key="a-key-of-nobody-0001"), {}),
):
    try:
        refused.chat([user("refused")], **more)
    except APIError as error:
        say(step, error=type(error).__name__, status=error.status_code, message=str(error))

try:
    for _ in chat().stream_chat([user("broken")]):
        pass
except APIError as error:
    say("broken stream", error=type(error).__name__, message=str(error))

embedding = OpenAILikeEmbedding(model_name="gyre", api_base=URL, api_key=KEY)
say("vectors", vectors=embedding.get_text_embedding_batch(["warm tea", "cup"]))
