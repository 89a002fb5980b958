"""Answers for a running service: from facts kept at hand, and from the store where they are not."""

from collections.abc import Sequence

from projections.reader import Answer, Enquiry, ReadModel


class Checks:
    """Answers enquiries as fresh as the state that the service follows."""

    def __init__(self, read_model: ReadModel) -> None:
        """Answer from a store."""
        self._read_model = read_model

    def at_hand(self, enquiry: Enquiry) -> Answer | None:
        """The answer, where it takes no reading of the store: at once, and safe on the event loop."""
        del enquiry
        return None

    def answer_many(self, enquiries: Sequence[Enquiry]) -> list[Answer]:
        """The answers to many enquiries, in order, all from one moment. May block; raises StoreFault."""
        return self._read_model.answer_many(enquiries)
