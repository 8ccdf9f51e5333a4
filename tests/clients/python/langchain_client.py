"""LangChain's ChatOpenAI and OpenAIEmbeddings: `langchain_client.py QUESTION BASE_URL KEY`."""

import sys

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import APIError
from say import say

QUESTION, URL, KEY = sys.argv[1:]


def chat(**settings: object) -> ChatOpenAI:
    known = {"model": "gyre", "base_url": URL, "api_key": KEY, "include_response_headers": True}
    return ChatOpenAI(**{**known, **settings})


def extras(message: AIMessage) -> dict[str, str]:
    # LangChain keeps no field that it does not know, but the headers.
    return {"interaction_id": message.response_metadata["headers"]["gyre-interaction-id"]}


asking = chat(
    temperature=0.5, max_tokens=50, extra_body={"filters": {"document_ids": ["coffee.md"]}}
)
message = asking.invoke(QUESTION, user="ann")
say("answer", text=message.content, **extras(message))

whole = None
for chunk in chat(stream_usage=True).stream("slow"):
    if chunk.content and not (whole and whole.content):
        say("first words", text=chunk.content)
    whole = whole + chunk if whole else chunk
assert whole is not None
tokens = whole.usage_metadata["total_tokens"]
say("stream", text=whole.content, tokens=tokens, **extras(whole))

turns = [
    SystemMessage("Be brief."),
    HumanMessage("Green tea?"),
    AIMessage("80 degrees."),
    HumanMessage("And black?"),
]
say("turns", text=chat().invoke(turns).content)

for step, refused in (
    ("unknown model", chat(model="gpt-9")),
    ("tools", chat().bind_tools([{"type": "function", "function": {"name": "brew"}}])),
    ("wrong key", chat(api_key="a-key-of-nobody-0001")),
):
    try:
        refused.invoke("refused")
    except APIError as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "openai"]
        say(step, error=kinds[0], status=error.status_code, message=str(error))

try:
    for _ in chat().stream("broken"):
        pass
except APIError as error:
    say("broken stream", error=type(error).__name__, message=str(error))

# Without the setting it sends tokens of a model of OpenAI's in place of text.
embeddings = OpenAIEmbeddings(
    model="gyre", base_url=URL, api_key=KEY, check_embedding_ctx_length=False
)
say("vectors", vectors=embeddings.embed_documents(["warm tea", "cup"]))
