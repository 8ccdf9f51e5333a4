"""OpenAI's own client: `openai_client.py QUESTION BASE_URL KEY`."""

import sys

from openai import APIError, OpenAI
from say import say

QUESTION, URL, KEY = sys.argv[1:]


def ask(client: OpenAI, text: str, **more: object):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(**{"model": "gyre", "messages": messages, **more})


def extras(reply) -> dict[str, object]:
    gyre = reply.gyre  # fields that the client does not know are attributes all the same
    return {
        "interaction_id": gyre["interaction_id"],
        "quotes": [each["quote"] for each in gyre["citations"]],
    }


client = OpenAI(base_url=URL, api_key=KEY)

reply = ask(
    client,
    QUESTION,
    user="ann",
    temperature=0.5,
    max_tokens=50,
    extra_body={"filters": {"document_ids": ["coffee.md"]}},
)
say("answer", text=reply.choices[0].message.content, **extras(reply))

chunks, text = [], ""
for chunk in ask(client, "slow", stream=True, stream_options={"include_usage": True}):
    delta = chunk.choices[0].delta.content if chunk.choices else None
    if delta and not text:
        say("first words", text=delta)
    text += delta or ""
    chunks.append(chunk)
last = next(chunk for chunk in reversed(chunks) if chunk.choices)
say("stream", text=text, tokens=chunks[-1].usage.total_tokens, **extras(last))

turns = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Green tea?"},
    {"role": "assistant", "content": "80 degrees."},
    {"role": "user", "content": "And black?"},
]
say("turns", text=ask(client, "", messages=turns).choices[0].message.content)

for step, refused, more in (
    ("unknown model", client, {"model": "gpt-9"}),
    ("tools", client, {"tools": [{"type": "function", "function": {"name": "brew"}}]}),
    ("wrong key", OpenAI(base_url=URL, api_key="a-key-of-nobody-0001"), {}),
):
    try:
        ask(refused, "refused", **more)
    except APIError as error:
        say(step, error=type(error).__name__, status=error.status_code, message=str(error))

try:
    for _ in ask(client, "broken", stream=True):
        pass
except APIError as error:
    say("broken stream", error=type(error).__name__, message=str(error))

vectors = client.embeddings.create(model="gyre", input=["warm tea", "cup"])
say("vectors", vectors=[each.embedding for each in vectors.data])
