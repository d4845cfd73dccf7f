"""The one error that a user sees."""


class TrainingError(Exception):
    """Something the user can mend; shown as its message, without a trace."""
