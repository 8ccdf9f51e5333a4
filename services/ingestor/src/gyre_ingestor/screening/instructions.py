"""Words that are meant for the model which reads a document, not for people."""

from dataclasses import dataclass

from gyre_ingestor.screening.phrases import Phrases, parse_phrase

ENOUGH = 2
"""Points that make a finding; a weaker sign counts beside another one."""


@dataclass(frozen=True)
class Rule:
    """`points`: what its phrases weigh within a stretch of text, however many there are."""

    name: str
    points: int


_LISTS = {
    "old": "previous prior above earlier preceding foregoing existing original initial former past",
    "orders": "instruction instructions prompt prompts directive directives guidelines guardrails "
    "programming",
    "ai": "ai llm llms language_model language_models large_language_model ai_model ai_models "
    "ai_assistant ai_assistants ai_agent ai_agents ai_system ai_systems chatbot chatbots chatgpt "
    "gpt claude gemini copilot virtual_assistant assistant",
    "reply": "your_response your_answer your_reply your_output your_responses your_answers "
    "your_replies your_summary your_final_answer your_next_response your_next_reply",
    "ignore": "ignore disregard forget do_not_follow don't_follow stop_following "
    "pay_no_attention_to",
}
_OVERRIDES = """
    $ignore ..4 $old|system|developer ..3 $orders
    ignore|disregard|forget all|any|every? instructions|instruction now|and|.|!|:
    ignore|disregard|forget all|any|everything? of? your|the instructions|guidelines|programming|training|system_prompt|prompt
    ignore|disregard|forget all|everything|anything|what ..3 above|before_this|you_were_told|you_have_been_told|you've_been_told|said_before|until_now
    ignore|disregard all|any|the ..2 instructions|text above|before|below
    new|updated system? instructions|instruction|prompt|directive for? the? $ai|model? :
    system|admin|administrator|developer override
"""  # noqa: E501
_SET_ASIDE = """
    $ignore ..4 $old|system|developer|safety ..1 directions|commands|rules|orders|context|messages|conversation|restrictions
    override|overrule|discard|neglect|bypass ..4 $old|system|developer|safety ..1 $orders|directions|commands|rules|orders|context|messages|conversation|restrictions
"""  # noqa: E501
_OVERRIDES_ELSEWHERE = """
    ignoriere|ignorieren_sie|vergiss|vergessen_sie|missachte|missachten_sie ..4 anweisung|anweisungen|instruktion|instruktionen|befehle|vorgaben|systemprompt
    ignore|ignorez|oublie|oubliez ..3 instructions|consignes|directives ..1 precedentes|anterieures|ci_dessus
    ignora|ignore|olvida|olvide|descarta|descarte ..3 instrucciones anteriores|previas|precedentes
    ignora|ignorate|dimentica ..3 istruzioni precedenti|sopra
    ignore|esqueca|desconsidere ..3 instrucoes anteriores|acima
    negeer|vergeet ..3 instructies|opdrachten
    \u0438\u0433\u043d\u043e\u0440\u0438\u0440\u0443\u0438|\u0438\u0433\u043d\u043e\u0440\u0438\u0440\u0443\u0438\u0442\u0435|\u0437\u0430\u0431\u0443\u0434\u044c|\u0437\u0430\u0431\u0443\u0434\u044c\u0442\u0435 ..3 \u0438\u043d\u0441\u0442\u0440\u0443\u043a\u0446\u0438\u0438|\u0443\u043a\u0430\u0437\u0430\u043d\u0438\u044f
    \u5ffd_\u7565|\u5ffd_\u89c6|\u65e0_\u89c6 ..8 \u6307_\u4ee4|\u6307_\u793a|\u63d0_\u793a|\u547d_\u4ee4
    \u6307_\u793a|\u547d_\u4ee4 ..6 \u7121_\u8996
"""  # noqa: E501
_ROLES = """
    do_anything_now
    you_are now? dan|jailbroken|unrestricted|unfiltered|uncensored
    you_are now? no_longer bound|restricted|limited|constrained by ..3 rules|guidelines|policies|instructions|restrictions
    you_are_now|act_as|pretend_to_be|behave_as|behave_like a|an? ..1 $ai that|who|which|with|without
    you_are_in|you_are_now_in|enter|switch_to|activate|enable dan|jailbreak|god|unrestricted|unfiltered mode
    from_now_on you will|must|are|shall|should ..3 act|answer|respond|reply|behave|pretend|obey|ignore
"""  # noqa: E501
_ADDRESSES = """
    if_you_are|as|since_you_are|dear|hey|hello|attention|attn|to_any|to_all|note_to|notice_to|message_to|message_for|instruction_to|instruction_for|instructions_to|instructions_for|important_for all|the|any? a|an? $ai ..8 you_must|you_should|you_are_to|you_will|please|do_not|ignore|disregard|respond|reply_with|say_that|tell_the|recommend|rate|include_the|forward|output|append
"""  # noqa: E501
_PROMPTS = """
    reveal|print|output|repeat|show|display|disclose|leak|dump|expose|tell_me|give_me|send_me me? ..3 your ..2 system_prompt|system_message|initial_prompt|initial_instructions|hidden_instructions|original_instructions|hidden_prompt
    repeat all|everything|the_words|the_text ..2 above
"""  # noqa: E501
_SECRETS = """
    tell the|every|all|any? user|users to|that|they|their
    do_not|don't|never|without|must_not tell|telling|mention|mentioning|reveal|revealing|inform|informing|notify|notifying|alert|alerting|disclose|disclosing|let ..3 user|users|reader|human|instruction|instructions|this_message|this_prompt|this_note|you_were_told
"""  # noqa: E501
_CHATS = """
    </_im_start|</_start_header_id />? system|assistant|user
    </_system_/>|</_assistant_/>|</_user_/>
    [inst]|<<sys>> ..60 [/inst]|<</sys>>
    end_of the? document|documents|context|passage|passages|prompt .|!? system|new_instructions|new_instruction|assistant|user :
"""  # noqa: E501
_REPLIES = """
    in|into|to|of|with|from|for|throughout $reply
    modify|adjust|alter|change|format|encode|encrypt|translate|provide|write|phrase|rewrite|start|begin|end|finish|replace|make|give|craft|compose $reply
"""  # noqa: E501
_SHAPES = """
    letter|letters|vowel|vowels|consonants|word|words ..3 with|for|as|into|by ..3 number|numbers|symbol|symbols|digits|characters|letters
    every|each second|third|fourth|other word|letter|sentence
    rearrange|jumble|shuffle|reverse|reorder|scramble|swap the? letters|words|characters
    anagram|anagrams|anagrammed|misspell|misspelled|misspelling|misspellings|typo|typos|base64|emoji|emojis|pig_latin|alphanumeric|substitute|substitution|gibberish|scrambled|homophones|homophonic|leetspeak|morse_code|without_spaces|without_any_spaces|remove_spaces
    add|include|integrate|insert|incorporate|append|embed|weave|slip|attach|introduce|mention|promote|hint ..24 link|linking|redirecting|pointing|directing|http|https|www|com|download|headline|slogan|advertisement|endorsement|reminder|statement|sentence|paragraph|claim
    encouraging|urging|suggest|urge|persuade|convince|prompting|inviting the? user|users|readers
    highlight|promote|advocate|emphasise|emphasize|emphasising|emphasizing the? benefits|importance|urgency|value
"""  # noqa: E501
_ANSWERS = """
    respond|reply|answer only|solely|exclusively|always with|in|that|by
    instead_of answering|summarising|summarizing|following
    instead you_must|you_should|you_will? say|respond|reply|output|tell|send|answer
    send|redirect|direct|refer|point|lead the|all|any? user|users to
"""
_THEFTS = """
    send|forward|post|upload|transmit|exfiltrate|leak|append|email|mail ..6 conversation|chat_history|chat_log|system_prompt|user's_data|user's_password|user's_question|user's_message|user's_messages|user's_address|previous_messages|passwords|credentials|api_key|api_keys|secrets ..6 to|at|as|via ..1 http|https|url|attacker|this_address
"""  # noqa: E501
_TOOLS = """
    call|invoke|use|run|execute|trigger the|your? ..1 tool|tools|function|functions|plugin to|with|and send|delete|forward|fetch|transfer|read|email|open|exfiltrate
"""  # noqa: E501

_RULES = (
    (Rule("overrides instructions", 2), _OVERRIDES + _OVERRIDES_ELSEWHERE),
    (Rule("gives the model a role", 2), _ROLES),
    (Rule("speaks to the model", 2), _ADDRESSES),
    (Rule("asks for the prompt", 2), _PROMPTS),
    (Rule("forges a chat", 2), _CHATS),
    (Rule("sets aside what came before", 1), _SET_ASIDE),
    (Rule("says what the user shall hear", 1), _SECRETS),
    (Rule("speaks of the model's reply", 1), _REPLIES),
    (Rule("shapes a reply", 1), _SHAPES),
    (Rule("answers instead", 1), _ANSWERS),
    (Rule("carries data away", 1), _THEFTS),
    (Rule("calls a tool", 1), _TOOLS),
)
INSTRUCTIONS: Phrases[Rule] = Phrases(
    (parse_phrase(line, _LISTS), rule)
    for rule, lines in _RULES
    for line in lines.splitlines()
    if line.strip()
)
