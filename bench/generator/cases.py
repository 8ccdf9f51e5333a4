"""How the questions of ClapNQ are laid out for a language model."""

from bench.answers.data import Case

LOOK_ALIKES = 2


def beside_look_alikes(own: Case, found: Case) -> Case:
    """The question's own passage among the best of the others, at a place that it decides."""
    others = [one for one in found.passages if one.text != own.gold_passage][:LOOK_ALIKES]
    place = len(own.question) % (LOOK_ALIKES + 1)
    passages = (*others[:place], own.passages[0], *others[place:])
    return Case(own.question, passages, own.gold_passage, own.gold_sentences, own.gold_answers)
