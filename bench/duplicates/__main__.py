"""What is marked as a near duplicate, what it costs, and what it does to a ranking.

    python -m bench.duplicates [--pages 300]

Pages of the Kubernetes documentation, v1.31, beside versions of them: with a sentence dropped or
replaced, sentences in another order, boilerplate around, and as they were in February 2024; and
beside versions that tell of something else, by a number or a name. The floor is the same words
(passages) or bytes (documents); the peer is MinHashLSH of datasketch, checked by the true Jaccard
similarity of the same word triples.
"""

import argparse

from bench.duplicates.documents import documents_report
from bench.duplicates.pages import NEW, OLD, pages
from bench.duplicates.passages import others_report, passages_report
from bench.duplicates.ranking import ranking_report
from bench.report import machine


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pages", type=int, default=300, help="how many get versions")
    arguments = parser.parse_args()
    new, old = pages(NEW), pages(OLD)
    count = sum(len(page.passages) for page in new.values())
    print(f"{machine()}; {len(new):,} pages, {count:,} passages of {NEW}; {len(old):,} of {OLD}\n")
    print(passages_report(new, old, arguments.pages), end="\n\n")
    print(others_report(new, old), end="\n\n")
    print(documents_report(new, old), end="\n\n")
    print(ranking_report(new, old))


if __name__ == "__main__":
    main()
