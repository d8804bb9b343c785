"""A first answer from a terminal.

    python examples/first_answer.py https://research.hospital.example anna "died ~ age + arm"

Asks for password and one-time code, asks the latest project that is approved, and prints what the
institutions answer together. With `--plot FILE` a forest plot is written. A question that takes longer
than ten minutes is taken up again with `--question ID`.
"""

from __future__ import annotations

import argparse
import sys

import consilium


def main() -> int:
    parser = argparse.ArgumentParser(description="A logistic regression over many institutions.")
    parser.add_argument("address", help="the node of your institution")
    parser.add_argument("username")
    parser.add_argument("formula", nargs="?", default="", help="for example: died ~ age + arm")
    parser.add_argument("--question", metavar="ID", help="a question that was asked before")
    parser.add_argument("--plot", metavar="FILE", help="write a forest plot")
    given = parser.parse_args()
    try:
        with consilium.sign_in(given.address, given.username) as session:
            if given.question:
                answer = session.question(given.question).answer()
            else:
                approved = [one for one in session.projects() if one.is_approved]
                if not approved:
                    print("no project is approved", file=sys.stderr)
                    return 1
                question = approved[0].logistic(given.formula)
                print(f"asked: {question.id}", file=sys.stderr)
                answer = question.answer()
        print(answer)
        if given.plot:
            answer.plot().figure.savefig(given.plot)
    except consilium.ConsiliumError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
